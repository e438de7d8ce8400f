//! Waiting: which child, what for, and what a parent learns. See wait(2).
use alloc::sync::Arc;

use abi::Errno;
use abi::general::{CLD_CONTINUED, CLD_EXITED, CLD_KILLED, CLD_STOPPED, SIGCONT};
use bitflags::bitflags;

use super::table::reap;
use super::{Process, current, sched, signal, waiting};

/// How a process ended, as wait(2) encodes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(pub(crate) i32);

impl Status {
    /// It called `exit` with `code`.
    pub(crate) fn exited(code: i32) -> Self {
        Self((code & 0xff) << 8)
    }

    /// It goes on after it was stopped.
    pub(crate) const CONTINUED: Self = Self(0xffff);

    /// Signal `number` stopped it.
    pub(crate) fn stopped(number: u32) -> Self {
        Self((number as i32) << 8 | 0x7f)
    }

    /// Signal `number` ended it.
    pub(crate) fn killed(number: u32) -> Self {
        Self(number as i32 & 0x7f)
    }

    /// What SIGCHLD and `waitid` tell of it: one of `CLD_*`, and a code or signal.
    pub(crate) fn as_code(self) -> (u32, i32) {
        let high = self.0 >> 8;
        match self.0 & 0x7f {
            _ if self == Self::CONTINUED => (CLD_CONTINUED, SIGCONT as i32),
            0x7f => (CLD_STOPPED, high),
            0 => (CLD_EXITED, high),
            signal => (CLD_KILLED, signal),
        }
    }

    /// What a shell would call its exit code: 128 + the signal where one ended it.
    pub(crate) fn shell_code(self) -> u8 {
        let signal = self.0 & 0x7f;
        if signal == 0 {
            (self.0 >> 8) as u8
        } else {
            128 + signal as u8
        }
    }
}

bitflags! {
    /// Which news of children a `wait` is for, and whether they are news for the next one too.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Wanted: u32 {
        /// It ended (WEXITED).
        const ENDED = 1 << 2;
        /// None is taken: it can be waited for again (WNOWAIT).
        const KEPT = 1 << 3;
        /// It stopped (WUNTRACED).
        const STOPPED = 1 << 0;
        /// It went on (WCONTINUED).
        const CONTINUED = 1 << 1;
    }
}

impl Wanted {
    pub(super) fn includes(self, news: Status) -> bool {
        let kind = if news == Status::CONTINUED {
            Self::CONTINUED
        } else {
            Self::STOPPED
        };
        self.contains(kind)
    }
}

/// Which children a `wait` is for.
#[derive(Clone, Copy)]
pub(crate) enum Children {
    Any,
    One(u32),
    /// Those of a process group.
    Group(u32),
}

/// What a `wait` found.
pub(crate) enum Found {
    /// A child that ended; it is forgotten now unless it was to be kept.
    Ended(Arc<Process>, Status),
    /// A child that stopped or went on since it was last looked at.
    Changed(u32, Status),
    /// Only children that live.
    Alive,
    /// No such child.
    Nobody,
}

/// Whether a `wait` that finds nothing yet comes back at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    Wait,
    /// WNOHANG.
    Return,
}

/// Waits for one of the running process's children. `Found::Alive` only comes back to those without patience.
pub(crate) fn wait(children: Children, wanted: Wanted, patience: Patience) -> Result<Found, Errno> {
    let process = current();
    loop {
        match reap(process.pid, children, wanted) {
            Found::Nobody => return Err(Errno::ECHILD),
            Found::Alive if patience == Patience::Wait => {}
            Found::Ended(child, status) => {
                // It is forgotten, and some may wait for that.
                waiting::wake(child.key());
                return Ok(Found::Ended(child, status));
            }
            found => return Ok(found),
        }
        if signal::interrupted() {
            return Err(Errno::ERESTARTSYS);
        }
        sched::park();
    }
}
