//! What a process says of itself by prctl(2), beside its name, and by personality(2). Nobody here acts on most of it: there
//! are no core files, no programs that gain rights, no large pages and no timers that may be late; what is said is
//! remembered and inherited.
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::layout::Chance;

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
        }
    }

    /// `execve`: the memory is another program's.
    pub(super) fn exec(&self) {
        self.dumpable.store(true, Relaxed);
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
