//! A lock for file systems: whoever holds it may wait, for a disk or for memory, and who wants it sleeps.
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, Ordering::SeqCst, fence};

use spin::mutex::{SpinMutex, SpinMutexGuard};

use crate::arch::percpu;
use crate::process::waiting;

/// A value behind such a lock.
pub(crate) struct Gate<T> {
    /// Whether somebody may wait. It is set before the last look at the lock, and read after it was given back.
    is_awaited: AtomicBool,
    value: SpinMutex<T>,
}

/// The value, until dropped.
pub(crate) struct Turn<'a, T> {
    /// `None` only while it is dropped.
    guard: Option<SpinMutexGuard<'a, T>>,
    gate: &'a Gate<T>,
}

impl<T> Gate<T> {
    /// An open gate before `value`.
    pub(crate) const fn new(value: T) -> Self {
        Self {
            is_awaited: AtomicBool::new(false),
            value: SpinMutex::new(value),
        }
    }

    /// Waits until nobody else is inside. The caller holds no lock that keeps interrupts off.
    pub(crate) fn enter(&self) -> Turn<'_, T> {
        debug_assert_eq!(percpu::ranks(), 0, "a gate is waited for with a lock held");
        loop {
            if let Some(guard) = self.value.try_lock() {
                return Turn {
                    guard: Some(guard),
                    gate: self,
                };
            }
            self.is_awaited.store(true, SeqCst);
            waiting::wait(self.key(), None, || {
                fence(SeqCst);
                !self.value.is_locked() || !self.is_awaited.load(SeqCst)
            });
        }
    }

    /// What is waited for: that it opens.
    fn key(&self) -> usize {
        core::ptr::from_ref(&self.is_awaited).addr()
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        self.guard = None;
        fence(SeqCst);
        if self.gate.is_awaited.load(SeqCst) {
            self.gate.is_awaited.store(false, SeqCst);
            waiting::wake(self.gate.key());
        }
    }
}

impl<T> Deref for Turn<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        match &self.guard {
            Some(guard) => guard,
            None => unreachable!("a turn is over once it is dropped"),
        }
    }
}

impl<T> DerefMut for Turn<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.guard {
            Some(guard) => guard,
            None => unreachable!("a turn is over once it is dropped"),
        }
    }
}
