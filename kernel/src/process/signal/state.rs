//! The signal state of a process and of its thread, and the rules by which signals come to wait and are taken out again.
//!
//! ```text
//! send    post --> ignored? gone   fatal? the end is decided   else: shared or the thread's pending
//! force   the thread's own fault: kept aside, so that it needs no memory, and taken first
//! next    end?  forced, thread's, shared: first unblocked --> ignore, stop, end, or a handler to run
//! ```
//! All of it changes under one lock. Processes have one thread so far; what is a thread's own stands apart already.
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use abi::general::{SA_NODEFER, SA_RESETHAND, SIGCONT};
use mm::OutOfMemory;

use super::action::{Action, Actions, DEFAULT, IGNORE};
use super::info::Info;
use super::pending::{Full, Lane, Pending, Room};
use super::set::{SIGNALS, SignalSet};
use super::stack::AlternateStack;
use crate::lock::{IrqLock, Rank};
use crate::process::futex;
use crate::process::wait::Status;

/// The signal state of a process.
pub(crate) struct Signals {
    state: IrqLock<State>,
    /// Whether there is something to deliver: asked on hot paths, kept by whoever changes the state.
    news: AtomicBool,
}

pub(super) struct State {
    pub(super) actions: Actions,
    /// What waits for the process as a whole.
    shared: Pending,
    pub(super) thread: ThreadState,
    pub(super) end: Option<Status>,
    /// Stands still until SIGCONT or SIGKILL.
    pub(super) stopped: bool,
    /// Init: what it has no handler for does nothing to it.
    is_immune: bool,
}

/// What belongs to a thread.
pub(super) struct ThreadState {
    pending: Pending,
    /// What the thread's own last instruction brought upon it.
    forced: Option<Info>,
    pub(super) blocked: SignalSet,
    /// Blocked but for a `rt_sigtimedwait` that waits for them: not to be acted upon.
    pub(super) awaited: SignalSet,
    /// What to block again after `rt_sigsuspend`.
    pub(super) to_restore: Option<SignalSet>,
    pub(super) stack: AlternateStack,
    pub(super) trap: Trap,
    /// What `restart_syscall` goes on with.
    pub(super) unfinished: Option<Unfinished>,
}

/// The last exception of a thread, as handlers see it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Trap {
    pub(crate) number: u64,
    pub(crate) error: u64,
    /// CR2, if it was a page fault.
    pub(crate) address: Option<u64>,
}

/// A wait that was interrupted, and that the same call would begin anew.
#[derive(Clone, Copy)]
pub(crate) enum Unfinished {
    Sleep(Sleep),
    Futex(futex::Wait),
}

/// A sleep that was interrupted.
#[derive(Clone, Copy)]
pub(crate) struct Sleep {
    /// Its end, in nanoseconds since boot.
    pub(crate) deadline: u64,
    /// Where the program wants the time that was left.
    pub(crate) rest: u64,
}

/// Whose signal it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Process,
    Thread,
}

/// What a thread has to do about its signals.
pub(super) enum Next {
    Nothing,
    End,
    /// Stand still, as this signal says.
    Stop(u32),
    Handle(Delivery),
}

/// A handler to be run, and what its frame has to remember.
pub(super) struct Delivery {
    pub(super) info: Info,
    pub(super) action: Action,
    pub(super) mask: SignalSet,
    pub(super) stack: AlternateStack,
    pub(super) trap: Trap,
}

impl ThreadState {
    const fn new(blocked: SignalSet, stack: AlternateStack, trap: Trap) -> Self {
        Self {
            pending: Pending::new(),
            forced: None,
            blocked,
            awaited: SignalSet::EMPTY,
            to_restore: None,
            stack,
            trap,
            unfinished: None,
        }
    }

    /// Remembers an exception for the frames of handlers; the address of a page fault stays until the next one.
    pub(super) fn note_trap(&mut self, trap: Option<Trap>) {
        let Some(trap) = trap else { return };
        let address = trap.address.or(self.trap.address);
        self.trap = Trap { address, ..trap };
    }
}

impl Signals {
    /// All default, nothing pending: init.
    pub(crate) fn of_init() -> Result<Self, OutOfMemory> {
        let thread = ThreadState::new(SignalSet::EMPTY, AlternateStack::default(), Trap::default());
        Ok(Self::with(State {
            is_immune: true,
            ..State::new(Actions::try_new()?, thread)
        }))
    }

    /// What a child of `fork` starts with: the same actions, mask and alternate stack, nothing pending.
    pub(in crate::process) fn fork(&self) -> Result<Self, OutOfMemory> {
        let mut actions = Actions::try_new()?;
        let state = self.state.lock();
        actions.copy(&state.actions);
        let parent = &state.thread;
        let thread = ThreadState::new(parent.blocked, parent.stack, parent.trap);
        Ok(Self::with(State::new(actions, thread)))
    }

    fn with(state: State) -> Self {
        Self {
            state: IrqLock::new(Rank::Process, state),
            news: AtomicBool::new(false),
        }
    }

    /// Looks at the state.
    pub(super) fn look<R>(&self, body: impl FnOnce(&State) -> R) -> R {
        body(&self.state.lock())
    }

    /// Changes the state, and finds out whether there is something to deliver now.
    pub(super) fn change<R>(&self, body: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state.lock();
        let result = body(&mut state);
        self.news.store(state.has_news(), Relaxed);
        result
    }

    /// The sets that proc(5) shows: what waits for the thread and for the process, what is blocked, ignored, and handled.
    pub(crate) fn sets(&self) -> [SignalSet; 5] {
        let state = self.state.lock();
        let mut ignored = SignalSet::EMPTY;
        let mut handled = SignalSet::EMPTY;
        for signal in 1..=SIGNALS {
            match state.actions.of(signal).handler {
                DEFAULT => {}
                IGNORE => ignored.insert(signal),
                _ => handled.insert(signal),
            }
        }
        let thread = &state.thread;
        let pending = [thread.pending.set(), state.shared.set()];
        [pending[0], pending[1], thread.blocked, ignored, handled]
    }

    /// Whether there is something to deliver.
    pub(crate) fn has_news(&self) -> bool {
        self.news.load(Relaxed)
    }
}

impl State {
    /// Nothing waits, nothing is decided.
    fn new(actions: Actions, thread: ThreadState) -> Self {
        Self {
            actions,
            shared: Pending::new(),
            thread,
            end: None,
            stopped: false,
            is_immune: false,
        }
    }

    fn has_news(&self) -> bool {
        let waiting = self.pending() & !self.thread.blocked;
        self.end.is_some() || self.thread.forced.is_some() || !waiting.is_empty()
    }

    /// All that waits for the thread.
    pub(super) fn pending(&self) -> SignalSet {
        self.shared.set() | self.thread.pending.set()
    }

    /// Whether the process has nothing left to do but end.
    pub(super) fn is_dying(&self) -> bool {
        let waiting = self.pending() & !self.thread.blocked & SignalSet::WITH_CORE;
        self.end.is_some() || waiting.numbers().any(|signal| self.is_fatal(signal))
    }

    /// Whether `signal` ends the process.
    fn is_fatal(&self, signal: u32) -> bool {
        let spares = SignalSet::HARMLESS | SignalSet::STOPPING;
        self.actions.of(signal).handler == DEFAULT && !spares.contains(signal) && !self.is_immune
    }

    /// Whether `signal` has no effect now and won't have one later.
    fn is_ignored(&self, signal: u32) -> bool {
        if (self.thread.blocked | self.thread.awaited).contains(signal) {
            return false;
        }
        let action = self.actions.of(signal);
        action.ignores(signal) || self.is_immune && !action.is_handler()
    }

    /// Makes a signal wait, unless it is to be ignored. True where it ends a standstill.
    pub(super) fn post(&mut self, info: Info, target: Target, room: Room) -> Result<bool, Full> {
        let signal = info.signal();
        if self.end.is_some() {
            return Ok(false);
        }
        if SignalSet::STOPPING.contains(signal) {
            self.discard(SIGCONT);
        }
        if signal == SIGCONT {
            SignalSet::STOPPING
                .numbers()
                .for_each(|signal| drop(self.discard(signal)));
        }
        if !self.is_ignored(signal) {
            match target {
                Target::Process => &mut self.shared,
                Target::Thread => &mut self.thread.pending,
            }
            .push(info, room)?;
            self.decide_end(signal);
        }
        let goes_on = signal == SIGCONT || self.end.is_some();
        Ok(goes_on && core::mem::replace(&mut self.stopped, false))
    }

    /// A signal that ends the process and leaves no core decides so at once, whatever the process is at.
    fn decide_end(&mut self, signal: u32) {
        let is_held = (self.thread.blocked | self.thread.awaited).contains(signal);
        if self.is_fatal(signal) && !is_held && !SignalSet::WITH_CORE.contains(signal) {
            self.end = Some(Status::killed(signal));
        }
    }

    /// Makes a signal wait that the thread brought upon itself: it can't be held back. True where the process ends by it.
    pub(super) fn force(&mut self, info: Info) -> bool {
        let signal = info.signal();
        let is_blocked = self.thread.blocked.contains(signal);
        let action = self.actions.of_mut(signal);
        if is_blocked || action.handler == IGNORE {
            action.handler = DEFAULT;
            self.thread.blocked.remove(signal);
        }
        let ends = action.handler == DEFAULT;
        self.is_immune &= !ends;
        self.thread.forced = Some(info);
        ends
    }

    /// Forgets all of `signal`. Of a real-time signal there may be many: the caller lets go of them without the lock.
    pub(super) fn discard(&mut self, signal: u32) -> [Option<Lane>; 2] {
        let pending = [&mut self.shared, &mut self.thread.pending];
        pending.map(|pending| pending.discard(signal))
    }

    /// Forgets all that waits, in the same way.
    pub(super) fn discard_all(&mut self) -> [Pending; 2] {
        let pending = [&mut self.shared, &mut self.thread.pending];
        pending.map(core::mem::take)
    }

    /// Takes the first of `wanted` that waits.
    pub(super) fn take(&mut self, wanted: SignalSet) -> Option<Info> {
        let own = self.thread.pending.take(wanted);
        own.or_else(|| self.shared.take(wanted))
    }

    /// Takes what is to be acted upon next, and says how.
    pub(super) fn next(&mut self) -> Next {
        while self.end.is_none() {
            let forced = self.thread.forced.take();
            let Some(info) = forced.or_else(|| self.take(!self.thread.blocked)) else {
                return Next::Nothing;
            };
            let signal = info.signal();
            let action = *self.actions.of(signal);
            if action.is_handler() {
                return Next::Handle(self.delivery(info, action));
            }
            if action.ignores(signal) || self.is_immune {
                continue;
            }
            if SignalSet::STOPPING.contains(signal) {
                self.stopped = true;
                return Next::Stop(signal);
            }
            self.end = Some(Status::killed(signal));
        }
        Next::End
    }

    fn delivery(&mut self, info: Info, action: Action) -> Delivery {
        if action.has(SA_RESETHAND) {
            self.actions.of_mut(info.signal()).handler = DEFAULT;
        }
        Delivery {
            info,
            action,
            mask: self.thread.to_restore.unwrap_or(self.thread.blocked),
            stack: self.thread.stack,
            trap: self.thread.trap,
        }
    }

    /// The handler's frame is made: what it wants blocked is blocked.
    pub(super) fn entered(&mut self, delivery: &Delivery) {
        let thread = &mut self.thread;
        thread.blocked = thread.blocked | delivery.action.mask;
        if !delivery.action.has(SA_NODEFER) {
            thread.blocked.insert(delivery.info.signal());
        }
        thread.to_restore = None;
        thread.stack.disarm();
    }

    /// From here on `signal` takes its default action.
    pub(super) fn give_up_handler(&mut self, signal: u32) {
        self.actions.of_mut(signal).handler = DEFAULT;
    }

    /// `execve`: handlers and the alternate stack are gone with the program that they belonged to.
    pub(super) fn exec(&mut self) {
        self.actions.forget_handlers();
        self.thread.stack.forget();
        self.thread.unfinished = None;
    }

    /// Decides how the process ends, unless that is decided.
    pub(super) fn end(&mut self, status: Status) {
        self.end.get_or_insert(status);
        self.stopped = false;
    }
}
