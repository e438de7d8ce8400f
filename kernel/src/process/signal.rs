//! Signals: who may end whom, and what a signal does to a process that has no say in it.
//!
//! So far every signal takes its default action or is ignored; handlers are remembered for `rt_sigaction` to report,
//! and a process that has one for a signal of its own making ends as if it had none.
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use abi::Errno;
use abi::general::{
    SIGBUS, SIGCHLD, SIGCONT, SIGFPE, SIGILL, SIGKILL, SIGSEGV, SIGSTOP, SIGTRAP, SIGTSTP, SIGTTIN,
    SIGTTOU, SIGURG, SIGWINCH,
};
use mm::Denial;

use super::death;
use super::stop;
use super::table;
use super::wait::Status;
use super::{Process, current};
use crate::arch::percpu::{self, Attention};
use crate::arch::trap::TrapFrame;
use crate::lock::{IrqLock, Rank};

/// Signals are numbered from 1 to this.
pub(crate) const SIGNALS: u32 = 64;

/// What `rt_sigaction` sets for one signal, in the kernel's layout of the structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Action {
    pub(crate) handler: u64,
    pub(crate) flags: u64,
    pub(crate) restorer: u64,
    pub(crate) mask: u64,
}

/// `SIG_DFL` and `SIG_IGN`.
pub(crate) const DEFAULT: u64 = 0;
pub(crate) const IGNORE: u64 = 1;

const SA_NOCLDSTOP: u64 = 1;
const SA_NOCLDWAIT: u64 = 2;

impl Action {
    const DEFAULT: Self = Self {
        handler: DEFAULT,
        flags: 0,
        restorer: 0,
        mask: 0,
    };
}

/// The signal state of a process.
pub(crate) struct Signals {
    /// Bit n - 1 stands for signal n.
    pending: AtomicU64,
    blocked: AtomicU64,
    actions: IrqLock<[Action; SIGNALS as usize]>,
    end: IrqLock<Option<Status>>,
    /// Stands still until SIGCONT or SIGKILL.
    stopped: AtomicBool,
}

/// What waiting signals ask of the process.
pub(super) enum Demand {
    Nothing,
    /// Stand still, as this signal says.
    Stop(u32),
    End,
}

fn bit(signal: u32) -> u64 {
    1 << (signal - 1)
}

/// Those that can be neither blocked nor ignored.
fn unblockable() -> u64 {
    bit(SIGKILL) | bit(SIGSTOP)
}

/// Whether the default action of `signal` is to do nothing.
fn is_ignored_by_default(signal: u32) -> bool {
    matches!(signal, SIGCHLD | SIGURG | SIGWINCH | SIGCONT)
}

/// Whether the default action of `signal` is to stop the process.
fn stops_by_default(signal: u32) -> bool {
    matches!(signal, SIGSTOP | SIGTSTP | SIGTTIN | SIGTTOU)
}

/// The signals of a set, from the lowest number up.
fn numbers(set: u64) -> impl Iterator<Item = u32> {
    (1..=SIGNALS).filter(move |&signal| set & bit(signal) != 0)
}

impl Signals {
    /// All default, nothing pending.
    pub(crate) fn new() -> Self {
        Self {
            pending: AtomicU64::new(0),
            blocked: AtomicU64::new(0),
            actions: IrqLock::new(Rank::Process, [Action::DEFAULT; SIGNALS as usize]),
            end: IrqLock::new(Rank::Process, None),
            stopped: AtomicBool::new(false),
        }
    }

    /// What a child of `fork` starts with: the same actions and mask, nothing pending.
    pub(super) fn fork(&self) -> Self {
        Self {
            pending: AtomicU64::new(0),
            blocked: AtomicU64::new(self.blocked.load(Relaxed)),
            actions: IrqLock::new(Rank::Process, *self.actions.lock()),
            end: IrqLock::new(Rank::Process, None),
            stopped: AtomicBool::new(false),
        }
    }

    /// `execve`: handlers are gone with the program that they belonged to.
    pub(super) fn exec(&self) {
        for action in self
            .actions
            .lock()
            .iter_mut()
            .filter(|action| action.handler != IGNORE)
        {
            *action = Action::DEFAULT;
        }
    }

    /// The action for `signal`, a number from 1 to [`SIGNALS`].
    pub(crate) fn action(&self, signal: u32) -> Action {
        self.actions.lock()[signal as usize - 1]
    }

    /// Sets the action for `signal` and drops it where it is now ignored.
    pub(crate) fn set_action(&self, signal: u32, action: Action) {
        self.actions.lock()[signal as usize - 1] = action;
        if action.handler == IGNORE || (action.handler == DEFAULT && is_ignored_by_default(signal))
        {
            self.pending.fetch_and(!bit(signal), Relaxed);
        }
    }

    /// The signals that wait instead of acting.
    pub(crate) fn blocked(&self) -> u64 {
        self.blocked.load(Relaxed)
    }

    /// Blocks exactly `mask`, without those that can't be blocked.
    pub(crate) fn set_blocked(&self, mask: u64) {
        self.blocked.store(mask & !unblockable(), Relaxed);
        percpu::raise(Attention::SIGNAL);
    }

    /// The signals that wait.
    pub(crate) fn pending(&self) -> u64 {
        self.pending.load(Relaxed)
    }

    /// Whether children end without a trace because nobody wants to know.
    pub(super) fn ignores_children(&self) -> bool {
        let action = self.action(SIGCHLD);
        action.handler == IGNORE || action.flags & SA_NOCLDWAIT != 0
    }

    /// Whether something may have to be delivered.
    pub(super) fn has_news(&self) -> bool {
        self.pending.load(Relaxed) != 0 || self.end.lock().is_some()
    }

    /// Whether something waits that will end the process.
    pub(crate) fn is_ending(&self) -> bool {
        self.end.lock().is_some() || self.deadly().is_some()
    }

    /// Decides how the process ends, unless that is decided.
    pub(crate) fn end(&self, status: Status) {
        self.end.lock().get_or_insert(status);
        percpu::raise(Attention::SIGNAL);
    }

    /// How the process ends, if that is decided.
    pub(super) fn ended(&self) -> Option<Status> {
        *self.end.lock()
    }

    /// Makes `signal` wait for the process, unless it is to be ignored. True where it ends a standstill.
    fn post(&self, signal: u32) -> bool {
        let handler = self.action(signal).handler;
        let ignored = handler == IGNORE || (handler == DEFAULT && is_ignored_by_default(signal));
        if stops_by_default(signal) {
            self.pending.fetch_and(!bit(SIGCONT), Relaxed);
        }
        if signal == SIGCONT {
            let stops = [SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU].map(bit);
            self.pending.fetch_and(!stops.iter().sum::<u64>(), Relaxed);
        }
        if !ignored || self.blocked.load(Relaxed) & bit(signal) != 0 {
            self.pending.fetch_or(bit(signal), Relaxed);
        }
        matches!(signal, SIGCONT | SIGKILL) && self.stopped.swap(false, Relaxed)
    }

    /// Whether the process is to stand still.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Relaxed)
    }

    /// Those that wait, are not blocked, and have an effect.
    fn effective(&self) -> impl Iterator<Item = u32> {
        let waiting = self.pending.load(Relaxed) & !self.blocked.load(Relaxed);
        let has_effect =
            |&signal: &u32| self.action(signal).handler != IGNORE && !is_ignored_by_default(signal);
        numbers(waiting).filter(has_effect)
    }

    fn stops(&self, signal: u32) -> bool {
        stops_by_default(signal) && self.action(signal).handler == DEFAULT
    }

    /// The first waiting signal whose action ends the process.
    fn deadly(&self) -> Option<u32> {
        if self.pending.load(Relaxed) & bit(SIGKILL) != 0 {
            return Some(SIGKILL);
        }
        self.effective().find(|&signal| !self.stops(signal))
    }

    /// Lets waiting signals act.
    pub(super) fn deliver(&self) -> Demand {
        if let Some(signal) = self.deadly() {
            self.end(Status::killed(signal));
        }
        if self.end.lock().is_some() {
            return Demand::End;
        }
        let Some(signal) = self.effective().find(|&signal| self.stops(signal)) else {
            return Demand::Nothing;
        };
        self.pending.fetch_and(!bit(signal), Relaxed);
        self.stopped.store(true, Relaxed);
        Demand::Stop(signal)
    }

    /// Whether the parent is to be told when children stop and go on.
    pub(super) fn wants_to_know_of_stops(&self) -> bool {
        self.action(SIGCHLD).flags & SA_NOCLDSTOP == 0
    }
}

/// Sends `signal` to `process`.
pub(crate) fn send(process: &Arc<Process>, signal: u32) {
    let goes_on = process.signals.post(signal);
    percpu::raise(Attention::SIGNAL);
    if goes_on && signal == SIGCONT {
        stop::tell_parent(process.pid, Status::CONTINUED);
    }
    process.wake();
}

/// Lets waiting signals act on the running process in the middle of a wait: it may stand still here. True where it
/// must give the wait up because it ends.
pub(crate) fn ends_wait() -> bool {
    let process = current();
    loop {
        match process.signals.deliver() {
            Demand::Nothing => return false,
            Demand::Stop(signal) => stop::stand_still(signal),
            Demand::End => return true,
        }
    }
}

/// kill(2) for one process. Signal 0 only asks whether it exists.
pub(crate) fn kill(pid: u32, signal: u32) -> Result<(), Errno> {
    let process = table::find(pid).ok_or(Errno::ESRCH)?;
    if signal > SIGNALS {
        return Err(Errno::EINVAL);
    }
    if signal != 0 && pid != table::INIT {
        send(&process, signal);
    }
    Ok(())
}

/// Sends `signal` to all but init and the sender; ESRCH where there is nobody else.
pub(crate) fn kill_all(signal: u32) -> Result<(), Errno> {
    let sender = current().pid;
    let mut reached = Err(Errno::ESRCH);
    for pid in table::numbers().filter(|&pid| pid != table::INIT && pid != sender) {
        reached = kill(pid, signal).or(reached);
    }
    reached
}

/// The running program did what it has no right to: it ends by `signal`, and the log says why.
pub(crate) fn force(signal: u32, reason: &str, address: u64, frame: &TrapFrame) {
    death::tell(name(signal), reason, address, frame);
    current().signals.end(Status::killed(signal));
}

/// A fault without right.
pub(crate) fn force_denied(denial: Denial, address: u64, frame: &TrapFrame) {
    match denial {
        Denial::Unmapped => force(SIGSEGV, "SEGV_MAPERR", address, frame),
        Denial::Forbidden => force(SIGSEGV, "SEGV_ACCERR", address, frame),
        Denial::PastEnd => force(SIGBUS, "BUS_ADRERR", address, frame),
    }
}

fn name(signal: u32) -> &'static str {
    match signal {
        SIGILL => "SIGILL",
        SIGTRAP => "SIGTRAP",
        SIGBUS => "SIGBUS",
        SIGFPE => "SIGFPE",
        SIGKILL => "SIGKILL",
        SIGSEGV => "SIGSEGV",
        _ => "signal",
    }
}
