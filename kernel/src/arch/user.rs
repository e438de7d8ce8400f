//! What ring 3 has beside the general registers: the segment registers, and the bases of FS and GS, which point at
//! thread-local storage.
//!
//! While the kernel runs, FS holds ring 3's base and GS the CPU's data; ring 3's GS base waits behind `swapgs`. Where
//! the processor has instructions for them, programs change the bases without a call, so they are read back at each
//! switch.
use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use x86_64::VirtAddr;
use x86_64::registers::model_specific::{FsBase, KernelGsBase};

use super::features::{Features, has};
use super::interrupts;

/// One thread's segments and bases while it does not run.
#[derive(Debug, Default)]
pub(crate) struct Bases {
    fs: AtomicU64,
    gs: AtomicU64,
    /// The selectors of DS, ES, FS and GS, 16 bits each from the lowest.
    selectors: AtomicU64,
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
        self.selectors.store(selectors(), Relaxed);
    }

    /// Loads them for the thread that runs next on this CPU.
    pub(crate) fn restore(&self) {
        let wanted = self.selectors.load(Relaxed);
        // Nearly always all are null, before and after.
        if wanted != 0 || selectors() != 0 {
            load_selectors(wanted);
        }
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

/// The selectors that the current thread has loaded, as [`Bases`] keeps them.
fn selectors() -> u64 {
    let (ds, es, fs, gs): (u64, u64, u64, u64);
    // SAFETY: reading segment registers changes nothing.
    unsafe {
        asm!(
            "mov {0:r}, ds", "mov {1:r}, es", "mov {2:r}, fs", "mov {3:r}, gs",
            out(reg) ds, out(reg) es, out(reg) fs, out(reg) gs,
            options(nomem, nostack, preserves_flags),
        )
    };
    [ds, es, fs, gs]
        .iter()
        .rev()
        .fold(0, |all, selector| all << 16 | selector & 0xffff)
}

/// Loads selectors that ring 3 had loaded before. Loading FS and GS spoils their bases: GS's is that of ring 3 here, as
/// the kernel's is swapped out meanwhile; both are set anew afterwards.
fn load_selectors(selectors: u64) {
    let [ds, es, fs, gs] = [0, 16, 32, 48].map(|shift| (selectors >> shift) as u16);
    interrupts::without(|| {
        // SAFETY: 1. ring 3 could load these, and the table that they select from never changes. 2. The kernel uses none
        // of the four. 3. Between the two swaps nothing uses GS, and no interrupt comes in.
        unsafe {
            asm!(
                "mov ds, {0:x}", "mov es, {1:x}", "mov fs, {2:x}",
                "swapgs", "mov gs, {3:x}", "swapgs",
                in(reg) ds, in(reg) es, in(reg) fs, in(reg) gs,
                options(nostack, preserves_flags),
            )
        }
    });
}
