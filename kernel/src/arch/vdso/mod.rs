//! The vDSO: the object by which programs read the clock without a system call, and the parameters that it reads.
//!
//! `image.s` is the object, whole. It computes what `timer` computes, from the same numbers, which stand in the page in
//! front of it behind a count: odd while they change, which they never do as long as nobody sets the clock.
use core::arch::global_asm;

use super::layout::PAGE;
use super::timer;

global_asm!(include_str!("image.s"));

unsafe extern "C" {
    /// Defined by `image.s`.
    static VDSO_IMAGE: [u8; PAGE as usize];
}

/// The object: an ELF file of one page.
pub(crate) fn image() -> &'static [u8; PAGE as usize] {
    // SAFETY: `image.s` defines a page of constants under that name, which nobody writes to.
    unsafe { &VDSO_IMAGE }
}

/// The words in front of it, in the order of `image.s`: a sequence count, whether the counter can be used, where it began,
/// 2^32 times the nanoseconds of a count, the nanoseconds of the epoch at that moment, those of a tick.
pub(crate) fn parameters() -> [u64; 6] {
    let [start, scale, epoch] = timer::parameters().unwrap_or_default();
    let is_usable = u64::from(scale != 0 && timer::is_steady());
    let tick = timer::tick_nanoseconds();
    [0, is_usable, start, scale, epoch, tick]
}
