//! Another process's memory: process_vm_readv(2) and process_vm_writev(2).

use abi::{Errno, Sysno};

use crate::process::Pid;
use crate::syscall::call;

/// Address and length of some bytes.
pub type Piece = [usize; 2];

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the other process.
    Read,
    /// To the other process.
    Write,
}

/// Moves bytes between pieces of the caller's memory and pieces of `pid`'s; how many.
pub fn transfer(
    direction: Direction,
    pid: Pid,
    ours: &[Piece],
    theirs: &[Piece],
) -> Result<usize, Errno> {
    let counted = |list: &[Piece]| [list.as_ptr() as usize, list.len()];
    raw(direction, pid, counted(ours), counted(theirs), 0)
}

/// The same with lists that need not be there, and flags.
pub fn raw(
    direction: Direction,
    pid: Pid,
    ours: [usize; 2],
    theirs: [usize; 2],
    flags: usize,
) -> Result<usize, Errno> {
    let number = match direction {
        Direction::Read => Sysno::process_vm_readv,
        Direction::Write => Sysno::process_vm_writev,
    };
    let ([ours, our_count], [theirs, their_count]) = (ours, theirs);
    call(
        number,
        [pid as usize, ours, our_count, theirs, their_count, flags],
    )
}

/// Tells the kernel how soon pieces of the memory of the process that `fd` means will be needed: process_madvise(2).
pub fn advise(fd: u32, pieces: &[Piece], advice: u32, flags: u32) -> Result<usize, Errno> {
    let [fd, advice, flags] = [fd, advice, flags].map(|number| number as usize);
    let list = pieces.as_ptr() as usize;
    call(
        Sysno::process_madvise,
        [fd, list, pieces.len(), advice, flags],
    )
}

/// Reads as much of `pid`'s memory at `address` as `buffer` has room for.
pub fn read(pid: Pid, address: usize, buffer: &mut [u8]) -> Result<usize, Errno> {
    let ours = [buffer.as_mut_ptr() as usize, buffer.len()];
    transfer(Direction::Read, pid, &[ours], &[[address, buffer.len()]])
}

/// Writes `bytes` to `pid`'s memory at `address`.
pub fn write(pid: Pid, address: usize, bytes: &[u8]) -> Result<usize, Errno> {
    let ours = [bytes.as_ptr() as usize, bytes.len()];
    transfer(Direction::Write, pid, &[ours], &[[address, bytes.len()]])
}
