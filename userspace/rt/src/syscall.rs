//! The one door into the kernel.
//!
//! Everything else in this crate is a typed way through it. It is open to programs too, for those whose purpose is to
//! hand the kernel what no typed wrapper would let pass.
#![expect(
    unsafe_code,
    reason = "a system call may do anything to the caller's memory"
)]

use abi::{Errno, Sysno};

/// The six argument registers; those that a call does not use are zero.
pub type Arguments = [usize; 6];

/// Makes system call `number`, which need not exist, with `arguments`, which need not make sense.
///
/// # Errors
/// The errno with which the kernel refuses.
pub fn raw(number: usize, arguments: Arguments) -> Result<usize, Errno> {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: the crate's own notion of "safe" (see its first page): the caller chooses what happens to its memory.
    let value = unsafe { syscalls::raw::syscall6(number, a, b, c, d, e, f) };
    Errno::from_ret(value)
}

/// Makes a system call by its name, the missing arguments being zero.
pub(crate) fn call<const N: usize>(number: Sysno, arguments: [usize; N]) -> Result<usize, Errno> {
    let mut all = [0; 6];
    all[..N].copy_from_slice(&arguments);
    raw(number.id() as usize, all)
}
