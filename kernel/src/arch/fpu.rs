//! Floating-point and vector registers of threads: saved and loaded whole at each switch, since the kernel uses none.
//!
//! XSAVEOPT, XSAVE or FXSAVE, whatever the processor has. All components that a program can find by CPUID are enabled and
//! saved, but for protection keys and AMX tiles, which stay off, as XGETBV tells programs.
use alloc::alloc::{alloc, dealloc};
use core::alloc::Layout;
use core::arch::asm;
use core::arch::x86_64::__cpuid_count;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use mm::OutOfMemory;
use x86_64::registers::xcontrol::XCr0;
use x86_64::registers::xcontrol::XCr0Flags as Components;

use super::features::{Features, has};

/// Where FXSAVE and XSAVE put the x87 control word and MXCSR, and what a new program finds in them.
const FCW: (usize, u16) = (0, 0x37f);
pub(super) const MXCSR: (usize, u32) = (24, 0x1f80);

/// The state of a new program, as every machine stores it: to XRSTOR, all zeroes is how each component starts.
#[repr(C, align(64))]
struct Initial([u8; MAX_SIZE]);

static INITIAL: Initial = {
    let mut bytes = [0; MAX_SIZE];
    [bytes[FCW.0], bytes[FCW.0 + 1]] = FCW.1.to_le_bytes();
    [bytes[MXCSR.0], bytes[MXCSR.0 + 1], ..] = MXCSR.1.to_le_bytes();
    Initial(bytes)
};

/// Bytes that FXSAVE needs.
pub(super) const LEGACY_SIZE: usize = 512;

/// The most bytes that a state of the components we enable takes on any machine (AVX-512, behind room for MPX).
pub(super) const MAX_SIZE: usize = 2688;

/// Bytes of a state on this machine.
static SIZE: AtomicUsize = AtomicUsize::new(LEGACY_SIZE);

/// One thread's registers while it does not run.
pub(crate) struct FpuState {
    area: NonNull<u8>,
}

// SAFETY: the area is owned; it is touched by the thread it belongs to, or by the scheduler on the CPU that runs it.
unsafe impl Send for FpuState {}
// SAFETY: as above: `save` and `restore` are for the current thread only.
unsafe impl Sync for FpuState {}

/// Enables what there is on the calling CPU and loads the state of a new program.
pub(super) fn init() {
    if has(Features::XSAVE) {
        // SAFETY: OSXSAVE is on (`features`), and the set has x87 and SSE and whole groups only.
        unsafe { XCr0::write(components()) };
        let size = __cpuid_count(0xd, 0).ebx as usize;
        assert!(
            size <= MAX_SIZE,
            "a state of {size} bytes, of at most {MAX_SIZE}"
        );
        SIZE.store(size, Relaxed);
    }
    // SAFETY: resets the x87 unit, which nobody uses yet.
    unsafe { asm!("fninit", options(nomem, nostack)) };
    let mxcsr = MXCSR.1;
    // SAFETY: a valid value for MXCSR.
    unsafe { asm!("ldmxcsr [{}]", in(reg) &mxcsr, options(readonly, nostack)) };
}

/// x87, SSE, and of AVX and AVX-512 what the processor has.
pub(super) fn components() -> Components {
    let has = Components::from_bits_truncate(u64::from(__cpuid_count(0xd, 0).eax));
    let wide = Components::OPMASK | Components::ZMM_HI256 | Components::HI16_ZMM;
    let mut enabled = Components::X87 | Components::SSE | has & Components::AVX;
    if has.contains(wide | Components::AVX) {
        enabled |= wide;
    }
    enabled
}

fn layout() -> Layout {
    Layout::from_size_align(size(), 64).expect("a state is smaller than the address space")
}

impl FpuState {
    /// The state of a program that just started.
    pub(crate) fn try_new() -> Result<Self, OutOfMemory> {
        // SAFETY: the layout is not empty.
        let area = NonNull::new(unsafe { alloc(layout()) }).ok_or(OutOfMemory)?;
        let initial = INITIAL.0.as_ptr();
        // SAFETY: the area is so long and nobody else's; no machine's state is longer than `INITIAL`.
        unsafe { initial.copy_to_nonoverlapping(area.as_ptr(), size()) };
        Ok(Self { area })
    }

    /// A copy of the current thread's registers, as they are now: for its child.
    pub(crate) fn try_of_current() -> Result<Self, OutOfMemory> {
        let state = Self::try_new()?;
        state.save_whole();
        Ok(state)
    }

    /// Has the current thread, whose state this is, start over like a new program. What the area holds does not matter
    /// before it is saved to.
    pub(crate) fn reset(&self) {
        // SAFETY: no reserved bit of `INITIAL` is set.
        unsafe { load(INITIAL.0.as_ptr()) };
    }

    /// Takes the current thread's registers in. Interrupts are off, or the thread can't be switched away from.
    pub(crate) fn save(&self) {
        if !has(Features::XSAVEOPT) {
            return self.save_whole();
        }
        // SAFETY: the area has the size and alignment that CPUID asks for; all enabled components are wanted.
        unsafe {
            asm!("xsaveopt64 [{}]", in(reg) self.area.as_ptr(), in("eax") !0, in("edx") !0, options(nostack))
        };
    }

    /// Like [`FpuState::save`] into an area that was never loaded from: nothing may be skipped as unchanged.
    fn save_whole(&self) {
        let area = self.area.as_ptr();
        if has(Features::XSAVE) {
            // SAFETY: as in `save`.
            unsafe {
                asm!("xsave64 [{}]", in(reg) area, in("eax") !0, in("edx") !0, options(nostack))
            };
        } else {
            // SAFETY: the area is 512 bytes and aligned to 64.
            unsafe { asm!("fxsave64 [{}]", in(reg) area, options(nostack)) };
        }
    }

    /// Loads the registers for the thread that runs next on this CPU.
    pub(crate) fn restore(&self) {
        // SAFETY: the area was filled by `try_new`, by the processor, or by what `fpu_image` checked.
        unsafe { load(self.area.as_ptr()) };
    }
}

/// Loads all registers.
///
/// # Safety
/// `area` is aligned to 64, as long as a state, and no bit in it is set that the processor refuses.
unsafe fn load(area: *const u8) {
    if has(Features::XSAVE) {
        // SAFETY: the caller's promise.
        unsafe {
            asm!("xrstor64 [{}]", in(reg) area, in("eax") !0, in("edx") !0, options(readonly, nostack))
        };
    } else {
        // SAFETY: the caller's promise.
        unsafe { asm!("fxrstor64 [{}]", in(reg) area, options(readonly, nostack)) };
    }
}

/// Bytes of a state on this machine.
pub(super) fn size() -> usize {
    SIZE.load(Relaxed)
}

impl FpuState {
    /// Has the area hold the current thread's registers, then calls `each` with its bytes, piece by piece, and where they
    /// belong. `each` may let others run: whenever that happens the area takes the same registers in again.
    pub(super) fn read<E>(
        &self,
        mut each: impl FnMut(usize, &mut [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.save_whole();
        // SAFETY: the area is at least so long. Nobody else uses it meanwhile.
        let mut piece = unsafe { self.area.cast::<[u8; LEGACY_SIZE]>().read() };
        each(0, &mut piece)?;
        for offset in (LEGACY_SIZE..size()).step_by(LEGACY_SIZE) {
            let length = LEGACY_SIZE.min(size() - offset);
            let from = self.area.as_ptr().wrapping_add(offset);
            // SAFETY: within the area, and `piece` is long enough. Nobody else uses the area meanwhile.
            unsafe { from.copy_to_nonoverlapping(piece.as_mut_ptr(), length) };
            each(offset, &mut piece[..length])?;
        }
        Ok(())
    }

    /// Gives the current thread, whose state this is, the registers of an image that was found loadable (`fpu_image`).
    pub(super) fn write(&self, image: &[u8]) {
        assert!(image.len() <= size(), "an image longer than a state");
        let to = self.area.as_ptr();
        // SAFETY: within the area, which nobody else uses meanwhile.
        unsafe { image.as_ptr().copy_to_nonoverlapping(to, image.len()) };
        self.restore();
    }
}

impl Drop for FpuState {
    fn drop(&mut self) {
        // SAFETY: allocated in `try_new` with the same layout.
        unsafe { dealloc(self.area.as_ptr(), layout()) };
    }
}
