//! Event counters under the names that Linux's `/proc/vmstat` gives them, and one for each path of a fault.
use crate::fault::Path;
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// An event that is counted.
#[expect(
    non_camel_case_types,
    missing_docs,
    reason = "the names are Linux's, see proc(5)"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    pgalloc_normal,
    pgfree,
    /// Pages that MADV_FREE gave up.
    pglazyfree,
    pgfault,
    pgmajfault,
    /// ... of which so many were lost.
    pglazyfreed,
    /// Single frames that could not be had.
    allocstall_normal,
    oom_kill,
}

const COUNTERS: usize = Counter::oom_kill as usize + 1;

impl Counter {
    /// Every counter, in Linux's order.
    pub const ALL: [Self; COUNTERS] = [
        Self::pgalloc_normal,
        Self::allocstall_normal,
        Self::pgfree,
        Self::pglazyfree,
        Self::pgfault,
        Self::pgmajfault,
        Self::pglazyfreed,
        Self::oom_kill,
    ];
}

/// The counters of a world.
#[derive(Debug, Default)]
pub struct Stats {
    events: [AtomicU64; COUNTERS],
    paths: [AtomicU64; Path::ALL.len()],
}

impl Stats {
    pub(crate) const fn new() -> Self {
        Self {
            events: [const { AtomicU64::new(0) }; COUNTERS],
            paths: [const { AtomicU64::new(0) }; Path::ALL.len()],
        }
    }

    /// Notes that `counter`'s event happened `count` times.
    pub fn add(&self, counter: Counter, count: u64) {
        self.events[counter as usize].fetch_add(count, Relaxed);
    }

    pub(crate) fn took(&self, path: Path) {
        self.paths[path as usize].fetch_add(1, Relaxed);
    }

    /// How often `counter`'s event has happened.
    pub fn get(&self, counter: Counter) -> u64 {
        self.events[counter as usize].load(Relaxed)
    }

    /// How many faults took `path`.
    pub fn path(&self, path: Path) -> u64 {
        self.paths[path as usize].load(Relaxed)
    }
}
