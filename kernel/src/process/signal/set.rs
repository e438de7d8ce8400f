//! Sets of signals, and the sets that Linux's rules are about.
use core::ops::{BitAnd, BitOr, Not};

use abi::general::{
    SIGABRT, SIGBUS, SIGCHLD, SIGCONT, SIGFPE, SIGILL, SIGKILL, SIGQUIT, SIGSEGV, SIGSTOP, SIGSYS,
    SIGTRAP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH, SIGXCPU, SIGXFSZ,
};

/// Signals are numbered from 1 to this.
pub(crate) const SIGNALS: u32 = 64;

/// The first of the signals that queue up; those below are there once or not at all.
pub(super) const FIRST_REAL_TIME: u32 = 32;

/// Signals; bit n - 1 stands for signal n, as in Linux's `sigset_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct SignalSet(pub(crate) u64);

impl SignalSet {
    pub(crate) const EMPTY: Self = Self(0);
    /// Those that can be neither blocked nor caught nor ignored.
    pub(crate) const UNBLOCKABLE: Self = Self::of(&[SIGKILL, SIGSTOP]);
    /// Those whose default is to do nothing.
    pub(super) const HARMLESS: Self = Self::of(&[SIGCHLD, SIGURG, SIGWINCH, SIGCONT]);
    /// Those whose default is to stop the process.
    pub(super) const STOPPING: Self = Self::of(&[SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU]);
    /// Those that say something about an instruction, and therefore come before others.
    pub(super) const SYNCHRONOUS: Self =
        Self::of(&[SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS]);
    /// Those whose default leaves a core file where there is room for one: the end comes when they are delivered.
    pub(super) const WITH_CORE: Self = Self::of(&[
        SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGSEGV, SIGBUS, SIGSYS, SIGXCPU, SIGXFSZ,
    ]);

    /// The signals with these numbers.
    pub(crate) const fn of(signals: &[u32]) -> Self {
        let mut set = 0;
        let mut index = 0;
        while index < signals.len() {
            set |= 1 << (signals[index] - 1);
            index += 1;
        }
        Self(set)
    }

    pub(crate) const fn one(signal: u32) -> Self {
        Self(1 << (signal - 1))
    }

    pub(crate) fn contains(self, signal: u32) -> bool {
        self.0 & Self::one(signal).0 != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn insert(&mut self, signal: u32) {
        self.0 |= Self::one(signal).0;
    }

    pub(crate) fn remove(&mut self, signal: u32) {
        self.0 &= !Self::one(signal).0;
    }

    /// The signals in it, from the lowest number up.
    pub(super) fn numbers(self) -> impl Iterator<Item = u32> {
        (1..=SIGNALS).filter(move |&signal| self.contains(signal))
    }

    /// The one to deliver first: lowest number first, but for those that an instruction caused.
    pub(super) fn first(self) -> Option<u32> {
        let urgent = self & Self::SYNCHRONOUS;
        let set = if urgent.is_empty() { self } else { urgent };
        (!set.is_empty()).then(|| set.0.trailing_zeros() + 1)
    }
}

impl BitAnd for SignalSet {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOr for SignalSet {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Not for SignalSet {
    type Output = Self;
    fn not(self) -> Self {
        Self(!self.0)
    }
}
