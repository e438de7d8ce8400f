//! Programs that we start end with us, however we end: an orphaned QEMU keeps a processor busy, an orphaned cargo the lock
//! on everything that is built.

use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Signal, set_parent_process_death_signal};

/// Has the program get `signal` once the thread that starts it is gone.
pub(crate) fn end_with_us(command: &mut Command, signal: Signal) {
    let tie = move || Ok(set_parent_process_death_signal(Some(signal))?);
    // SAFETY: between fork and exec the closure only calls prctl: it neither allocates nor takes a lock.
    unsafe { command.pre_exec(tie) };
}
