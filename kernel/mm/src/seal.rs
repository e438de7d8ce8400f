//! Seals: what must not happen to a memory file any more, for good. See fcntl(2), F_ADD_SEALS.
//!
//! Their lock is also the one that calls hold while they change length or contents, so a seal never meets a change that is
//! half done; loads and stores of programs do without. It comes before that of the file's mappings.
use bitflags::bitflags;

use crate::error::Error;
use crate::page_cache::CachedFile;
use crate::vma::{Backing, VmFlags};

bitflags! {
    /// What must not happen to a file; the bits are Linux's `F_SEAL_*`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Seals: u32 {
        /// More seals.
        const SEAL = 1 << 0;
        /// To become shorter.
        const SHRINK = 1 << 1;
        /// To become longer.
        const GROW = 1 << 2;
        /// To get other contents.
        const WRITE = 1 << 3;
        /// The same, but through mappings that exist.
        const FUTURE_WRITE = 1 << 4;
        /// To become executable, or stop to be.
        const EXEC = 1 << 5;
        /// Both ways to keep calls from changing contents.
        const ANY_WRITE = Self::WRITE.bits() | Self::FUTURE_WRITE.bits();
    }
}

impl CachedFile {
    /// What must not happen to the file.
    pub fn seals(&self) -> Seals {
        *self.seals.lock()
    }

    /// Adds `more` seals. [`Error::NotPermitted`] where there may be no more, [`Error::Busy`] where the contents are to be
    /// sealed while some area may store to them.
    pub fn add_seals(&self, more: Seals) -> Result<(), Error> {
        let mut seals = self.seals.lock();
        if seals.contains(Seals::SEAL) {
            return Err(Error::NotPermitted);
        }
        if more.contains(Seals::WRITE) && !seals.contains(Seals::WRITE) {
            self.mappings.lock().deny_writers()?;
        }
        seals.insert(more);
        Ok(())
    }
}

/// The flags that a new area over `backing` gets: what is sealed can't be shared for stores, now or by `mprotect`.
pub(crate) fn sealed_flags(flags: VmFlags, backing: &Backing) -> Result<VmFlags, Error> {
    let Backing::File { file, .. } = backing else {
        return Ok(flags);
    };
    if !flags.contains(VmFlags::SHARED) || !file.seals().intersects(Seals::ANY_WRITE) {
        return Ok(flags);
    }
    if flags.contains(VmFlags::WRITE) {
        return Err(Error::NotPermitted);
    }
    Ok(flags | VmFlags::NEVER_WRITE)
}
