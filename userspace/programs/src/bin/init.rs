//! The first process: runs what the kernel's command line names, or the tour and then the shell.
//!
//! `init PROGRAM ARGUMENTS...` ends with the program's exit code, or 128 + the signal that killed it; init's end is the
//! machine's end, so this code is what the host sees. Every orphan becomes init's child, so it waits for whoever ends.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::CStr;

use programs::launch::{NOT_RUNNABLE, start};
use programs::words::Words;
use rt::process::{ANY_CHILD, wait};
use rt::{env, eprintln};

fn main() -> u8 {
    let Some(command) = Words::collect(env::args().skip(1)) else {
        eprintln!("init: more than 256 words on the command line.");
        return NOT_RUNNABLE;
    };
    if command.as_slice().is_empty() {
        run(&[c"tour"]);
        run(&[c"shell"]);
        return 0;
    }
    run(command.as_slice())
}

/// Runs `command` to its end and returns its code; collects orphans on the way.
fn run(command: &[&CStr]) -> u8 {
    let child = match start(command) {
        Ok(child) => child,
        Err(errno) => {
            eprintln!("init: no process for {:?}: {errno:?}.", command[0]);
            return NOT_RUNNABLE;
        }
    };
    loop {
        let ended = wait(ANY_CHILD).expect("init has at least this child");
        if ended.pid == child {
            return ended.status.shell_code();
        }
    }
}
