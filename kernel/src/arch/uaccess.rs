//! Copies between the kernel and ring 3: the only instructions that may touch user memory from ring 0.
//!
//! A copy that meets a page not yet there faults like a program does, is served, and goes on. One that can't be served
//! ends early: each instruction that may fault has a place to go on at ([`fix_up`]), and the caller learns how much was
//! done. Where the processor has SMAP, the window onto user memory is open for these few instructions only. The caller
//! holds no lock, because serving the fault may take any.
use core::arch::naked_asm;

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

/// Zeroes `length` bytes of ring 3's memory at `to`.
pub(crate) fn clear_user(to: u64, length: usize) -> Result<(), Fault> {
    check(to, length)?;
    // SAFETY: `to` lies in the user half, where faults are fixed up.
    let left = unsafe { clear(to as *mut u8, 0, length) };
    done(length, left)
}

/// Copies a NUL-terminated string from ring 3 to `into`, and returns its length without the NUL; as long as `into` if no
/// NUL came before its end.
pub(crate) fn string_from_user(into: &mut [u8], from: u64) -> Result<usize, Fault> {
    check(from, 0)?;
    let room = into.len().min((USER_END - from) as usize);
    // SAFETY: `into` has `room` bytes; all of `from` that is read lies in the user half, where faults are fixed up.
    let length = unsafe { string(into.as_mut_ptr(), from as *const u8, room) };
    let length = usize::try_from(length).map_err(|_| Fault { copied: 0 })?;
    // The user half ended before the string did.
    if length == room && room < into.len() { Err(Fault { copied: 0 }) } else { Ok(length) }
}

/// A u32 of ring 3's.
pub(crate) fn get_u32(from: u64) -> Result<u32, Fault> {
    let mut bytes = [0; 4];
    copy_from_user(&mut bytes, from)?;
    Ok(u32::from_ne_bytes(bytes))
}

/// A u64 of ring 3's.
pub(crate) fn get_u64(from: u64) -> Result<u64, Fault> {
    let mut bytes = [0; 8];
    copy_from_user(&mut bytes, from)?;
    Ok(u64::from_ne_bytes(bytes))
}

/// Stores a u32 in ring 3's memory.
pub(crate) fn put_u32(to: u64, value: u32) -> Result<(), Fault> {
    copy_to_user(to, &value.to_ne_bytes())
}

/// Stores a u64 in ring 3's memory.
pub(crate) fn put_u64(to: u64, value: u64) -> Result<(), Fault> {
    copy_to_user(to, &value.to_ne_bytes())
}

/// Whether all of the range is ring 3's.
fn check(start: u64, length: usize) -> Result<(), Fault> {
    debug_assert_eq!(percpu::ranks(), 0, "a user copy while a lock is held");
    let inside = start.checked_add(length as u64).is_some_and(|end| end <= USER_END);
    if inside { Ok(()) } else { Err(Fault { copied: 0 }) }
}

fn done(length: usize, left: usize) -> Result<(), Fault> {
    if left == 0 { Ok(()) } else { Err(Fault { copied: length - left }) }
}

/// Whether the kernel was interrupted in one of the instructions that may touch ring 3's memory.
pub(crate) fn is_copying(frame: &TrapFrame) -> bool {
    !frame.is_user() && landing(frame.rip).is_some()
}

/// Has the interrupted user copy end early; false if it was no user copy that was interrupted.
pub(crate) fn fix_up(frame: &mut TrapFrame) -> bool {
    let landing = if frame.is_user() { None } else { landing(frame.rip) };
    if let Some(landing) = landing {
        frame.rip = landing;
    }
    landing.is_some()
}

/// Where to go on when the instruction at `rip` can't.
fn landing(rip: u64) -> Option<u64> {
    let address = |label: unsafe extern "C" fn()| label as *const () as u64;
    let landings: [(unsafe extern "C" fn(), unsafe extern "C" fn()); 5] = [
        (uaccess_copy_words, uaccess_copy_rest),
        (uaccess_copy_bytes, uaccess_end),
        (uaccess_clear_words, uaccess_clear_rest),
        (uaccess_clear_bytes, uaccess_end),
        (uaccess_string_byte, uaccess_string_fault),
    ];
    landings.into_iter().find(|(at, _)| address(*at) == rip).map(|(_, landing)| address(landing))
}

unsafe extern "C" {
    fn uaccess_copy_words();
    fn uaccess_copy_rest();
    fn uaccess_copy_bytes();
    fn uaccess_clear_words();
    fn uaccess_clear_rest();
    fn uaccess_clear_bytes();
    fn uaccess_end();
    fn uaccess_string_byte();
    fn uaccess_string_fault();
}

/// Copies `length` bytes and returns how many were left. Words that fault are tried again as bytes, so the count is
/// exact.
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
        ".global uaccess_copy_words",
        "uaccess_copy_words: rep movsq",
        ".global uaccess_copy_rest",
        "uaccess_copy_rest: lea rcx, [rdx + rcx * 8]",
        ".global uaccess_copy_bytes",
        "uaccess_copy_bytes: rep movsb",
        ".global uaccess_end",
        "uaccess_end: mov rax, rcx",
        "cmp byte ptr [rip + {smap}], 0",
        "je 2f",
        "clac",
        "2: ret",
        smap = sym SMAP,
    )
}

/// Zeroes `length` bytes and returns how many were left.
///
/// # Safety
/// `to` lies in the user half.
#[unsafe(naked)]
unsafe extern "C" fn clear(to: *mut u8, zero: usize, length: usize) -> usize {
    naked_asm!(
        "cmp byte ptr [rip + {smap}], 0",
        "je 2f",
        "stac",
        "2: mov rax, rsi",
        "mov rcx, rdx",
        "shr rcx, 3",
        "and edx, 7",
        ".global uaccess_clear_words",
        "uaccess_clear_words: rep stosq",
        ".global uaccess_clear_rest",
        "uaccess_clear_rest: lea rcx, [rdx + rcx * 8]",
        ".global uaccess_clear_bytes",
        "uaccess_clear_bytes: rep stosb",
        "jmp {end}",
        smap = sym SMAP,
        end = sym uaccess_end,
    )
}

/// Copies up to and with the first NUL, at most `length` bytes; returns how many came before it, or -1 for a fault.
///
/// # Safety
/// `to` is the kernel's own memory, `from` lies in the user half.
#[unsafe(naked)]
unsafe extern "C" fn string(to: *mut u8, from: *const u8, length: usize) -> isize {
    naked_asm!(
        "cmp byte ptr [rip + {smap}], 0",
        "je 2f",
        "stac",
        "2: xor ecx, ecx",
        "3: cmp rcx, rdx",
        "je {end}",
        ".global uaccess_string_byte",
        "uaccess_string_byte: mov al, [rsi + rcx]",
        "mov [rdi + rcx], al",
        "test al, al",
        "jz {end}",
        "inc rcx",
        "jmp 3b",
        ".global uaccess_string_fault",
        "uaccess_string_fault: mov rcx, -1",
        "jmp {end}",
        smap = sym SMAP,
        end = sym uaccess_end,
    )
}
