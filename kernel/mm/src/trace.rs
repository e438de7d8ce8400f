//! The fault trace: a ring of the latest faults for each CPU, for whoever wants to watch.
//!
//! Writers are faults, so writing must be cheap and must not wait: one uncontended lock per CPU, a fixed ring that
//! overwrites the oldest. A reader is told how many records it missed.
mod text;

use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use spin::Mutex;

use crate::MAX_CPUS;
use crate::error::OutOfMemory;
use crate::fault::{Access, Change};
use crate::machine::Cpu;

/// One served fault.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// Nanoseconds since boot.
    pub time: u64,
    /// The process.
    pub pid: u32,
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
    /// Time-stamp counter cycles from the handler's entry to the answer.
    pub cycles: u64,
}

/// The rings of all CPUs.
pub struct Trace {
    on: AtomicBool,
    rings: [Mutex<Ring>; MAX_CPUS],
}

impl Trace {
    /// A trace that is off and has no memory yet.
    pub const fn new() -> Self {
        Self {
            on: AtomicBool::new(false),
            rings: [const { Mutex::new(Ring::new()) }; MAX_CPUS],
        }
    }

    /// Gives the first `cpus` CPUs rings of `capacity` records and starts recording.
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
        self.on.store(true, Relaxed);
        Ok(())
    }

    /// Whether faults are recorded: the one load that a fault pays when they are not.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.on.load(Relaxed)
    }

    /// Adds a record to the calling CPU's ring.
    pub fn push<C: Cpu>(&self, machine: &C, record: Record) {
        machine.pinned(|cpu| self.rings[cpu].lock().push(record));
    }

    /// Takes the oldest record that is left in the rings, CPU by CPU, and the count of those overwritten before it.
    pub fn pop<C: Cpu>(&self, machine: &C) -> Option<(Record, u64)> {
        self.rings
            .iter()
            .find_map(|ring| machine.pinned(|_| ring.lock().pop()))
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}

struct Ring {
    /// Grows up to its capacity, then wraps.
    records: Vec<Record>,
    /// Sequence numbers of the next record written and the next one read.
    written: u64,
    read: u64,
}

impl Ring {
    const fn new() -> Self {
        Self {
            records: Vec::new(),
            written: 0,
            read: 0,
        }
    }

    fn push(&mut self, record: Record) {
        let capacity = self.records.capacity();
        if capacity == 0 {
            return;
        }
        if self.records.len() < capacity {
            self.records.push(record);
        } else {
            self.records[(self.written % capacity as u64) as usize] = record;
        }
        self.written += 1;
    }

    fn pop(&mut self) -> Option<(Record, u64)> {
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
    use crate::fault::Path;

    fn record(address: u64) -> Record {
        let change = Change {
            path: Path::ZeroRead,
            before: 0,
            after: 1,
        };
        Record {
            time: 0,
            pid: 1,
            address,
            access: Access::Read,
            start: 0,
            end: 0,
            change,
            cycles: 0,
        }
    }

    #[test]
    fn no_record_is_lost_in_silence() {
        let mut ring = Ring {
            records: Vec::with_capacity(4),
            ..Ring::new()
        };
        let capacity = ring.records.capacity() as u64;
        (0..capacity + 3).for_each(|address| ring.push(record(address)));
        let read: Vec<_> = core::iter::from_fn(|| ring.pop()).collect();
        assert_eq!(read[0].1, 3);
        assert_eq!(read.len() as u64, capacity);
        assert!(
            read.iter()
                .enumerate()
                .all(|(number, (record, _))| record.address == number as u64 + 3)
        );
    }

    #[test]
    fn an_empty_ring_never_yields() {
        assert!(Ring::new().pop().is_none());
    }
}
