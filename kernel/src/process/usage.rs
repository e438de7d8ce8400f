//! What a process used: time in both rings, faults, memory at its fullest. See getrusage(2).
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::load::Ran;
use crate::arch::timer;
use crate::trace::Why;

/// Counters of one process, and the sums over its children that were waited for.
pub(crate) struct Usage {
    pub(crate) own: Counters,
    pub(crate) children: Counters,
    /// When the process was made, in nanoseconds since boot.
    start: u64,
    /// The fault that had to wait for a device comes again when the page is there: that is still the same one.
    comes_again: AtomicBool,
}

/// One set of counters.
#[derive(Default)]
pub(crate) struct Counters {
    user_ticks: AtomicU64,
    system_ticks: AtomicU64,
    minor_faults: AtomicU64,
    major_faults: AtomicU64,
    /// In pages.
    peak: AtomicU64,
    /// How often it gave the processor up: because it waited, and because others were to run.
    waits: AtomicU64,
    preemptions: AtomicU64,
}

impl Usage {
    /// Of a process that is made now.
    pub(super) fn new() -> Self {
        Self {
            own: Counters::default(),
            children: Counters::default(),
            start: timer::nanoseconds(),
            comes_again: AtomicBool::new(false),
        }
    }

    /// When the process was made, in nanoseconds since boot.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// A timer tick came while the process ran.
    pub(super) fn tick(&self, ran: Ran) {
        let ticks = match ran {
            Ran::User => &self.own.user_ticks,
            Ran::Kernel => &self.own.system_ticks,
            Ran::Nobody => return,
        };
        ticks.fetch_add(1, Relaxed);
    }

    /// The processor went from the process to another, or to nobody. As on Linux who yields did not want to wait.
    pub(super) fn left(&self, why: Why) {
        let count = match why {
            Why::Yielded | Why::Preempted => &self.own.preemptions,
            Why::Blocked | Why::Exited | Why::Idle => &self.own.waits,
        };
        count.fetch_add(1, Relaxed);
    }

    /// A fault was served from memory.
    pub(crate) fn minor_fault(&self) {
        if !self.comes_again.swap(false, Relaxed) {
            self.own.minor_faults.fetch_add(1, Relaxed);
        }
    }

    /// A fault had to wait for a device.
    pub(crate) fn major_fault(&self) {
        self.own.major_faults.fetch_add(1, Relaxed);
        self.comes_again.store(true, Relaxed);
    }

    /// Notes how many pages are in memory now.
    pub(crate) fn note_resident(&self, pages: u64) {
        self.own.peak.fetch_max(pages, Relaxed);
    }

    /// What the process and the children that it waited for used together.
    pub(crate) fn total(&self) -> Counters {
        let total = Counters::default();
        total.add(&self.own);
        total.add(&self.children);
        total
    }

    /// Adds all that a child used, itself and through its own children.
    pub(crate) fn add_child(&self, child: &Self) {
        self.children.add(&child.own);
        self.children.add(&child.children);
    }
}

impl Counters {
    fn add(&self, other: &Self) {
        self.user_ticks
            .fetch_add(other.user_ticks.load(Relaxed), Relaxed);
        self.system_ticks
            .fetch_add(other.system_ticks.load(Relaxed), Relaxed);
        self.minor_faults
            .fetch_add(other.minor_faults.load(Relaxed), Relaxed);
        self.major_faults
            .fetch_add(other.major_faults.load(Relaxed), Relaxed);
        self.waits.fetch_add(other.waits.load(Relaxed), Relaxed);
        self.preemptions
            .fetch_add(other.preemptions.load(Relaxed), Relaxed);
        self.peak.fetch_max(other.peak.load(Relaxed), Relaxed);
    }

    /// Faults served from memory, and those that had to wait for a device.
    pub(crate) fn faults(&self) -> [u64; 2] {
        [&self.minor_faults, &self.major_faults].map(|count| count.load(Relaxed))
    }

    /// Context switches: because it waited, and because others were to run.
    pub(crate) fn switches(&self) -> [u64; 2] {
        [&self.waits, &self.preemptions].map(|count| count.load(Relaxed))
    }

    /// Time in rings 3 and 0, in nanoseconds.
    pub(crate) fn times(&self) -> (u64, u64) {
        let nanoseconds = |ticks: &AtomicU64| ticks.load(Relaxed) * timer::tick_nanoseconds();
        (
            nanoseconds(&self.user_ticks),
            nanoseconds(&self.system_ticks),
        )
    }

    /// The counters as the words of Linux's `struct rusage`; what is not counted is 0, as there.
    pub(crate) fn to_words(&self) -> [u64; 18] {
        let (user, system) = self.times();
        let ([user_seconds, user_micros], [system_seconds, system_micros]) =
            (timeval(user), timeval(system));
        let mut words = [0; 18];
        words[..5].copy_from_slice(&[
            user_seconds,
            user_micros,
            system_seconds,
            system_micros,
            self.peak.load(Relaxed) * mm::PAGE_SIZE / 1024,
        ]);
        words[8] = self.minor_faults.load(Relaxed);
        words[9] = self.major_faults.load(Relaxed);
        words[16..].copy_from_slice(&self.switches());
        words
    }
}

/// Nanoseconds as the words of `struct timeval`: seconds and microseconds.
pub(crate) fn timeval(nanoseconds: u64) -> [u64; 2] {
    [
        nanoseconds / 1_000_000_000,
        nanoseconds % 1_000_000_000 / 1000,
    ]
}
