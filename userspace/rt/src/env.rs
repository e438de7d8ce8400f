//! What the kernel left on the stack for a new program: arguments, environment and the auxiliary vector.
//!
//! The block lies above the first stack frame for as long as the program lives, so everything here is `'static`.
#![expect(
    unsafe_code,
    reason = "the block is a chain of pointers that only the kernel vouches for"
)]

use core::ffi::{CStr, c_char};
use core::iter;
use core::sync::atomic::{AtomicPtr, Ordering};

use abi::auxvec;

/// Address of argc, the lowest word of the block.
static BLOCK: AtomicPtr<usize> = AtomicPtr::new(core::ptr::null_mut());

/// Keeps the place of the block for the functions below.
///
/// # Safety
/// `stack` is the stack pointer with which the kernel entered the program.
pub(crate) unsafe fn remember(stack: *const usize) {
    BLOCK.store(stack.cast_mut(), Ordering::Relaxed);
}

/// The word at `index` of the block.
fn word(index: usize) -> usize {
    let block = BLOCK.load(Ordering::Relaxed);
    // SAFETY: `remember` was called before `main`, and callers stop at the terminator of each list.
    unsafe { block.wrapping_add(index).read() }
}

/// The strings from `first` up to the null word that ends their list.
fn strings(first: usize) -> impl Iterator<Item = &'static CStr> {
    (first..)
        .map(word)
        .take_while(|&address| address != 0)
        .map(|address| {
            // SAFETY: the kernel points each word of these lists at a string that ends in NUL and stays.
            unsafe { CStr::from_ptr(address as *const c_char) }
        })
}

/// How many arguments there are, the program's own name included.
pub fn count() -> usize {
    word(0)
}

/// The arguments, the program's own name first.
pub fn args() -> impl Iterator<Item = &'static CStr> {
    strings(1)
}

/// The argument at `index` as text, if it is there and is UTF-8.
pub fn arg(index: usize) -> Option<&'static str> {
    args().nth(index)?.to_str().ok()
}

/// The environment, one `NAME=value` each.
pub fn vars() -> impl Iterator<Item = &'static CStr> {
    strings(count() + 2)
}

/// The auxiliary vector: pairs of an `AT_` constant and its value.
pub fn auxiliary() -> impl Iterator<Item = (u32, usize)> {
    let first = count() + 2 + vars().count() + 1;
    iter::successors(Some(first), |index| Some(index + 2))
        .map(|index| (word(index) as u32, word(index + 1)))
        .take_while(|&(key, _)| key != auxvec::AT_NULL)
}

/// The value that the auxiliary vector holds for `key`.
pub fn auxiliary_value(key: u32) -> Option<usize> {
    auxiliary()
        .find(|&(found, _)| found == key)
        .map(|(_, value)| value)
}

/// The path by which this program was executed, good for executing it again.
pub fn program_path() -> &'static CStr {
    let address = auxiliary_value(auxvec::AT_EXECFN)
        .expect("the kernel tells each program its path (AT_EXECFN)");
    // SAFETY: the kernel points AT_EXECFN at a string that ends in NUL and stays.
    unsafe { CStr::from_ptr(address as *const c_char) }
}
