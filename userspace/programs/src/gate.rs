//! A gate between processes that share nothing: a third process, whose disappearance is the message.
//!
//! Fork's two processes can't hand each other a byte without pipes, files or shared memory, and tests that sleep "long
//! enough" fail on a busy machine. But whether a process exists is something that everyone can ask.

use core::time::Duration;

use rt::process::{Pid, spawn, wait};
use rt::signal::{Signal, kill};
use rt::time::sleep;

/// A closed gate: a process that does nothing. Make it before forking those who shall wait at it.
pub struct Gate(Pid);

impl Gate {
    /// Closes a gate that this process alone can open.
    pub fn close() -> Self {
        let idle = || {
            sleep(Duration::from_secs(600));
            0
        };
        Self(spawn(idle).expect("fork"))
    }

    /// Opens it: from here on [`Gate::pass`] returns.
    pub fn open(self) {
        kill(self.0, Signal::KILL).expect("the process at the gate is there");
        wait(self.0).expect("the process at the gate is a child");
    }

    /// Waits until it is open.
    pub fn pass(&self) {
        while kill(self.0, Signal(0)).is_ok() {
            sleep(Duration::from_millis(1));
        }
    }
}
