//! The trace: what a fault was, and a ring for each CPU of the latest events, for whoever wants to watch.
//!
//! Writers are faults and whatever else the kernel traces, so writing must be cheap and must not wait: one uncontended
//! lock per CPU, a fixed ring that overwrites the oldest. A reader is told how many records it missed. The ring does not
//! care what it holds; that all kinds of events share one is what keeps their order.
mod text;

pub use text::Entry;

use alloc::vec::Vec;

use crate::MAX_CPUS;
use crate::error::OutOfMemory;
use crate::fault::{Access, Change};
use crate::machine::Cpu;
use crate::sync::Mutex;

/// One served fault.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The faulting byte address.
    pub address: u64,
    /// What was tried.
    pub access: Access,
    /// First address of the area.
    pub start: u64,
    /// The address behind the area.
    pub end: u64,
    /// Path, entry before, entry after.
    pub change: Change,
}

/// The rings of all CPUs.
pub struct Trace<R> {
    rings: [Mutex<Ring<R>>; MAX_CPUS],
}

impl<R: Copy> Trace<R> {
    /// A trace that has no memory yet, and forgets everything.
    pub const fn new() -> Self {
        Self {
            rings: [const { Mutex::new(Ring::new()) }; MAX_CPUS],
        }
    }

    /// Gives the first `cpus` CPUs rings of `capacity` records.
    pub fn start<C: Cpu>(
        &self,
        machine: &C,
        cpus: usize,
        capacity: usize,
    ) -> Result<(), OutOfMemory> {
        for ring in self.rings.iter().take(cpus) {
            let mut records = Vec::new();
            records.try_reserve_exact(capacity)?;
            machine.pinned(|_| {
                *ring.lock() = Ring {
                    records,
                    ..Ring::new()
                }
            });
        }
        Ok(())
    }

    /// Adds a record to the calling CPU's ring, and says how many nobody has read yet.
    pub fn push<C: Cpu>(&self, machine: &C, record: R) -> u64 {
        machine.pinned(|cpu| self.rings[cpu].lock().push(record))
    }

    /// Takes the oldest record that is left in the rings, CPU by CPU, and the count of those overwritten before it.
    pub fn pop<C: Cpu>(&self, machine: &C) -> Option<(R, u64)> {
        self.rings
            .iter()
            .find_map(|ring| machine.pinned(|_| ring.lock().pop()))
    }
}

impl<R: Copy> Default for Trace<R> {
    fn default() -> Self {
        Self::new()
    }
}

struct Ring<R> {
    /// Grows up to its capacity, then wraps.
    records: Vec<R>,
    /// Sequence numbers of the next record written and the next one read.
    written: u64,
    read: u64,
}

impl<R: Copy> Ring<R> {
    const fn new() -> Self {
        Self {
            records: Vec::new(),
            written: 0,
            read: 0,
        }
    }

    fn push(&mut self, record: R) -> u64 {
        let capacity = self.records.capacity();
        if capacity == 0 {
            return 0;
        }
        if self.records.len() < capacity {
            self.records.push(record);
        } else {
            self.records[(self.written % capacity as u64) as usize] = record;
        }
        self.written += 1;
        self.written - self.read
    }

    fn pop(&mut self) -> Option<(R, u64)> {
        let capacity = self.records.capacity() as u64;
        let oldest = self.written.saturating_sub(capacity);
        let lost = oldest.saturating_sub(self.read);
        self.read = self.read.max(oldest);
        if self.read == self.written {
            return None;
        }
        let record = self.records[(self.read % capacity) as usize];
        self.read += 1;
        Some((record, lost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_record_is_lost_in_silence() {
        let mut ring = Ring {
            records: Vec::with_capacity(4),
            ..Ring::new()
        };
        let capacity = ring.records.capacity() as u64;
        (0..capacity + 3).for_each(|number| {
            ring.push(number);
        });
        let read: Vec<_> = core::iter::from_fn(|| ring.pop()).collect();
        assert_eq!(read[0].1, 3);
        assert_eq!(read.len() as u64, capacity);
        let mut numbers = read.iter().map(|(number, _)| *number);
        assert!(numbers.by_ref().eq(3..capacity + 3));
    }

    #[test]
    fn what_nobody_has_read_is_counted() {
        let mut ring = Ring {
            records: Vec::with_capacity(4),
            ..Ring::new()
        };
        assert_eq!([ring.push('a'), ring.push('b')], [1, 2]);
        assert_eq!(ring.pop(), Some(('a', 0)));
        assert_eq!(ring.push('c'), 2);
    }

    #[test]
    fn an_empty_ring_never_yields() {
        assert!(Ring::<u8>::new().pop().is_none());
        assert_eq!(Ring::new().push(1), 0, "a ring without memory forgets");
    }
}
