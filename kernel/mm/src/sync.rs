//! Atomics and the lock of this crate, from one place, so that a model checker can stand behind them.
//!
//! They are `core`'s and `spin`'s. Only `tests/threads` compiles the crate a second time with `--cfg shuttle`, as a
//! package of its own that no kernel can depend on; there each operation lets the checker choose who goes on.
#[cfg(not(shuttle))]
pub(crate) use core::sync::atomic;
#[cfg(not(shuttle))]
pub(crate) use spin::Mutex;

#[cfg(shuttle)]
pub(crate) use points::{Mutex, atomic};
