//! Copies between the kernel and ring 3: the only instructions that may touch user memory from ring 0.
//!
//! A copy that meets a page not yet there faults like a program does, is served, and goes on. One that can't be served
//! ends early: each instruction that may fault has a place to go on at ([`fix_up`]), and the caller learns how much was
//! done. Where the processor has SMAP, the window onto user memory is open for these few instructions only. The caller
//! holds no lock, because serving the fault may take any.
use core::arch::naked_asm;
use core::ops::Range;
use core::slice;
use core::sync::atomic::AtomicU64;

use mm::machine::WORDS;

use super::features::SMAP;
use super::layout::USER_END;
use super::percpu;
use super::trap::TrapFrame;

const _: () = assert!(USER_END == mm::space::USER_END.address());

/// Ring 3 gave an address that it can't use itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Bytes that were copied before it.
    pub(crate) copied: usize,
}

/// Fills `into` from ring 3's memory at `from`.
pub(crate) fn copy_from_user(into: &mut [u8], from: u64) -> Result<(), Fault> {
    check(from, into.len())?;
    // SAFETY: `into` is ours and long enough; `from` lies in the user half, where faults are fixed up.
    let left = unsafe { copy(into.as_mut_ptr(), from as *const u8, into.len()) };
    done(into.len(), left)
}

/// Copies `from` to ring 3's memory at `to`.
pub(crate) fn copy_to_user(to: u64, from: &[u8]) -> Result<(), Fault> {
    check(to, from.len())?;
    // SAFETY: `from` is ours; `to` lies in the user half, where faults are fixed up.
    let left = unsafe { copy(to as *mut u8, from.as_ptr(), from.len()) };
    done(from.len(), left)
}

/// Fills `into` from ring 3's memory at `from`.
pub(crate) fn copy_words_from_user(into: &mut [u64], from: u64) -> Result<(), Fault> {
    // SAFETY: all bytes of the words, which hold a number whatever is stored in them.
    let bytes = unsafe { slice::from_raw_parts_mut(into.as_mut_ptr().cast(), size_of_val(into)) };
    copy_from_user(bytes, from)
}

/// Copies `from` to ring 3's memory at `to`.
pub(crate) fn copy_words_to_user(to: u64, from: &[u64]) -> Result<(), Fault> {
    // SAFETY: all bytes of the words, none of which is padding.
    copy_to_user(to, unsafe {
        slice::from_raw_parts(from.as_ptr().cast(), size_of_val(from))
    })
}

/// What a frame holds. Ring 3 may change it meanwhile: the copies below are the processor's own moves, like ring 3's.
type Words = [AtomicU64; WORDS];

/// Fills bytes `place` of a frame from ring 3's memory at `from`.
pub(crate) fn copy_frame_from_user(
    into: &Words,
    place: Range<usize>,
    from: u64,
) -> Result<(), Fault> {
    assert!(place.end <= size_of::<Words>(), "a copy beyond a frame");
    check(from, place.len())?;
    let start = into.as_ptr().cast::<u8>().cast_mut();
    // SAFETY: the place lies in the frame, whose atomics may be stored to by anybody who has a reference; `from` lies in
    // the user half, where faults are fixed up.
    let left = unsafe {
        copy(
            start.wrapping_add(place.start),
            from as *const u8,
            place.len(),
        )
    };
    done(place.len(), left)
}

/// Copies bytes `place` of a frame to ring 3's memory at `to`.
pub(crate) fn copy_frame_to_user(to: u64, from: &Words, place: Range<usize>) -> Result<(), Fault> {
    assert!(place.end <= size_of::<Words>(), "a copy beyond a frame");
    check(to, place.len())?;
    let start = from.as_ptr().cast::<u8>();
    // SAFETY: the place lies in the frame; `to` lies in the user half, where faults are fixed up.
    let left = unsafe { copy(to as *mut u8, start.wrapping_add(place.start), place.len()) };
    done(place.len(), left)
}

/// Fills the beginning of `into` with what of ring 3's memory at `from` is present, and returns how much that is. No
/// fault is served for it: nothing changes, and nobody waits.
pub(crate) fn peek(into: &mut [u8], from: u64) -> usize {
    let length = USER_END.saturating_sub(from).min(into.len() as u64) as usize;
    // SAFETY: `into` is ours and long enough; the range lies in the user half, where faults are fixed up.
    let left = unsafe { peek_bytes(into.as_mut_ptr(), from as *const u8, length) };
    length - left
}

/// Ends a [`peek`] or [`peek_word`] that was interrupted by a fault; false if it was neither.
#[inline]
pub(crate) fn end_peek(frame: &mut TrapFrame) -> bool {
    let address = |label: unsafe extern "C" fn()| label as *const () as u64;
    let landing = if frame.rip == address(uaccess_peek) {
        address(uaccess_peeked)
    } else if frame.rip == address(uaccess_load) {
        address(uaccess_loaded)
    } else {
        return false;
    };
    frame.rip = landing;
    true
}

/// The 32-bit word at `address`, a multiple of 4, in one access; `None` where it is not present. Like [`peek`] it may be
/// used while a lock is held.
pub(crate) fn peek_word(address: u64) -> Option<u32> {
    if address >= USER_END {
        return None;
    }
    // SAFETY: the word lies in the user half, where faults are fixed up.
    word(unsafe { load_word(address as *const u32) })
}

/// Stores `new` in the 32-bit word at `address`, a multiple of 4, if it is `old`; what it was, in one access.
pub(crate) fn compare_exchange(address: u64, old: u32, new: u32) -> Result<u32, Fault> {
    check(address, size_of::<u32>())?;
    // SAFETY: the word lies in the user half, where faults are fixed up.
    let found = unsafe { exchange_word(address as *mut u32, old, new) };
    word(found).ok_or(Fault { copied: 0 })
}

/// What an access to a word found, unless it has [`NO_WORD`].
fn word(found: u64) -> Option<u32> {
    u32::try_from(found).ok()
}

/// The bit with which an access to a word says that it failed.
const NO_WORD: u64 = 1 << 32;

/// Whether all of the range is ring 3's.
fn check(start: u64, length: usize) -> Result<(), Fault> {
    debug_assert_eq!(percpu::ranks(), 0, "a user copy while a lock is held");
    let inside = start
        .checked_add(length as u64)
        .is_some_and(|end| end <= USER_END);
    if inside {
        Ok(())
    } else {
        Err(Fault { copied: 0 })
    }
}

fn done(length: usize, left: usize) -> Result<(), Fault> {
    if left == 0 {
        Ok(())
    } else {
        Err(Fault {
            copied: length - left,
        })
    }
}

/// Whether the kernel was interrupted in one of the instructions that may touch ring 3's memory.
pub(crate) fn is_copying(frame: &TrapFrame) -> bool {
    !frame.is_user() && landing(frame.rip).is_some()
}

/// Has the interrupted user copy end early; false if it was no user copy that was interrupted.
pub(crate) fn fix_up(frame: &mut TrapFrame) -> bool {
    let landing = if frame.is_user() {
        None
    } else {
        landing(frame.rip)
    };
    if let Some(landing) = landing {
        frame.rip = landing;
    }
    landing.is_some()
}

/// Where to go on when the instruction at `rip` can't. Words that fault are tried again as bytes, so that the count of
/// what was left is exact.
fn landing(rip: u64) -> Option<u64> {
    let address = |label: unsafe extern "C" fn()| label as *const () as u64;
    if rip == address(uaccess_words) {
        Some(address(uaccess_rest))
    } else if rip == address(uaccess_bytes) {
        Some(address(uaccess_end))
    } else if rip == address(uaccess_exchange) {
        Some(address(uaccess_failed))
    } else {
        None
    }
}

unsafe extern "C" {
    fn uaccess_words();
    fn uaccess_rest();
    fn uaccess_bytes();
    fn uaccess_end();
    fn uaccess_peek();
    fn uaccess_peeked();
    fn uaccess_load();
    fn uaccess_loaded();
    fn uaccess_exchange();
    fn uaccess_failed();
}

/// Copies `length` bytes and returns how many were left.
///
/// # Safety
/// One side is the kernel's own memory, the other lies in the user half.
#[unsafe(naked)]
unsafe extern "C" fn copy(to: *mut u8, from: *const u8, length: usize) -> usize {
    naked_asm!(
        "cmp byte ptr [rip + {smap}], 0",
        "je 2f",
        "stac",
        "2: mov rcx, rdx",
        "shr rcx, 3",
        "and edx, 7",
        ".global uaccess_words, uaccess_rest, uaccess_bytes, uaccess_end",
        "uaccess_words: rep movsq",
        "uaccess_rest: lea rcx, [rdx + rcx * 8]",
        "uaccess_bytes: rep movsb",
        "uaccess_end: mov rax, rcx",
        "cmp byte ptr [rip + {smap}], 0",
        "je 2f",
        "clac",
        "2: ret",
        smap = sym SMAP,
    )
}

/// Like [`copy`], but the first fault ends it.
///
/// # Safety
/// `to` is the kernel's own memory, `from` lies in the user half.
#[unsafe(naked)]
unsafe extern "C" fn peek_bytes(to: *mut u8, from: *const u8, length: usize) -> usize {
    naked_asm!(
        "mov rcx, rdx",
        "cmp byte ptr [rip + {smap}], 0",
        "je 2f",
        "stac",
        ".global uaccess_peek, uaccess_peeked",
        "2:",
        "uaccess_peek: rep movsb",
        "uaccess_peeked: mov rax, rcx",
        "cmp byte ptr [rip + {smap}], 0",
        "je 2f",
        "clac",
        "2: ret",
        smap = sym SMAP,
    )
}

/// The word at `at`, or [`NO_WORD`] after a fault.
///
/// # Safety
/// `at` lies in the user half.
#[unsafe(naked)]
unsafe extern "C" fn load_word(at: *const u32) -> u64 {
    naked_asm!(
        "mov rax, {no_word}",
        "cmp byte ptr [rip + {smap}], 0",
        "je 2f",
        "stac",
        ".global uaccess_load, uaccess_loaded",
        "2:",
        "uaccess_load: mov eax, dword ptr [rdi]",
        "uaccess_loaded: cmp byte ptr [rip + {smap}], 0",
        "je 2f",
        "clac",
        "2: ret",
        no_word = const NO_WORD,
        smap = sym SMAP,
    )
}

/// Compares the word at `at` with `old` and stores `new` where they are equal; what was there, or [`NO_WORD`] and more
/// after a fault that was not served.
///
/// # Safety
/// `at` lies in the user half.
#[unsafe(naked)]
unsafe extern "C" fn exchange_word(at: *mut u32, old: u32, new: u32) -> u64 {
    naked_asm!(
        "mov eax, esi",
        "mov rcx, {no_word}",
        "cmp byte ptr [rip + {smap}], 0",
        "je 2f",
        "stac",
        ".global uaccess_exchange, uaccess_failed",
        "2:",
        "uaccess_exchange: lock cmpxchg dword ptr [rdi], edx",
        "mov ecx, 0",
        "uaccess_failed: or rax, rcx",
        "cmp byte ptr [rip + {smap}], 0",
        "je 2f",
        "clac",
        "2: ret",
        no_word = const NO_WORD,
        smap = sym SMAP,
    )
}
