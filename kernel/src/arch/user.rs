//! What ring 3 has beside the general registers: the bases of FS and GS, which point at thread-local storage.
//!
//! While the kernel runs, FS holds ring 3's base and GS the CPU's data; ring 3's GS base waits behind `swapgs`. Where
//! the processor has instructions for them, programs change the bases without a call, so they are read back at each
//! switch.
use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use x86_64::VirtAddr;
use x86_64::registers::model_specific::{FsBase, KernelGsBase};

use super::features::{Features, has};

/// One thread's bases while it does not run.
#[derive(Debug, Default)]
pub(crate) struct Bases {
    fs: AtomicU64,
    gs: AtomicU64,
}

impl Bases {
    /// The current thread's, as they are now: for its child.
    pub(crate) fn current() -> Self {
        let bases = Self::default();
        bases.save();
        bases
    }

    /// Gives the thread another FS base.
    pub(crate) fn set_fs(&mut self, base: u64) {
        *self.fs.get_mut() = base;
    }

    /// Takes the current thread's in.
    pub(crate) fn save(&self) {
        self.fs.store(fs_base(), Relaxed);
        self.gs.store(gs_base(), Relaxed);
    }

    /// Loads them for the thread that runs next on this CPU.
    pub(crate) fn restore(&self) {
        set_fs_base(self.fs.load(Relaxed));
        set_gs_base(self.gs.load(Relaxed));
    }
}

/// The current thread's FS base.
pub(crate) fn fs_base() -> u64 {
    if !has(Features::FSGSBASE) {
        return FsBase::read().as_u64();
    }
    let base;
    // SAFETY: the instruction is there and on (`features`).
    unsafe { asm!("rdfsbase {}", out(reg) base, options(nomem, nostack, preserves_flags)) };
    base
}

/// Sets the current thread's FS base, an address below the user limit.
pub(crate) fn set_fs_base(base: u64) {
    let base = VirtAddr::new_truncate(base);
    if !has(Features::FSGSBASE) {
        return FsBase::write(base);
    }
    let base = base.as_u64();
    // SAFETY: the instruction is there and on, the address is canonical, and the kernel does not use FS.
    unsafe { asm!("wrfsbase {}", in(reg) base, options(nomem, nostack, preserves_flags)) };
}

/// The current thread's GS base.
pub(crate) fn gs_base() -> u64 {
    KernelGsBase::read().as_u64()
}

/// Sets the current thread's GS base, an address below the user limit.
pub(crate) fn set_gs_base(base: u64) {
    KernelGsBase::write(VirtAddr::new_truncate(base));
}
