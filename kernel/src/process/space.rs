//! The address space of a process behind its lock: faults read, changes write, and whoever must wait lets others run.
//!
//! The lock may be held for long (a `fork` copies every table), so waiters yield the processor instead of spinning, and
//! nobody may touch ring 3's memory while holding it: that can fault, and the fault wants this lock.
use alloc::sync::Arc;

use mm::space::{Layout, Limits};
use mm::{AddressSpace, Frame, OutOfMemory};
use spin::rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::sched;
use crate::arch::memory::memory;
use crate::arch::percpu;

/// An address space, shared by all who run in it.
pub(crate) struct Space {
    root: Frame,
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
        let copy = self.write().fork(memory())?;
        Self::wrap(copy)
    }

    fn wrap(space: AddressSpace) -> Result<Arc<Self>, OutOfMemory> {
        let root = space.table().root();
        let whole = Self {
            root,
            inner: RwLock::new(Some(space)),
        };
        Arc::try_new(whole).map_err(|_| OutOfMemory)
    }

    /// What CR3 holds while the space is active.
    pub(crate) fn root(&self) -> Frame {
        self.root
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
