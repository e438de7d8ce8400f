//! A bound on the lines of log that programs can cause, Linux's: ten in five seconds, and a word on what was left out.
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

const NANOSECONDS: u64 = 5_000_000_000;
const BURST: u32 = 10;

/// One kind of line. Callers race at worst for a line more or less.
pub(crate) struct RateLimit {
    /// When the interval began.
    begun: AtomicU64,
    /// Lines in it, those left out as well.
    asked: AtomicU32,
}

impl RateLimit {
    pub(crate) const fn new() -> Self {
        Self {
            begun: AtomicU64::new(0),
            asked: AtomicU32::new(0),
        }
    }

    /// Whether a line may be written at `now`, in nanoseconds; with the number of those left out before it.
    pub(crate) fn admit(&self, now: u64) -> Option<u32> {
        let mut left_out = 0;
        if now.saturating_sub(self.begun.load(Relaxed)) >= NANOSECONDS {
            self.begun.store(now, Relaxed);
            left_out = self.asked.swap(0, Relaxed).saturating_sub(BURST);
        }
        let asked = self.asked.load(Relaxed).saturating_add(1);
        self.asked.store(asked, Relaxed);
        (asked <= BURST).then_some(left_out)
    }
}
