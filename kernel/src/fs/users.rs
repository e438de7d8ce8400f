//! Who has a file open for writing, and who runs it: never both.
use core::sync::atomic::{AtomicI32, Ordering::Relaxed};

use abi::Errno;

/// How many have a file open for writing; negative: so many programs run from it.
pub(super) struct Users(AtomicI32);

impl Users {
    /// Nobody.
    pub(super) const fn new() -> Self {
        Self(AtomicI32::new(0))
    }

    /// Somebody opens it for writing; `ETXTBSY` while a program runs from it.
    pub(super) fn begin_writing(&self) -> Result<(), Errno> {
        let more = |users| (users >= 0).then_some(users + 1);
        let done = self.0.fetch_update(Relaxed, Relaxed, more);
        done.map(drop).map_err(|_| Errno::ETXTBSY)
    }

    /// They close it.
    pub(super) fn end_writing(&self) {
        self.0.fetch_sub(1, Relaxed);
    }

    /// A program begins to run from it; `ETXTBSY` while somebody has it open for writing.
    pub(super) fn deny_writing(&self) -> Result<(), Errno> {
        let more = |users| (users <= 0).then_some(users - 1);
        let done = self.0.fetch_update(Relaxed, Relaxed, more);
        done.map(drop).map_err(|_| Errno::ETXTBSY)
    }

    /// The program ends.
    pub(super) fn allow_writing(&self) {
        self.0.fetch_add(1, Relaxed);
    }
}
