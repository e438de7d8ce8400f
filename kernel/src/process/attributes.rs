//! What a process says of itself by prctl(2), beside its name, and by personality(2), and what it may do. Nobody here acts
//! on most of what is said: there are no core files, no large pages and no timers that may be late; it is remembered and
//! inherited.
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use abi::general::{CAP_PERFMON, CAP_SYS_ADMIN, CAP_SYS_PTRACE};

use super::capabilities::{Gain, Looking, Rights};
use super::layout::Chance;
use crate::lock::{IrqLock, Rank};

/// How late timers may be, in nanoseconds, unless a process says otherwise.
const USUAL_SLACK: u64 = 50_000;

/// Said by a process, or by one that it comes of.
pub(crate) struct Attributes {
    /// Its memory may be written to a core file.
    pub(crate) dumpable: AtomicBool,
    /// `execve` gives it no more rights than it has.
    pub(crate) no_new_privileges: AtomicBool,
    /// It wants no large pages.
    pub(crate) no_huge_pages: AtomicBool,
    /// How late its timers may be, in nanoseconds.
    pub(crate) timer_slack: AtomicU64,
    /// Its programs lie where nothing is left to chance: ADDR_NO_RANDOMIZE of personality(2).
    pub(crate) fixed_places: AtomicBool,
    /// To which `timer_slack` returns: what the parent had.
    usual_slack: u64,
    /// Its capabilities.
    rights: IrqLock<Rights>,
}

impl Attributes {
    pub(super) fn new() -> Self {
        Self {
            dumpable: AtomicBool::new(true),
            no_new_privileges: AtomicBool::new(false),
            no_huge_pages: AtomicBool::new(false),
            timer_slack: AtomicU64::new(USUAL_SLACK),
            fixed_places: AtomicBool::new(false),
            usual_slack: USUAL_SLACK,
            rights: IrqLock::new(Rank::Process, Rights::of_init()),
        }
    }

    /// A child's.
    pub(super) fn fork(&self) -> Self {
        let copy = |flag: &AtomicBool| AtomicBool::new(flag.load(Relaxed));
        let slack = self.timer_slack.load(Relaxed);
        Self {
            dumpable: copy(&self.dumpable),
            no_new_privileges: copy(&self.no_new_privileges),
            no_huge_pages: copy(&self.no_huge_pages),
            timer_slack: AtomicU64::new(slack),
            fixed_places: copy(&self.fixed_places),
            usual_slack: slack,
            rights: IrqLock::new(Rank::Process, self.rights()),
        }
    }

    /// `execve`: the memory is another program's, and nobody else's to look into if it may do more than the last one.
    pub(super) fn exec(&self) {
        let (before, after) = (self.rights(), self.rights_after_exec());
        let gains_nothing = after.permitted.is_within(before.permitted);
        self.dumpable.store(gains_nothing, Relaxed);
        *self.rights.lock() = after;
    }

    /// Whether somebody else may look into its memory, as a debugger would: nobody who may do less than it.
    pub(super) fn may_be_seen_by(&self, other: &Self, by: Looking) -> bool {
        let theirs = other.rights();
        let counted = match by {
            Looking::Call => theirs.permitted,
            Looking::Memory | Looking::Text => theirs.effective,
        };
        let may = |capability| theirs.effective.has(capability);
        let measures = may(CAP_PERFMON) || may(CAP_SYS_ADMIN);
        may(CAP_SYS_PTRACE)
            || measures && by == Looking::Text
            || self.dumpable.load(Relaxed) && self.rights().permitted.is_within(counted)
    }

    /// Its capabilities.
    pub(crate) fn rights(&self) -> Rights {
        *self.rights.lock()
    }

    /// Those of its next program.
    pub(super) fn rights_after_exec(&self) -> Rights {
        let gain = if self.no_new_privileges.load(Relaxed) {
            Gain::Refused
        } else {
            Gain::Allowed
        };
        self.rights().after_exec(gain)
    }

    /// Changes its capabilities, or nothing at all.
    pub(super) fn change_rights<E>(
        &self,
        change: impl FnOnce(&mut Rights) -> Result<(), E>,
    ) -> Result<(), E> {
        change(&mut self.rights.lock())
    }

    /// What the places of its next program are left to.
    pub(super) fn chance(&self) -> Chance {
        if self.fixed_places.load(Relaxed) {
            Chance::None
        } else {
            Chance::Usual
        }
    }

    /// Timers may be late by so many nanoseconds; 0 stands for as many as at first.
    pub(crate) fn set_timer_slack(&self, slack: u64) {
        let slack = if slack == 0 { self.usual_slack } else { slack };
        self.timer_slack.store(slack, Relaxed);
    }
}
