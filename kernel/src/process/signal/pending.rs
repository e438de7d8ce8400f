//! Signals that wait: which ones, and in order of arrival what is known of each.
//!
//! Standard signals are there once; real-time signals queue up, each behind its like. A signal for which there is no room
//! is still known to wait, without its `Info`. To add an entry and to take one costs the same however many wait, for
//! both are done with interrupts off; and what is thrown away comes back to the caller, who lets go of it where
//! interrupts are on.
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use spin::Mutex;

use super::info::Info;
use super::set::{FIRST_REAL_TIME, SignalSet};
use crate::process::queue::{Fifo, Queued};

/// Bytes of the kernel's heap that an entry takes, about.
pub(super) const ENTRY_SIZE: u64 = 96;

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
#[derive(Debug)]
pub(super) struct Full;

/// An `Info` that counts as an entry while it is kept.
struct Kept(Info);

impl Kept {
    fn new(info: Info, room: Room) -> Result<Self, Full> {
        let others = ENTRIES.fetch_add(1, Relaxed);
        let kept = Self(info);
        match room {
            Room::UpTo(most) if others >= most => Err(Full),
            _ => Ok(kept),
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        ENTRIES.fetch_sub(1, Relaxed);
    }
}

/// An entry that stands behind another of the same signal.
struct Entry {
    kept: Kept,
    next: Mutex<Option<Arc<Self>>>,
}

impl Queued for Entry {
    fn next(&self) -> &Mutex<Option<Arc<Self>>> {
        &self.next
    }
}

/// All entries of one signal, the first of which needs no memory of its own.
pub(super) struct Lane {
    first: Kept,
    more: Fifo<Entry>,
}

impl Lane {
    fn signal(&self) -> u32 {
        self.first.0.signal()
    }

    fn push(&mut self, kept: Kept) -> Result<(), Full> {
        let next = Mutex::new(None);
        let entry = Arc::try_new(Entry { kept, next }).map_err(|_| Full)?;
        self.more.push(entry);
        Ok(())
    }

    /// Takes the first where there is another to take its place.
    fn pop(&mut self) -> Option<Kept> {
        let second = Arc::into_inner(self.more.pop()?)?;
        Some(core::mem::replace(&mut self.first, second.kept))
    }
}

/// A set of waiting signals.
#[derive(Default)]
pub(super) struct Pending {
    set: SignalSet,
    /// One for each signal of which anything is known, so that there are few to look through.
    lanes: Vec<Lane>,
}

impl Pending {
    pub(super) const fn new() -> Self {
        Self {
            set: SignalSet::EMPTY,
            lanes: Vec::new(),
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
        let kept = Kept::new(info, room)?;
        if let Some(place) = self.place(info.signal()) {
            return self.lanes[place].push(kept);
        }
        self.lanes.try_reserve(1).map_err(|_| Full)?;
        self.lanes.push(Lane {
            first: kept,
            more: Fifo::new(),
        });
        Ok(())
    }

    fn place(&self, signal: u32) -> Option<usize> {
        self.lanes.iter().position(|lane| lane.signal() == signal)
    }

    /// Takes the first of `wanted`, if one waits.
    pub(super) fn take(&mut self, wanted: SignalSet) -> Option<Info> {
        let signal = (self.set & wanted).first()?;
        let another = self.place(signal).map(|place| self.lanes[place].pop());
        let Some(Some(kept)) = another else {
            let lane = self.discard(signal);
            return Some(lane.map_or(Info::forgotten(signal), |lane| lane.first.0));
        };
        Some(kept.0)
    }

    /// Forgets all of `signal`.
    pub(super) fn discard(&mut self, signal: u32) -> Option<Lane> {
        self.set.remove(signal);
        let lane = self
            .place(signal)
            .map(|place| self.lanes.swap_remove(place));
        if self.lanes.is_empty() {
            // A queue that is empty holds no memory.
            self.lanes = Vec::new();
        }
        lane
    }
}
