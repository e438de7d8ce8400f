//! Atomics and a lock whose every operation is a scheduling point: shuttle decides which thread goes on.
//!
//! Shuttle's own atomics weigh some fifty bytes each, and here whole page tables and frames are made of them. So the values
//! are `core`'s, and shuttle is asked before each operation. What a test's machine does to a whole frame can be made one
//! step, so that the schedules are spent on what matters. All threads of an execution share one thread of the
//! host: orderings weaker than sequential consistency are not explored.
use std::cell::Cell;

use shuttle::sync::{self, MutexGuard};

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs `body`, which waits for nobody, as if it were one step.
pub fn quietly<R>(body: impl FnOnce() -> R) -> R {
    let was_quiet = IS_QUIET.replace(true);
    let result = body();
    IS_QUIET.set(was_quiet);
    result
}

/// Lets the scheduler choose who goes on.
pub fn point() {
    if IS_QUIET.get() {
        return;
    }
    // Shuttle lets others in at each access to an atomic of its own; a fresh one does.
    sync::atomic::AtomicBool::new(false).load(atomic::Ordering::SeqCst);
}

/// The counterpart of `core::sync::atomic`.
pub mod atomic {
    pub use core::sync::atomic::Ordering;

    use super::point;

    /// See `core`.
    pub fn fence(order: Ordering) {
        point();
        core::sync::atomic::fence(order);
    }

    macro_rules! atomic {
        ($name:ident, $value:ty) => {
            /// The type of that name in `core`, watched.
            #[derive(Debug, Default)]
            pub struct $name(core::sync::atomic::$name);

            impl $name {
                /// See `core`.
                pub const fn new(value: $value) -> Self {
                    Self(core::sync::atomic::$name::new(value))
                }

                /// See `core`.
                pub fn get_mut(&mut self) -> &mut $value {
                    self.0.get_mut()
                }

                /// See `core`.
                pub fn load(&self, order: Ordering) -> $value {
                    point();
                    self.0.load(order)
                }

                /// See `core`.
                pub fn store(&self, value: $value, order: Ordering) {
                    point();
                    self.0.store(value, order);
                }

                /// See `core`.
                pub fn swap(&self, value: $value, order: Ordering) -> $value {
                    point();
                    self.0.swap(value, order)
                }

                /// See `core`.
                pub fn compare_exchange(
                    &self,
                    current: $value,
                    new: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    point();
                    self.0.compare_exchange(current, new, success, failure)
                }

                /// See `core`: a load, and as many attempts to exchange as it takes.
                pub fn fetch_update(
                    &self,
                    success: Ordering,
                    failure: Ordering,
                    mut change: impl FnMut($value) -> Option<$value>,
                ) -> Result<$value, $value> {
                    let mut seen = self.load(failure);
                    while let Some(new) = change(seen) {
                        match self.compare_exchange(seen, new, success, failure) {
                            Ok(before) => return Ok(before),
                            Err(other) => seen = other,
                        }
                    }
                    Err(seen)
                }
            }

            impl From<$value> for $name {
                fn from(value: $value) -> Self {
                    Self::new(value)
                }
            }
        };
    }

    macro_rules! arithmetic {
        ($name:ident, $value:ty) => {
            impl $name {
                /// See `core`.
                pub fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                    point();
                    self.0.fetch_add(value, order)
                }

                /// See `core`.
                pub fn fetch_sub(&self, value: $value, order: Ordering) -> $value {
                    point();
                    self.0.fetch_sub(value, order)
                }

                /// See `core`.
                pub fn fetch_max(&self, value: $value, order: Ordering) -> $value {
                    point();
                    self.0.fetch_max(value, order)
                }

                /// See `core`.
                pub fn fetch_and(&self, value: $value, order: Ordering) -> $value {
                    point();
                    self.0.fetch_and(value, order)
                }

                /// See `core`.
                pub fn fetch_or(&self, value: $value, order: Ordering) -> $value {
                    point();
                    self.0.fetch_or(value, order)
                }
            }
        };
    }

    atomic!(AtomicBool, bool);
    atomic!(AtomicU32, u32);
    atomic!(AtomicU64, u64);
    atomic!(AtomicUsize, usize);
    arithmetic!(AtomicU32, u32);
    arithmetic!(AtomicU64, u64);
    arithmetic!(AtomicUsize, usize);
}

/// The counterpart of `spin::Mutex`: who waits is not scheduled.
#[derive(Debug)]
pub struct Mutex<T>(sync::Mutex<T>);

impl<T> Mutex<T> {
    /// A free lock.
    pub const fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    /// Waits for the lock. A panic elsewhere ends the whole execution, so no value is ever left half-changed.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    /// The lock, if nobody has it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok()
    }
}
