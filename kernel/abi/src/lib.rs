//! Linux's x86-64 numbers: system calls, errno values, flags and structures, as both the kernel and its programs use them.
//!
//! One crate says them once, so that the kernel, the ring-3 runtime and the tests can't disagree; the values themselves
//! come from crates that are generated from Linux's own headers.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub use linux_raw_sys::{auxvec, general, system};
pub use syscalls::{Errno, Sysno};
