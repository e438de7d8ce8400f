//! Writes that failed, each of which every open file is told of once: Linux's `errseq_t`.
//!
//! One word: how many failures there were, and whether anybody was told of the last. Failures of which nobody knows yet are
//! one, and the first who opens the file after them learns of it, because nobody else may be left who could.
use super::CachedFile;
use crate::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::SeqCst};

/// Somebody was told of the last failure. The number of failures stands above it.
const TOLD: u64 = 1 << 0;
const ONE: u64 = 1 << 1;

/// The failures of a file.
#[derive(Debug)]
pub(super) struct Failures(AtomicU64);

/// What an open file knows of the failures before it was opened, or was asked last. The default knows of none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen(u64);

impl Failures {
    pub(super) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// A write failed.
    pub(super) fn note(&self) {
        let one_more = |now: u64| (now == 0 || now & TOLD != 0).then(|| (now & !TOLD) + ONE);
        // Where nobody was told of the last one yet, this is the same.
        let _ = self.0.fetch_update(SeqCst, Acquire, one_more);
    }
}

impl CachedFile {
    /// What a file that is opened now need not be told: all that somebody was told of.
    pub fn failures_seen(&self) -> Seen {
        let now = self.failures.0.load(Acquire);
        Seen(if now & TOLD == 0 { 0 } else { now })
    }

    /// Whether a write has failed since `seen`, which knows of it from now on: EIO, once. fsync(2), msync(2) and their like
    /// ask, once nothing that they wait for is on its way any more.
    pub fn has_failed_since(&self, seen: &mut Seen) -> bool {
        let now = self.failures.0.load(SeqCst);
        if now == seen.0 {
            return false;
        }
        // Where that fails another has said so: of a failure that nobody was told of nothing else can become.
        let _ = self
            .failures
            .0
            .compare_exchange(now, now | TOLD, SeqCst, Acquire);
        *seen = Seen(now | TOLD);
        true
    }
}
