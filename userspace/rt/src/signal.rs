//! Signals: their numbers, their names, and `kill`.

use core::fmt;

use abi::{Errno, Sysno, general};

use crate::process::Pid;
use crate::syscall::call;

/// A signal number, which shows itself by name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signal(pub u32);

/// Names in the order of their numbers, from 1.
const NAMES: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

macro_rules! signals {
    ($($short:ident = $number:ident),* $(,)?) => {
        impl Signal {
            $(#[doc = concat!("`", stringify!($number), "`")] pub const $short: Signal = Signal(general::$number);)*
        }
    };
}

signals! {
    ABRT = SIGABRT, ALRM = SIGALRM, BUS = SIGBUS, CHLD = SIGCHLD, CONT = SIGCONT, FPE = SIGFPE, ILL = SIGILL,
    INT = SIGINT, KILL = SIGKILL, PIPE = SIGPIPE, PROF = SIGPROF, SEGV = SIGSEGV, STOP = SIGSTOP, TERM = SIGTERM, TRAP = SIGTRAP, URG = SIGURG, USR1 = SIGUSR1,
    USR2 = SIGUSR2, VTALRM = SIGVTALRM, WINCH = SIGWINCH,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.get((self.0 as usize).wrapping_sub(1)) {
            Some(name) => f.pad(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}

/// Sends `signal` to process `pid`; signal 0 only asks whether it is there.
pub fn kill(pid: Pid, signal: Signal) -> Result<(), Errno> {
    call(Sysno::kill, [pid as usize, signal.0 as usize]).map(drop)
}
