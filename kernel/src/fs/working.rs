//! What a process brings along to file systems: the folder where its paths begin, and the permissions that it never gives.
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::place::Place;
use crate::lock::{IrqLock, Rank};

/// What Linux gives its first process.
const USUAL_MASK: u32 = 0o022;

/// Permissions that can be masked.
const MASKABLE: u32 = 0o777;

/// Working folder and umask(2).
pub(crate) struct Working {
    /// `None` before the first program, and after the end.
    directory: IrqLock<Option<Place>>,
    mask: AtomicU32,
}

impl Working {
    pub(crate) const fn new() -> Self {
        Self {
            directory: IrqLock::new(Rank::Files, None),
            mask: AtomicU32::new(USUAL_MASK),
        }
    }

    /// Takes over what `parent` has.
    pub(crate) fn inherit(&self, parent: &Self) {
        self.mask.store(parent.mask(), Relaxed);
        let directory = parent.directory.lock().clone();
        *self.directory.lock() = directory;
    }

    /// Where paths begin.
    pub(crate) fn directory(&self) -> Place {
        let directory = self.directory.lock().clone();
        directory.unwrap_or_else(Place::root)
    }

    /// They begin at `place` from here on.
    pub(crate) fn set_directory(&self, place: Place) {
        let old = self.directory.lock().replace(place);
        drop(old);
    }

    /// Nothing is needed any more.
    pub(crate) fn leave(&self) {
        let old = self.directory.lock().take();
        drop(old);
    }

    /// The permissions that are not given.
    pub(crate) fn mask(&self) -> u32 {
        self.mask.load(Relaxed)
    }

    /// Sets them, and returns those before.
    pub(crate) fn set_mask(&self, mask: u32) -> u32 {
        self.mask.swap(mask & MASKABLE, Relaxed)
    }
}
