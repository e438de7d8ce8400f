//! Signals that wait: which ones, and in order of arrival what is known of each.
//!
//! Standard signals are there once; real-time signals queue up. What ring 3 may have wait altogether is bounded by its
//! RLIMIT_SIGPENDING, and a signal for which there is no room is still known to wait, without its `Info`.
use alloc::collections::VecDeque;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::info::Info;
use super::set::{FIRST_REAL_TIME, SignalSet};

/// Entries in all queues.
static ENTRIES: AtomicU64 = AtomicU64::new(0);

/// How hard a sender insists on its `Info` being kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// Up to so many entries in all.
    UpTo(u64),
    /// As long as there is memory.
    Any,
}

/// How many entries there are in all queues.
pub(crate) fn entries() -> u64 {
    ENTRIES.load(Relaxed)
}

/// There is no room for the entry.
pub(super) struct Full;

/// A set of waiting signals.
#[derive(Default)]
pub(super) struct Pending {
    set: SignalSet,
    queue: VecDeque<Info>,
}

impl Pending {
    pub(super) const fn new() -> Self {
        Self {
            set: SignalSet::EMPTY,
            queue: VecDeque::new(),
        }
    }

    pub(super) fn set(&self) -> SignalSet {
        self.set
    }

    /// Adds a signal. Where its entry is refused the signal waits all the same, but for one that `must_carry` it.
    pub(super) fn push(&mut self, info: Info, room: Room) -> Result<(), Full> {
        let signal = info.signal();
        if signal < FIRST_REAL_TIME && self.set.contains(signal) {
            return Ok(());
        }
        let kept = self.keep(info, room);
        let must_carry = signal >= FIRST_REAL_TIME && info.code() != abi::general::SI_USER as i32;
        if kept.is_err() && must_carry {
            return kept;
        }
        self.set.insert(signal);
        Ok(())
    }

    fn keep(&mut self, info: Info, room: Room) -> Result<(), Full> {
        if matches!(room, Room::UpTo(most) if ENTRIES.load(Relaxed) >= most) {
            return Err(Full);
        }
        self.queue.try_reserve(1).map_err(|_| Full)?;
        self.queue.push_back(info);
        ENTRIES.fetch_add(1, Relaxed);
        Ok(())
    }

    /// Takes the first of `wanted`, if one waits.
    pub(super) fn take(&mut self, wanted: SignalSet) -> Option<Info> {
        let signal = (self.set & wanted).first()?;
        let place = |queue: &VecDeque<Info>| queue.iter().position(|info| info.signal() == signal);
        let info = place(&self.queue).and_then(|place| self.queue.remove(place));
        ENTRIES.fetch_sub(u64::from(info.is_some()), Relaxed);
        if place(&self.queue).is_none() {
            self.set.remove(signal);
        }
        self.give_back();
        Some(info.unwrap_or(Info::forgotten(signal)))
    }

    /// Forgets all of `unwanted`.
    pub(super) fn discard(&mut self, unwanted: SignalSet) {
        if (self.set & unwanted).is_empty() {
            return;
        }
        let before = self.queue.len();
        self.queue.retain(|info| !unwanted.contains(info.signal()));
        ENTRIES.fetch_sub((before - self.queue.len()) as u64, Relaxed);
        self.set = self.set & !unwanted;
        self.give_back();
    }

    /// A queue that is empty holds no memory.
    fn give_back(&mut self) {
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        ENTRIES.fetch_sub(self.queue.len() as u64, Relaxed);
    }
}
