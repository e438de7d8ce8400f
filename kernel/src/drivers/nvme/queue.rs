//! A pair of rings in memory: commands to a controller, completions from it (NVM Express 1.4, section 4).
//!
//! Both are a frame each and are seen as words, like all memory that others change. Numbers of doorbells are the pair's
//! own.
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use abi::Errno;
use mm::Frame;
use mm::machine::PhysMem;

use crate::arch::memory::memory;
use crate::arch::mmio::Registers;

/// Entries of each ring: a frame of commands.
pub(super) const ENTRIES: usize = 64;

/// Words of a command and of a completion.
const COMMAND: usize = 8;
const COMPLETION: usize = 2;

/// A command, as the controller reads it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entry {
    pub(super) opcode: u8,
    pub(super) namespace: u32,
    /// Where to: a page, and behind it another, or a list of all others.
    pub(super) pages: [u64; 2],
    /// What the opcode is about: double words 10 to 12.
    pub(super) details: [u32; 3],
}

/// What became of the command with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Completion {
    pub(super) number: u16,
    pub(super) is_good: bool,
}

pub(super) struct Pair {
    commands: Frame,
    completions: Frame,
    /// Where the next command goes, where the next completion comes.
    tail: usize,
    head: usize,
    /// What marks a completion as new: it changes with each round.
    phase: bool,
    /// The doorbells, as offsets of registers.
    doorbells: [u64; 2],
}

impl Pair {
    /// Pair number `number` of a controller whose doorbells are `stride` bytes apart.
    pub(super) fn try_new(number: u64, stride: u64) -> Result<Self, Errno> {
        const DOORBELLS: u64 = 0x1000;
        let bell = |index: u64| DOORBELLS + (2 * number + index) * stride;
        Ok(Self {
            commands: zeroed_frame()?,
            completions: zeroed_frame()?,
            tail: 0,
            head: 0,
            phase: true,
            doorbells: [bell(0), bell(1)],
        })
    }

    /// Where the rings are: commands, completions.
    pub(super) fn addresses(&self) -> [u64; 2] {
        [self.commands.address(), self.completions.address()]
    }

    /// Hands a command over. The caller has fewer than [`ENTRIES`] - 1 on their way.
    pub(super) fn send(&mut self, registers: &Registers, number: u16, entry: &Entry) {
        let [first, second, third] = entry.details.map(u64::from);
        let words = [
            u64::from(entry.opcode) | u64::from(number) << 16 | u64::from(entry.namespace) << 32,
            0,
            0,
            entry.pages[0],
            entry.pages[1],
            first | second << 32,
            third,
            0,
        ];
        let ring = memory().machine.words(self.commands);
        for (place, word) in ring[self.tail * COMMAND..].iter().zip(words) {
            place.store(word, Release);
        }
        self.tail = (self.tail + 1) % ENTRIES;
        registers.write_32(self.doorbells[0], self.tail as u32);
    }

    /// Whether there is a completion.
    pub(super) fn has_completion(&self) -> bool {
        self.look() >> 48 & 1 == u64::from(self.phase)
    }

    /// The next completion.
    pub(super) fn take(&mut self, registers: &Registers) -> Option<Completion> {
        if !self.has_completion() {
            return None;
        }
        let word = self.look();
        self.head = (self.head + 1) % ENTRIES;
        self.phase ^= self.head == 0;
        registers.write_32(self.doorbells[1], self.head as u32);
        Some(Completion {
            number: (word >> 32) as u16,
            is_good: word >> 49 == 0,
        })
    }

    /// The second word of the next completion: number, mark and status are above its middle.
    fn look(&self) -> u64 {
        let ring = memory().machine.words(self.completions);
        ring[self.head * COMPLETION + 1].load(Acquire)
    }
}

/// A frame for the controller, which keeps it.
pub(super) fn zeroed_frame() -> Result<Frame, Errno> {
    let frame = memory().allocate(0).map_err(|_| Errno::ENOMEM)?;
    memory()
        .machine
        .words(frame)
        .iter()
        .for_each(|word| word.store(0, Relaxed));
    Ok(frame)
}
