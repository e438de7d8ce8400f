//! Which partitions a disk has: a GUID partition table, or the four records of a PC's first sector and the chain behind
//! them.
//!
//! The disk is read through a function, so this is tested on the workstation, against tables that other tools made. Nothing
//! that is read is trusted: what makes no sense is no partition, and a chain has an end whatever it says.
use core::ops::Range;

use gpt_disk_types::{GptHeader, GptPartitionEntry};

use super::request::SECTOR;

/// The highest number that a partition can have here: Linux's, for disks of this kind.
pub(crate) const HIGHEST: usize = 15;

/// Partitions by number, from 1 on, as sectors of 512 bytes; empty where there is none.
pub(crate) type Partitions = [Range<u64>; HIGHEST + 1];

/// The disk failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// A disk, as far as tables are concerned.
pub(crate) struct Disk<R> {
    /// In bytes.
    pub(crate) size: u64,
    /// Bytes of its own sectors.
    pub(crate) sector_size: u64,
    /// Reads bytes from an offset on, all of them on the disk.
    pub(crate) read: R,
}

/// A record of a PC's partition table.
#[derive(Clone, Copy, Default)]
struct Record {
    kind: u8,
    is_sane: bool,
    start: u64,
    length: u64,
}

/// Where the records are in a sector, and how long each is.
const RECORDS: usize = 446;
const RECORD: usize = 16;

/// Finds the partitions of a disk.
pub(crate) fn find<R>(disk: &mut Disk<R>) -> Result<Partitions, Unreadable>
where
    R: FnMut(u64, &mut [u8]) -> Result<(), Unreadable>,
{
    const PROTECTIVE: u8 = 0xee;
    let Some(records) = disk.records(0)? else {
        return Ok(Partitions::default());
    };
    if !records.iter().any(|record| record.kind == PROTECTIVE) {
        return disk.of_pc(&records);
    }
    let last = (disk.size / disk.sector_size).saturating_sub(1);
    for place in [1, last] {
        if let Some(found) = disk.of_header(place)? {
            return Ok(found);
        }
    }
    Ok(Partitions::default())
}

impl<R> Disk<R>
where
    R: FnMut(u64, &mut [u8]) -> Result<(), Unreadable>,
{
    /// Reads bytes; false where the disk has no such place.
    fn fetch(&mut self, at: u64, bytes: &mut [u8]) -> Result<bool, Unreadable> {
        let end = at.checked_add(bytes.len() as u64);
        if end.is_none_or(|end| end > self.size) {
            return Ok(false);
        }
        (self.read)(at, bytes).map(|()| true)
    }

    /// `length` of the disk's own sectors from `start` on, in sectors of 512 bytes; empty unless the disk has them.
    fn sectors(&self, start: u64, length: u64) -> Range<u64> {
        let factor = self.sector_size / SECTOR;
        let end = start
            .checked_add(length)
            .and_then(|end| end.checked_mul(factor));
        match end {
            Some(end) if end <= self.size / SECTOR => start * factor..end,
            _ => 0..0,
        }
    }

    /// The records in sector `place`; `None` where that is no table.
    fn records(&mut self, place: u64) -> Result<Option<[Record; 4]>, Unreadable> {
        let mut bytes = [0; SECTOR as usize];
        let Some(at) = place.checked_mul(self.sector_size) else {
            return Ok(None);
        };
        if !self.fetch(at, &mut bytes)? || bytes[510..] != [0x55, 0xaa] {
            return Ok(None);
        }
        let record = |index| Record::of(&bytes[RECORDS + index * RECORD..][..RECORD]);
        let records = [0, 1, 2, 3].map(record);
        Ok(records.iter().all(|it| it.is_sane).then_some(records))
    }

    /// Four primary partitions, and from number 5 on what is in those that are extended.
    fn of_pc(&mut self, records: &[Record; 4]) -> Result<Partitions, Unreadable> {
        let mut found = Partitions::default();
        let mut next = 5;
        for (index, record) in records.iter().enumerate() {
            if record.is_extended() {
                // As Linux shows it: enough to see what it is, not enough to overwrite what is in it.
                found[index + 1] = self.sectors(record.start, record.length.min(2));
                next = self.chain(record.start, &mut found, next)?;
            } else {
                found[index + 1] = self.sectors(record.start, record.length);
            }
        }
        Ok(found)
    }

    /// Follows the chain of tables that begins in sector `first`; the next free number.
    fn chain(
        &mut self,
        first: u64,
        found: &mut Partitions,
        mut next: usize,
    ) -> Result<usize, Unreadable> {
        const MOST_LINKS: usize = 64;
        let mut place = first;
        for _ in 0..MOST_LINKS {
            let Some(records) = self.records(place)? else {
                break;
            };
            let mut link = None;
            for record in records {
                if record.is_extended() {
                    link = link.or(first.checked_add(record.start));
                } else if record.length > 0 && next <= HIGHEST {
                    let start = place.saturating_add(record.start);
                    found[next] = self.sectors(start, record.length);
                    next += 1;
                }
            }
            match link {
                Some(link) if link != first => place = link,
                _ => break,
            }
        }
        Ok(next)
    }

    /// What the GUID partition table says whose header is in sector `place`; `None` where that is none, or is damaged.
    fn of_header(&mut self, place: u64) -> Result<Option<Partitions>, Unreadable> {
        const SIZE: u32 = size_of::<GptHeader>() as u32;
        let mut bytes = [0; size_of::<GptHeader>()];
        if !self.fetch(place * self.sector_size, &mut bytes)? {
            return Ok(None);
        }
        let header: GptHeader = bytemuck::pod_read_unaligned(&bytes);
        let is_header = header.is_signature_valid()
            && header.header_size.to_u32() == SIZE
            && header.header_crc32 == header.calculate_header_crc32()
            && header.my_lba.to_u64() == place;
        if is_header {
            self.of_entries(&header)
        } else {
            Ok(None)
        }
    }

    fn of_entries(&mut self, header: &GptHeader) -> Result<Option<Partitions>, Unreadable> {
        /// More would be no table that any tool makes.
        const MOST: u32 = 1024;
        let count = header.number_of_partition_entries.to_u32();
        let start = header.partition_entry_lba.to_u64();
        let is_usual = header.size_of_partition_entry.to_u32() as usize == ENTRY && count <= MOST;
        let Some(mut at) = start.checked_mul(self.sector_size).filter(|_| is_usual) else {
            return Ok(None);
        };
        let mut found = Partitions::default();
        let crc = crc::Crc::<u32>::new(&gpt_disk_types::Crc32::ALGORITHM);
        let mut digest = crc.digest();
        let mut bytes = [0; ENTRY];
        for number in 1..=count as usize {
            if !self.fetch(at, &mut bytes)? {
                return Ok(None);
            }
            digest.update(&bytes);
            if let Some(place) = found.get_mut(number) {
                *place = self.of_entry(&bytemuck::pod_read_unaligned(&bytes));
            }
            at += ENTRY as u64;
        }
        let is_whole = digest.finalize() == header.partition_entry_array_crc32.0.to_u32();
        Ok(is_whole.then_some(found))
    }

    fn of_entry(&self, entry: &GptPartitionEntry) -> Range<u64> {
        let (first, last) = (entry.starting_lba.to_u64(), entry.ending_lba.to_u64());
        match last.checked_sub(first) {
            Some(beyond) if entry.is_used() => self.sectors(first, beyond.saturating_add(1)),
            _ => 0..0,
        }
    }
}

/// Bytes of an entry in a GUID partition table.
const ENTRY: usize = size_of::<GptPartitionEntry>();

impl Record {
    fn of(bytes: &[u8]) -> Self {
        let word = |at: usize| {
            let word = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
            u64::from(u32::from_le_bytes(word))
        };
        let kind = bytes[4];
        Self {
            kind,
            // Boot sectors of file systems have anything here, and the same signature.
            is_sane: matches!(bytes[0], 0 | 0x80),
            start: word(8),
            length: if kind == 0 { 0 } else { word(12) },
        }
    }

    fn is_extended(&self) -> bool {
        matches!(self.kind, 0x05 | 0x0f | 0x85) && self.length > 0
    }
}
