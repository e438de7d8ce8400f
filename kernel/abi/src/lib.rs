//! Linux's x86-64 numbers: system calls, errno values, flags and structures, as both the kernel and its programs use them.
//!
//! One crate says them once, so that the kernel, the ring-3 runtime and the tests can't disagree; the values themselves
//! come from crates that are generated from Linux's own headers.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod signal;

pub use linux_raw_sys::{auxvec, elf, general, ioctl, prctl, system};
pub use syscalls::{Errno, Sysno};

/// Flags of `close_range`, as in Linux's `linux/close_range.h` (linux-raw-sys has none of them).
pub mod close_range {
    /// First gives the caller a table of its own.
    pub const CLOSE_RANGE_UNSHARE: u32 = 2;
    /// Marks descriptors to be closed at `execve` instead.
    pub const CLOSE_RANGE_CLOEXEC: u32 = 4;
}

/// Sub-functions of `arch_prctl`, as in Linux's `asm/prctl.h` (linux-raw-sys has only one of them).
pub mod arch_prctl {
    /// Sets the base address of GS.
    pub const ARCH_SET_GS: u32 = 0x1001;
    /// Sets the base address of FS, where a C library keeps its thread pointer.
    pub const ARCH_SET_FS: u32 = 0x1002;
    /// Stores the base address of FS at the given place.
    pub const ARCH_GET_FS: u32 = 0x1003;
    /// Stores the base address of GS at the given place.
    pub const ARCH_GET_GS: u32 = 0x1004;
}
