//! A whole disk, or a partition of one: sectors that pages are read from, and written to by who claimed them.
use core::ops::Range;

use abi::Errno;

use super::drive::Drive;
use super::parts::{Part, Parts};
use super::request::SECTOR;

/// Sectors of a disk.
#[derive(Clone)]
pub(crate) struct Volume {
    pub(crate) drive: &'static Drive,
    /// Which of the disks.
    pub(crate) disk: usize,
    /// Which part of it; 0 is the whole.
    pub(crate) part: usize,
    pub(crate) sectors: Range<u64>,
}

/// The right to write to a volume, which one has at a time: a file system that is mounted, or swap. A disk refuses all
/// other writes.
pub(crate) struct Claim(Volume);

impl Volume {
    /// In bytes.
    pub(crate) fn size(&self) -> u64 {
        (self.sectors.end - self.sectors.start) * SECTOR
    }

    /// Bytes of what its disk reads and writes as a whole.
    pub(crate) fn unit(&self) -> u64 {
        u64::from(self.drive.facts().sector_size).max(SECTOR)
    }

    /// Takes the right to write to it: `EROFS` where the disk can only be read, `EBUSY` where another has it, of a part
    /// perhaps.
    pub(crate) fn claim_for_writing(&self) -> Result<Claim, Errno> {
        self.drive.claim(&self.sectors)?;
        Ok(Claim(self.clone()))
    }

    /// `EIO` unless all parts lie in the volume, and are what its disk reads and writes.
    pub(crate) fn check(&self, parts: Parts) -> Result<Parts, Errno> {
        let unit = self.unit() / SECTOR;
        let sectors = self.sectors.end - self.sectors.start;
        let is_sound = |part: &Part| {
            let length = u64::from(part.bytes) / SECTOR;
            let end = part.sector.checked_add(length);
            let is_whole = (self.sectors.start.wrapping_add(part.sector)).is_multiple_of(unit);
            end.is_some_and(|end| end <= sectors) && is_whole && length.is_multiple_of(unit)
        };
        if parts.as_slice().iter().all(is_sound) {
            Ok(parts)
        } else {
            Err(Errno::EIO)
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.0.drive.disclaim(&self.0.sectors);
    }
}
