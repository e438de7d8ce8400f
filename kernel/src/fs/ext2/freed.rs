//! Blocks that were freed lately: on the medium somebody may still have them, so nobody gets them yet.
//!
//! A file that lost blocks says so in its inode or in an index block, and those reach the disk in any order with the rest
//! of what the volume knows. Had another file one of the blocks by then, a power cut could leave it to both. So they wait
//! for the next time that all of it is written, which whoever finds no other block brings about.
use alloc::vec::Vec;
use core::ops::Range;

use crate::lock::{IrqLock, Rank};

/// The most ranges: each of them is looked at where blocks are taken.
const MOST: usize = 512;

/// What is withheld.
pub(super) struct Freed(IrqLock<Ranges>);

struct Ranges {
    /// Each with the turn in which it came.
    all: Vec<(Range<u64>, u64)>,
    turn: u64,
}

/// There is no room for more.
pub(super) struct Full;

impl Freed {
    pub(super) fn new() -> Self {
        let ranges = Ranges {
            all: Vec::new(),
            turn: 0,
        };
        Self(IrqLock::new(Rank::Files, ranges))
    }

    /// Nobody gets `blocks` before the volume is settled.
    pub(super) fn note(&self, blocks: Range<u64>) -> Result<(), Full> {
        let mut ranges = self.0.lock();
        let turn = ranges.turn;
        if let Some((last, of)) = ranges.all.last_mut()
            && last.end == blocks.start
            && *of == turn
        {
            last.end = blocks.end;
            return Ok(());
        }
        if ranges.all.len() == MOST || ranges.all.try_reserve(1).is_err() {
            return Err(Full);
        }
        ranges.all.push((blocks, turn));
        Ok(())
    }

    /// Sets the bits of those that are withheld; bit 0 is for block `first`.
    pub(super) fn mark(&self, first: u64, bits: &mut [u8]) {
        let ranges = self.0.lock();
        let end = first + bits.len() as u64 * 8;
        for (range, _) in &ranges.all {
            for block in range.start.max(first)..range.end.min(end) {
                let bit = block - first;
                bits[(bit / 8) as usize] |= 1 << (bit % 8);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().all.is_empty()
    }

    /// All that the volume knows is about to be written: a number for [`Freed::settled`].
    pub(super) fn begin_settling(&self) -> u64 {
        let mut ranges = self.0.lock();
        ranges.turn += 1;
        ranges.turn - 1
    }

    /// What was withheld in this turn, or before, is anybody's.
    pub(super) fn settled(&self, turn: u64) {
        let mut ranges = self.0.lock();
        ranges.all.retain(|(_, of)| *of > turn);
        if ranges.all.is_empty() {
            ranges.all = Vec::new();
        }
    }
}
