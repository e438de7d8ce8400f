//! Registers of a device in memory: mapped uncached, for good, and reached word by word inside their bounds.
//!
//! What is mapped is never memory that the kernel hands out, so a store to a register overwrites nothing of Rust's. What a
//! device then does with an address that it was told this way no type can know: as `arch::dma` has it, whoever tells it one
//! keeps the frame until the device is done, or was reset.
use super::layout::{DIRECT_MAP, DIRECT_MAP_SIZE, PAGE};
use super::paging::{self, Cache, ioremap};

/// The registers from some physical address on.
#[derive(Debug)]
pub(crate) struct Registers {
    start: u64,
    length: u64,
}

impl Registers {
    /// Maps `length` bytes from physical address `physical` on; `None` where that is memory, or there is none for tables.
    pub(crate) fn map(physical: u64, length: u64) -> Option<Self> {
        let end = physical.checked_add(length)?;
        let is_memory = |at| paging::translate(paging::root(), DIRECT_MAP + at).is_some();
        let mut pages = (physical - physical % PAGE..end).step_by(PAGE as usize);
        if length == 0 || end > DIRECT_MAP_SIZE || pages.any(is_memory) {
            return None;
        }
        let start = ioremap(physical, length, Cache::Uncached).ok()? as u64;
        Some(Self { start, length })
    }

    /// Where the `T` at byte `offset` is.
    fn at<T>(&self, offset: u64) -> *mut T {
        let size = size_of::<T>() as u64;
        let fits = offset
            .checked_add(size)
            .is_some_and(|end| end <= self.length);
        assert!(
            fits && offset.is_multiple_of(size),
            "no register of {size} bytes at {offset:#x}, among {:#x}",
            self.length
        );
        (self.start + offset) as *mut T
    }

    /// Writes 2 bytes at `offset`.
    pub(crate) fn write_16(&self, offset: u64, value: u16) {
        // SAFETY: mapped for good, and not the memory of anything in Rust.
        unsafe { self.at::<u16>(offset).write_volatile(value) }
    }

    /// Reads 2 bytes at `offset`.
    pub(crate) fn read_16(&self, offset: u64) -> u16 {
        // SAFETY: mapped for good; what reading does to a device is the caller's affair, and nobody else's.
        unsafe { self.at::<u16>(offset).read_volatile() }
    }

    /// Reads 4 bytes at `offset`.
    pub(crate) fn read_32(&self, offset: u64) -> u32 {
        // SAFETY: as in `read_16`.
        unsafe { self.at::<u32>(offset).read_volatile() }
    }

    /// Reads 8 bytes at `offset`, the lower half first.
    pub(crate) fn read_64(&self, offset: u64) -> u64 {
        let low = u64::from(self.read_32(offset));
        u64::from(self.read_32(offset + 4)) << 32 | low
    }

    /// Writes 8 bytes at `offset`, the lower half first.
    pub(crate) fn write_64(&self, offset: u64, value: u64) {
        self.write_32(offset, value as u32);
        self.write_32(offset + 4, (value >> 32) as u32);
    }

    /// Writes 4 bytes at `offset`.
    pub(crate) fn write_32(&self, offset: u64, value: u32) {
        // SAFETY: as in `write_16`.
        unsafe { self.at::<u32>(offset).write_volatile(value) }
    }
}
