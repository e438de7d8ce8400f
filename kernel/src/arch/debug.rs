//! The debug status register: why a debug exception came.
use core::arch::asm;

/// What the register holds when nothing has happened.
const NOTHING: u64 = 0xffff_0ff0;

/// What has happened since the last call: bit 14 is a single step. The processor sets bits and never clears one.
pub(crate) fn take_status() -> u64 {
    let status: u64;
    // SAFETY: reading and resetting the register has no other effect.
    unsafe {
        asm!("mov {0}, dr6", "mov dr6, {1}", out(reg) status, in(reg) NOTHING, options(nomem, nostack, preserves_flags))
    };
    status
}
