//! What a process wants done with each signal: see sigaction(2).
use alloc::boxed::Box;

use abi::general::{
    SA_EXPOSE_TAGBITS, SA_NOCLDSTOP, SA_NOCLDWAIT, SA_NODEFER, SA_ONSTACK, SA_RESETHAND,
    SA_RESTART, SA_RESTORER, SA_SIGINFO,
};
use mm::OutOfMemory;

use super::set::{SIGNALS, SignalSet};

/// `SIG_DFL` and `SIG_IGN`.
pub(super) const DEFAULT: u64 = 0;
pub(super) const IGNORE: u64 = 1;

/// The flags that are known; others are forgotten, by which programs can find that out.
const KNOWN: u32 = SA_NOCLDSTOP
    | SA_NOCLDWAIT
    | SA_SIGINFO
    | SA_ONSTACK
    | SA_RESTART
    | SA_NODEFER
    | SA_RESETHAND
    | SA_EXPOSE_TAGBITS
    | SA_RESTORER;

/// What `rt_sigaction` sets for one signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Action {
    pub(super) handler: u64,
    flags: u64,
    pub(super) restorer: u64,
    pub(super) mask: SignalSet,
}

/// An action for each signal. They are 2 KiB, kept apart from the process: it is moved about on stacks of 16.
pub(super) struct Actions(Box<[Action; SIGNALS as usize]>);

impl Action {
    pub(super) const DEFAULT: Self = Self {
        handler: DEFAULT,
        flags: 0,
        restorer: 0,
        mask: SignalSet::EMPTY,
    };

    /// From the words of the kernel's `struct sigaction`.
    pub(crate) fn from_words([handler, flags, restorer, mask]: [u64; 4]) -> Self {
        Self {
            handler,
            flags: flags & u64::from(KNOWN),
            restorer,
            mask: SignalSet(mask) & !SignalSet::UNBLOCKABLE,
        }
    }

    /// The words of the kernel's `struct sigaction`.
    pub(crate) fn to_words(self) -> [u64; 4] {
        [self.handler, self.flags, self.restorer, self.mask.0]
    }

    /// Whether `flag`, one of `SA_*`, is set.
    pub(super) fn has(&self, flag: u32) -> bool {
        self.flags & u64::from(flag) != 0
    }

    /// Whether `signal` does nothing by this action.
    pub(super) fn ignores(&self, signal: u32) -> bool {
        self.handler == IGNORE || self.handler == DEFAULT && SignalSet::HARMLESS.contains(signal)
    }

    /// Whether a function of the program's is called.
    pub(super) fn is_handler(&self) -> bool {
        !matches!(self.handler, DEFAULT | IGNORE)
    }
}

impl Actions {
    /// The default for each signal.
    pub(super) fn try_new() -> Result<Self, OutOfMemory> {
        let actions = Box::try_new([Action::DEFAULT; SIGNALS as usize]);
        actions.map(Self).map_err(|_| OutOfMemory)
    }

    /// Becomes the same as `others`.
    pub(super) fn copy(&mut self, others: &Self) {
        *self.0 = *others.0;
    }

    /// The action for `signal`, a number from 1 to [`SIGNALS`].
    pub(super) fn of(&self, signal: u32) -> &Action {
        &self.0[signal as usize - 1]
    }

    pub(super) fn of_mut(&mut self, signal: u32) -> &mut Action {
        &mut self.0[signal as usize - 1]
    }

    /// `execve`: handlers are gone with the program that they belonged to; what is ignored stays ignored.
    pub(super) fn forget_handlers(&mut self) {
        for action in self.0.iter_mut() {
            let handler = if action.handler == IGNORE {
                IGNORE
            } else {
                DEFAULT
            };
            *action = Action {
                handler,
                ..Action::DEFAULT
            };
        }
    }
}
