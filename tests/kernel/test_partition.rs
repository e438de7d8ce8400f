//! Partitions: those that other tools wrote are found, damaged tables harm nobody.
use std::io::{Cursor, Read, Seek, SeekFrom, Write};
use std::ops::Range;

use gpt_disk_types::{
    GptHeader, GptHeaderSignature, GptPartitionEntry, GptPartitionType, LbaLe, MasterBootRecord,
    U32Le,
};

use crate::partition::{Disk, HIGHEST, Unreadable, find};

const SECTORS: u64 = 4096;
const LAST: u64 = SECTORS - 1;

/// A disk in memory.
struct Image(Cursor<Vec<u8>>);

impl Image {
    fn new() -> Self {
        Self(Cursor::new(vec![0; SECTORS as usize * 512]))
    }

    fn write(&mut self, at: u64, bytes: &[u8]) {
        self.0.seek(SeekFrom::Start(at)).expect("seek");
        self.0.write_all(bytes).expect("write");
    }

    /// A table of a PC in sector `place`: kind, start, length of each record.
    fn table(&mut self, place: u64, records: &[(u8, u32, u32)]) {
        for (index, (kind, start, length)) in records.iter().enumerate() {
            let mut record = [0; 16];
            record[4] = *kind;
            record[8..12].copy_from_slice(&start.to_le_bytes());
            record[12..].copy_from_slice(&length.to_le_bytes());
            self.write(place * 512 + 446 + index as u64 * 16, &record);
        }
        self.write(place * 512 + 510, &[0x55, 0xaa]);
    }

    /// A GUID partition table of so many sectors each, with its copy at the end.
    fn guid_table(&mut self, parts: &[(u64, u64)]) {
        let mut entries = vec![GptPartitionEntry::default(); 128];
        for (entry, (first, last)) in entries.iter_mut().zip(parts) {
            entry.partition_type_guid = GptPartitionType::BASIC_DATA;
            entry.starting_lba = LbaLe::from_u64(*first);
            entry.ending_lba = LbaLe::from_u64(*last);
        }
        let bytes: Vec<u8> = entries
            .iter()
            .flat_map(bytemuck::bytes_of)
            .copied()
            .collect();
        let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&bytes);
        self.write(
            0,
            bytemuck::bytes_of(&MasterBootRecord::protective_mbr(SECTORS)),
        );
        for (place, array) in [(1, 2), (LAST, LAST - 32)] {
            let mut header = GptHeader {
                signature: GptHeaderSignature::EFI_COMPATIBLE_PARTITION_TABLE_HEADER,
                my_lba: LbaLe::from_u64(place),
                partition_entry_lba: LbaLe::from_u64(array),
                number_of_partition_entries: U32Le::from_u32(128),
                size_of_partition_entry: U32Le::from_u32(128),
                ..GptHeader::default()
            };
            header.partition_entry_array_crc32.0 = U32Le::from_u32(crc);
            header.update_header_crc32();
            self.write(array * 512, &bytes);
            self.write(place * 512, bytemuck::bytes_of(&header));
        }
    }

    /// The partitions that are there, by number.
    fn partitions(&mut self) -> Vec<(usize, Range<u64>)> {
        let mut disk = Disk {
            size: SECTORS * 512,
            sector_size: 512,
            read: |at, bytes: &mut [u8]| {
                self.0.seek(SeekFrom::Start(at)).map_err(|_| Unreadable)?;
                self.0.read_exact(bytes).map_err(|_| Unreadable)
            },
        };
        let found = find(&mut disk).expect("it can be read");
        let numbered = found.into_iter().enumerate();
        numbered
            .filter(|(_, sectors)| !sectors.is_empty())
            .collect()
    }
}

#[test]
fn an_empty_disk_has_no_partitions() {
    assert_eq!(Image::new().partitions(), []);
}

#[test]
fn no_partition_of_a_pc_is_missed() {
    let mut image = Image::new();
    image.table(
        0,
        &[
            (0x83, 64, 100),
            (0, 7, 7),
            (0x0f, 1000, 2000),
            (0x82, 200, 8),
        ],
    );
    image.table(1000, &[(0x83, 2, 500), (0x05, 600, 400)]);
    image.table(1600, &[(0x83, 4, 300)]);
    assert_eq!(
        image.partitions(),
        [
            (1, 64..164),
            (3, 1000..1002),
            (4, 200..208),
            (5, 1002..1502),
            (6, 1604..1904)
        ]
    );
}

#[test]
fn a_chain_that_bites_its_tail_has_an_end() {
    for link in [0, 600] {
        let mut image = Image::new();
        image.table(0, &[(0x05, 1000, 2000)]);
        image.table(1000, &[(0x83, 1, 1), (0x05, 600, 400)]);
        image.table(1600, &[(0x83, 1, 1), (0x05, link, 400)]);
        let found = image.partitions();
        assert!(found.len() <= HIGHEST, "{found:?}");
    }
}

#[test]
fn what_reaches_over_the_end_is_no_partition() {
    let mut image = Image::new();
    image.table(
        0,
        &[
            (0x83, 4000, 97),
            (0x83, 4000, 96),
            (0x83, u32::MAX, u32::MAX),
        ],
    );
    assert_eq!(image.partitions(), [(2, 4000..4096)]);
}

#[test]
fn the_first_sector_of_a_file_system_is_no_table() {
    let mut image = Image::new();
    image.table(0, &[(0x83, 64, 100)]);
    image.write(446 + 16, b"rubbish");
    assert_eq!(image.partitions(), []);
}

#[test]
fn the_copy_serves_where_the_table_is_damaged() {
    let parts = [(40, 99), (100, 100), (0, 0), (2000, 3999)];
    let expected = [(1, 40..100), (2, 100..101), (4, 2000..4000)];
    for damage in [None, Some(512 + 40), Some(2 * 512 + 300)] {
        let mut image = Image::new();
        image.guid_table(&parts);
        // An entry is used by its type alone.
        for array in [2, LAST - 32] {
            image.write(array * 512 + 256, &[0; 128]);
        }
        image.seal();
        if let Some(at) = damage {
            image.write(at, b"!");
        }
        assert_eq!(image.partitions(), expected, "{damage:?}");
    }
}

#[test]
fn where_both_are_damaged_there_is_nothing() {
    let mut image = Image::new();
    image.guid_table(&[(40, 99)]);
    image.write(512 + 24, b"!");
    image.write(LAST * 512 + 24, b"!");
    assert_eq!(image.partitions(), []);
}

/// Every byte of both headers, and some of the arrays, with every value that differs in a bit: no panic, nothing that the
/// disk does not have.
#[test]
fn no_damage_leads_out_of_the_disk() {
    let mut image = Image::new();
    image.guid_table(&[(40, 99)]);
    for at in (512..512 + 92).chain([1024, 1024 + 32, 1024 + 40]) {
        for bit in 0..8 {
            let before = image.0.get_ref()[at];
            image.write(at as u64, &[before ^ 1 << bit]);
            let found = image.partitions();
            assert!(
                found.iter().all(|(_, sectors)| sectors.end <= SECTORS),
                "{found:?}"
            );
            image.write(at as u64, &[before]);
        }
    }
}

impl Image {
    /// Makes the sums right again after a change of the arrays.
    fn seal(&mut self) {
        for (place, array) in [(1, 2_u64), (LAST, LAST - 32)] {
            let (start, length) = (array as usize * 512, 128 * 128);
            let bytes = &self.0.get_ref()[start..start + length];
            let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(bytes);
            let at = place as usize * 512;
            let header = &self.0.get_ref()[at..at + size_of::<GptHeader>()];
            let mut header: GptHeader = bytemuck::pod_read_unaligned(header);
            header.partition_entry_array_crc32.0 = U32Le::from_u32(crc);
            header.update_header_crc32();
            self.write(place * 512, bytemuck::bytes_of(&header));
        }
    }
}
