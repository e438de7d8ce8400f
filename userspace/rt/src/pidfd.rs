//! Descriptors of processes: pidfd_open(2), pidfd_send_signal(2), waitid(2).

use abi::general::P_PIDFD;
use abi::{Errno, Sysno};

use crate::process::Pid;
use crate::signal::Signal;
use crate::syscall::call;

/// A descriptor of process `pid`.
pub fn open(pid: Pid, flags: u32) -> Result<u32, Errno> {
    call(Sysno::pidfd_open, [pid as usize, flags as usize]).map(|number| number as u32)
}

/// Sends a signal to what `fd` means, in the scope that `flags` say.
pub fn send(fd: i32, signal: Signal, flags: u32) -> Result<(), Errno> {
    let arguments = [fd as usize, signal.0 as usize, 0, flags as usize];
    call(Sysno::pidfd_send_signal, arguments).map(drop)
}

/// As [`send`], with a `siginfo_t` of the caller's: number and code.
pub fn send_info(fd: i32, signal: Signal, [number, code]: [i32; 2]) -> Result<(), Errno> {
    let mut info = [0; 32];
    (info[0], info[2]) = (number, code);
    let arguments = [fd as usize, signal.0 as usize, info.as_ptr() as usize];
    call(Sysno::pidfd_send_signal, arguments).map(drop)
}

/// Waits for what `fd` means; code and status of what was found.
pub fn wait(fd: i32, options: u32) -> Result<[i32; 2], Errno> {
    let mut info = [0; 32];
    let place = info.as_mut_ptr() as usize;
    let arguments = [P_PIDFD as usize, fd as usize, place, options as usize];
    call(Sysno::waitid, arguments).map(|_| [info[2], info[6]])
}
