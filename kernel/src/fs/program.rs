//! A file that a program runs from: nobody writes to it as long as one does.
use alloc::sync::Arc;

use abi::Errno;
use abi::general::MS_NOEXEC;
use mm::page_cache::CachedFile;

use super::open::OpenFile;
use super::place::Place;

/// Permission to execute, for anyone.
const EXECUTE: u32 = 0o111;

/// The file of a program that runs, or is about to.
pub(crate) struct Program {
    /// Holds the pages.
    open: Arc<OpenFile>,
    place: Place,
}

impl Program {
    /// What stands at `place`, if it may be executed.
    pub(crate) fn try_new(place: Place) -> Result<Arc<Self>, Errno> {
        let status = place.inode.status();
        let is_barred = place.mount.has(MS_NOEXEC) || status.mode & EXECUTE == 0;
        if !place.inode.is_regular() || is_barred {
            return Err(Errno::EACCES);
        }
        let open = place.inode.clone().open(&place, 0)?;
        if open.kind.pages().is_none() {
            return Err(Errno::EACCES);
        }
        place.inode.begin_execution()?;
        let program = Self {
            open,
            place: place.clone(),
        };
        // What can't be kept ends its execution by being dropped.
        Arc::try_new(program).map_err(|_| Errno::ENOMEM)
    }

    /// Its pages.
    pub(crate) fn pages(&self) -> Result<&Arc<CachedFile>, Errno> {
        self.open.kind.pages().ok_or(Errno::EACCES)
    }

    /// Where it stands.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Copies bytes from `offset` on, and returns how many there were.
    pub(crate) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.place.inode.read_at(offset, buffer)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.place.inode.end_execution();
    }
}
