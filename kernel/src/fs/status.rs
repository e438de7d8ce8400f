//! What stat(2) says of a file, whatever its kind: each kind fills in what it knows.
use abi::general::{S_IRUSR, S_IWUSR};

use super::inode::Time;

/// What stat(2) says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Status {
    pub(crate) device: u64,
    pub(crate) number: u64,
    pub(crate) links: u64,
    pub(crate) mode: u32,
    pub(crate) user: u32,
    pub(crate) group: u32,
    /// The device that the file itself is.
    pub(crate) special: u64,
    pub(crate) size: u64,
    pub(crate) block_size: u64,
    /// What O_DIRECT wants everything to be a multiple of; 0 where that is not said.
    pub(crate) direct_unit: u64,
    /// Of 512 bytes.
    pub(crate) blocks: u64,
    pub(crate) accessed: Time,
    pub(crate) modified: Time,
    pub(crate) changed: Time,
    pub(crate) born: Time,
}

/// What stat(2) says of files that nothing is known of: Linux's anonymous inode, which all of them share.
pub(crate) fn nameless() -> Status {
    const DEVICE: u64 = 15;
    Status {
        device: DEVICE,
        number: 1,
        links: 1,
        mode: S_IRUSR | S_IWUSR,
        block_size: mm::PAGE_SIZE,
        ..Status::default()
    }
}
