//! Signals: who may send which, what waits for whom, and what becomes of it. See signal(7).
//!
//! ```text
//! kill, timers, SIGCHLD  send     -> state: post            a fault  force -> state: force
//!                                      |  wakes the receiver            |
//! before ring 3          deliver  -> state: next  <---------------------'
//!                                      |- end, stop
//!                                      `- frame: push   the handler runs, then rt_sigreturn -> frame: restore
//! ```
//! A call that waits asks [`interrupted`] and gives up with one of the `ERESTART` numbers; `deliver` turns that into
//! `EINTR` or makes the call again, when it is known whether a handler runs.
mod action;
mod deliver;
mod force;
mod frame;
pub(crate) mod info;
mod pending;
mod send;
mod set;
mod stack;
mod state;
pub(crate) mod wait;

use abi::Errno;
use abi::general::{SA_NOCLDSTOP, SA_NOCLDWAIT, SIGCHLD};
use abi::signal::Stack;

pub(crate) use action::Action;
pub(crate) use deliver::{deliver, return_from_handler};
pub(crate) use force::{Cause, force, force_denied};
pub(crate) use info::Info;
pub(crate) use pending::entries as queued;
pub(super) use send::tell_of_child;
pub(crate) use send::{kill, kill_all, kill_group, send, send_to_self, send_to_thread};
pub(crate) use set::{SIGNALS, SignalSet};
pub(crate) use state::{Signals, Sleep, Trap, Unfinished};

use super::wait::Status;
use crate::arch::percpu::{self, Attention};

impl Signals {
    /// The action for `signal`, a number from 1 to [`SIGNALS`].
    pub(crate) fn action(&self, signal: u32) -> Action {
        self.look(|state| *state.actions.of(signal))
    }

    /// Sets the action for `signal` and drops it where it is now ignored.
    pub(crate) fn set_action(&self, signal: u32, action: Action) {
        let ignored = self.change(|state| {
            *state.actions.of_mut(signal) = action;
            action.ignores(signal).then(|| state.discard(signal))
        });
        drop(ignored);
    }

    /// The process has ended: nothing waits for it any more.
    pub(super) fn give_up(&self) {
        let waiting = self.change(state::State::discard_all);
        drop(waiting);
    }

    /// The signals that wait instead of acting.
    pub(crate) fn blocked(&self) -> SignalSet {
        self.look(|state| state.thread.blocked)
    }

    /// Blocks exactly `mask`, without those that can't be blocked.
    pub(crate) fn set_blocked(&self, mask: SignalSet) {
        self.change(|state| state.thread.blocked = mask & !SignalSet::UNBLOCKABLE);
        self.call_attention();
    }

    /// Blocks `mask` alone until a handler has started, or until [`Signals::take_mask_back`].
    pub(crate) fn lend_mask(&self, mask: SignalSet) {
        self.change(|state| {
            let thread = &mut state.thread;
            thread.to_restore = Some(thread.blocked);
            thread.blocked = mask & !SignalSet::UNBLOCKABLE;
        });
        self.call_attention();
    }

    /// Blocks again what was blocked before [`Signals::lend_mask`].
    pub(crate) fn take_mask_back(&self) {
        self.change(|state| {
            let thread = &mut state.thread;
            if let Some(mask) = thread.to_restore.take() {
                thread.blocked = mask;
            }
        });
        self.call_attention();
    }

    /// All signals that wait.
    pub(crate) fn waiting(&self) -> SignalSet {
        self.look(state::State::pending)
    }

    /// Takes the first of `wanted` that waits.
    pub(crate) fn take(&self, wanted: SignalSet) -> Option<Info> {
        self.change(|state| state.take(wanted))
    }

    /// The signals that wait because they are blocked.
    pub(crate) fn held_back(&self) -> SignalSet {
        self.look(|state| state.pending() & state.thread.blocked)
    }

    /// The alternate stack, as a caller with this stack pointer sees it.
    pub(crate) fn alternate_stack(&self, pointer: u64) -> Stack {
        self.look(|state| state.thread.stack.as_told(pointer))
    }

    /// Sets the alternate stack for a caller with this stack pointer.
    pub(crate) fn set_alternate_stack(&self, stack: Stack, pointer: u64) -> Result<(), Errno> {
        self.change(|state| state.thread.stack.set(stack, pointer))
    }

    /// Has `restart_syscall` go on with this wait.
    pub(crate) fn remember(&self, unfinished: Unfinished) {
        self.change(|state| state.thread.unfinished = Some(unfinished));
    }

    /// The wait that was interrupted last, if no handler has run since.
    pub(crate) fn take_unfinished(&self) -> Option<Unfinished> {
        self.change(|state| state.thread.unfinished.take())
    }

    /// Whether children end without a trace because nobody wants to know.
    pub(super) fn ignores_children(&self) -> bool {
        let action = self.action(SIGCHLD);
        action.handler == action::IGNORE || action.has(SA_NOCLDWAIT)
    }

    /// Whether the parent is to be told when children stop and go on.
    pub(super) fn wants_to_know_of_stops(&self) -> bool {
        !self.action(SIGCHLD).has(SA_NOCLDSTOP)
    }

    /// Whether the process is to stand still.
    pub(crate) fn is_stopped(&self) -> bool {
        self.look(|state| state.stopped)
    }

    /// Whether the process has nothing left to do but end.
    pub(crate) fn is_dying(&self) -> bool {
        self.has_news() && self.look(|state| state.is_dying())
    }

    /// Decides how the process ends, unless that is decided.
    pub(crate) fn end(&self, status: Status) {
        self.change(|state| state.end(status));
        self.call_attention();
    }

    /// How the process ends, if that is decided.
    pub(super) fn ended(&self) -> Option<Status> {
        self.look(|state| state.end)
    }

    /// `execve`: handlers and the alternate stack are gone with the program that they belonged to.
    pub(super) fn exec(&self) {
        self.change(state::State::exec);
    }

    /// Has this CPU look at signals before it returns to ring 3, if there is something to see.
    fn call_attention(&self) {
        if self.has_news() {
            percpu::raise(Attention::SIGNAL);
        }
    }
}

/// Whether a signal wants the running call to give its wait up. The call then answers one of the `ERESTART` numbers, or
/// with what it has done so far.
pub(crate) fn interrupted() -> bool {
    percpu::with_current(|thread| thread.process.signals.has_news())
}

/// Whether the running process has nothing left to do but end: for waits that nothing else may cut short.
pub(crate) fn is_dying() -> bool {
    percpu::with_current(|thread| thread.process.signals.is_dying())
}
