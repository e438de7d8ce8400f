//! The address space of a process behind its lock: faults read, changes write, and whoever must wait lets others run.
//!
//! The lock may be held for long (a `fork` copies every table), so waiters yield the processor instead of spinning, and
//! nobody may touch ring 3's memory while holding it: that can fault, and the fault wants this lock.
use alloc::sync::Arc;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use mm::space::{Layout, Limits};
use mm::{AddressSpace, Frame, OutOfMemory};
use spin::Once;
use spin::rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::sched;
use crate::arch::memory::memory;
use crate::arch::percpu;
use crate::fs::program::Program;

/// What `execve` laid out, for proc(5). Addresses are in bytes.
#[derive(Clone)]
pub(crate) struct Facts {
    pub(crate) program: Arc<Program>,
    /// Code as far as the program's file has it.
    pub(crate) code: Range<u64>,
    /// From the start of the segment that begins last to the end of the file's bytes: what Linux takes for the data.
    pub(crate) data: Range<u64>,
    /// The strings of the arguments, and those of the environment.
    pub(crate) arguments: Range<u64>,
    pub(crate) environment: Range<u64>,
}

/// An address space, shared by all who run in it.
pub(crate) struct Space {
    root: Frame,
    facts: Once<Facts>,
    /// The most pages that were ever in memory.
    peak: AtomicU64,
    /// `None` only while the space is being dropped.
    inner: RwLock<Option<AddressSpace>>,
}

/// The space, for faults.
pub(crate) struct Shared<'a>(RwLockReadGuard<'a, Option<AddressSpace>>);

/// The space, for changes.
pub(crate) struct Exclusive<'a>(RwLockWriteGuard<'a, Option<AddressSpace>>);

impl Space {
    /// A space with nothing in it.
    pub(crate) fn try_new(layout: Layout, limits: Limits) -> Result<Arc<Self>, OutOfMemory> {
        Self::wrap(AddressSpace::new(memory(), layout, limits)?)
    }

    /// A copy of the space: see `mm::fork`.
    pub(crate) fn fork(&self) -> Result<Arc<Self>, OutOfMemory> {
        let copy = Self::wrap(self.write().fork(memory())?)?;
        if let Some(facts) = self.facts() {
            copy.set_facts(facts.clone());
        }
        Ok(copy)
    }

    fn wrap(space: AddressSpace) -> Result<Arc<Self>, OutOfMemory> {
        let root = space.table().root();
        let whole = Self {
            root,
            facts: Once::new(),
            peak: AtomicU64::new(0),
            inner: RwLock::new(Some(space)),
        };
        Arc::try_new(whole).map_err(|_| OutOfMemory)
    }

    /// What CR3 holds while the space is active.
    pub(crate) fn root(&self) -> Frame {
        self.root
    }

    /// Notes what was laid out, once.
    pub(super) fn set_facts(&self, facts: Facts) {
        self.facts.call_once(|| facts);
    }

    /// What `execve` laid out.
    pub(crate) fn facts(&self) -> Option<&Facts> {
        self.facts.get()
    }

    /// Notes how many pages are in memory now, and returns the most that ever were.
    pub(crate) fn note_resident(&self, pages: u64) -> u64 {
        self.peak.fetch_max(pages, Relaxed).max(pages)
    }

    /// The space if nobody changes it just now: for the report of a bug, which waits for nothing.
    pub(super) fn try_read(&self) -> Option<Shared<'_>> {
        self.inner.try_read().map(Shared)
    }

    /// Waits until nobody changes the space. The caller holds no lock: it may have to let others run.
    pub(crate) fn read(&self) -> Shared<'_> {
        debug_assert_eq!(percpu::ranks(), 0, "a space is waited for with a lock held");
        loop {
            match self.inner.try_read() {
                Some(guard) => return Shared(guard),
                None => sched::yield_now(),
            }
        }
    }

    /// Waits until nobody uses the space. The caller holds no lock: it may have to let others run.
    pub(crate) fn write(&self) -> Exclusive<'_> {
        debug_assert_eq!(percpu::ranks(), 0, "a space is waited for with a lock held");
        loop {
            match self.inner.try_write() {
                Some(guard) => return Exclusive(guard),
                None => sched::yield_now(),
            }
        }
    }
}

/// The last user gives everything back. No CPU has the space active any more: whoever runs in it holds it.
impl Drop for Space {
    fn drop(&mut self) {
        if let Some(space) = self.inner.get_mut().take() {
            space.destroy(memory());
        }
    }
}

const ALIVE: &str = "a space that can be reached has not been dropped";

impl core::ops::Deref for Shared<'_> {
    type Target = AddressSpace;
    fn deref(&self) -> &AddressSpace {
        self.0.as_ref().expect(ALIVE)
    }
}

impl core::ops::Deref for Exclusive<'_> {
    type Target = AddressSpace;
    fn deref(&self) -> &AddressSpace {
        self.0.as_ref().expect(ALIVE)
    }
}

impl core::ops::DerefMut for Exclusive<'_> {
    fn deref_mut(&mut self) -> &mut AddressSpace {
        self.0.as_mut().expect(ALIVE)
    }
}
