//! What `ioctl` answers about disks: sizes, in the several units in which programs ask.
use abi::Errno;
use abi::ioctl::{
    BLKALIGNOFF, BLKBSZGET, BLKGETSIZE, BLKGETSIZE64, BLKIOMIN, BLKIOOPT, BLKPBSZGET, BLKRAGET,
    BLKROGET, BLKSECTGET, BLKSSZGET,
};
use mm::PAGE_SIZE;

use super::{Answer, user};
use crate::block::{MOST_FRAMES, SECTOR, Volume};

/// Bytes of what is answered.
#[derive(Clone, Copy)]
enum Width {
    Short = 2,
    Int = 4,
    Long = 8,
}

/// ioctl(2) on a disk or a partition.
pub(super) fn ioctl(volume: &Volume, request: u64, argument: u64) -> Answer {
    let facts = volume.drive.facts();
    let sector_size = u64::from(facts.sector_size);
    let most = (facts.most_frames as u64) * PAGE_SIZE / SECTOR;
    let (value, width) = match request as u32 {
        BLKGETSIZE64 => (volume.size(), Width::Long),
        BLKGETSIZE => (volume.size() / SECTOR, Width::Long),
        BLKRAGET => (MOST_FRAMES as u64 * PAGE_SIZE / SECTOR, Width::Long),
        BLKSSZGET | BLKPBSZGET | BLKIOMIN => (sector_size, Width::Int),
        BLKBSZGET => (block_size(volume.size(), sector_size), Width::Int),
        // Nothing is ever written here, whatever the device allows.
        BLKROGET => (1, Width::Int),
        BLKIOOPT | BLKALIGNOFF => (0, Width::Int),
        BLKSECTGET => (most, Width::Short),
        _ => return Err(Errno::ENOTTY),
    };
    user::write_bytes(argument, &value.to_le_bytes()[..width as usize]).map(|()| 0)
}

/// The largest power of two up to a page that divides `size`, and is no smaller than the disk's own sectors.
fn block_size(size: u64, sector_size: u64) -> u64 {
    let divides = 1 << size.trailing_zeros().min(PAGE_SIZE.ilog2());
    sector_size.max(divides)
}
