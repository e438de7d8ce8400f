//! A lock for file systems: whoever holds it may wait, for a disk or for memory, and who wants it lets others run.
use core::ops::{Deref, DerefMut};

use spin::mutex::{SpinMutex, SpinMutexGuard};

use crate::arch::percpu;
use crate::process::sched;

/// A value behind such a lock.
pub(crate) struct Gate<T>(SpinMutex<T>);

/// The value, until dropped.
pub(crate) struct Turn<'a, T>(SpinMutexGuard<'a, T>);

impl<T> Gate<T> {
    /// An open gate before `value`.
    pub(crate) const fn new(value: T) -> Self {
        Self(SpinMutex::new(value))
    }

    /// Waits until nobody else is inside. The caller holds no lock that keeps interrupts off.
    pub(crate) fn enter(&self) -> Turn<'_, T> {
        debug_assert_eq!(percpu::ranks(), 0, "a gate is waited for with a lock held");
        loop {
            match self.0.try_lock() {
                Some(guard) => return Turn(guard),
                None => sched::yield_now(),
            }
        }
    }
}

impl<T> Deref for Turn<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Turn<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}
