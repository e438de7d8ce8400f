//! Where the bytes of a page lie on the disk: in one place, or in up to four where a file system's blocks are small.
use abi::Errno;
use mm::PAGE_SIZE;

use super::request::SECTOR;
use super::volume::Volume;

/// The most places that a page can lie in: blocks have 1 KiB at the least.
pub(crate) const MOST_PARTS: usize = 4;

/// Bytes of a page that lie together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// The first of them in the page, and how many.
    pub(crate) start: u16,
    pub(crate) bytes: u16,
    /// Where they lie, as a sector of the volume.
    pub(crate) sector: u64,
}

/// The parts of a page, in the order of its bytes. What no part covers is a hole, or behind the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    parts: [Part; MOST_PARTS],
    count: usize,
}

impl Parts {
    /// Of a page that lies nowhere.
    pub(crate) const fn new() -> Self {
        const NONE: Part = Part {
            start: 0,
            bytes: 0,
            sector: 0,
        };
        Self {
            parts: [NONE; MOST_PARTS],
            count: 0,
        }
    }

    /// The next bytes of the page, whole sectors, from byte `start` on. `EIO` where they make no sense, as a damaged file
    /// system's.
    pub(crate) fn push(&mut self, start: u64, bytes: u64, sector: u64) -> Result<(), Errno> {
        let is_sane = start.is_multiple_of(SECTOR)
            && bytes.is_multiple_of(SECTOR)
            && (1..=PAGE_SIZE.saturating_sub(start)).contains(&bytes);
        let end = self.last().map_or(0, |last| last.start + last.bytes);
        if !is_sane || start < end.into() {
            return Err(Errno::EIO);
        }
        if let Some(last) = self.parts[..self.count].last_mut()
            && u64::from(last.start + last.bytes) == start
            && last.sector + u64::from(last.bytes) / SECTOR == sector
        {
            last.bytes += bytes as u16;
            return Ok(());
        }
        let place = self.parts.get_mut(self.count).ok_or(Errno::EIO)?;
        *place = Part {
            start: start as u16,
            bytes: bytes as u16,
            sector,
        };
        self.count += 1;
        Ok(())
    }

    /// All of page `index` of a volume itself, as far as that goes.
    pub(crate) fn push_from(&mut self, volume: &Volume, index: u64) -> Result<(), Errno> {
        let start = index * PAGE_SIZE;
        let bytes = volume.size().saturating_sub(start).min(PAGE_SIZE);
        self.push(0, bytes, start / SECTOR)
    }

    fn last(&self) -> Option<&Part> {
        self.as_slice().last()
    }

    /// All of them.
    pub(crate) fn as_slice(&self) -> &[Part] {
        &self.parts[..self.count]
    }

    /// How many bytes of the page they cover before the first hole.
    pub(crate) fn covered(&self) -> u64 {
        let follow = |end, part: &Part| {
            if part.start == end {
                end + part.bytes
            } else {
                end
            }
        };
        self.as_slice().iter().fold(0, follow).into()
    }
}
