//! Lines about what most programs do without: files in memory, repairs, limits, the pages below the window.

use super::named::SLOT;
use super::subject::Subject;
use super::{Drawing, PAGE};
use crate::program::{BELOW, LIFTED, Line};

/// Slots of programs whose files have no names.
const SLOTS: u64 = 3;

/// Pages below the window at which something happens: near it, and around the guard gap and the limit of a stack.
const DISTANCES: &[u64] = &[
    1, 1, 2, 2, 3, 5, 9, 20, 100, 230, 254, 255, 256, 257, 258, 260, 2000, 2040,
];

impl Drawing {
    pub(super) fn below(&mut self) -> u64 {
        BELOW + self.random.pick(DISTANCES) * PAGE
    }

    pub(super) fn slot(&mut self) -> u64 {
        let few = &[(6, 0), (3, 1), (1, SLOTS - 1)];
        let is_named = self.has(Subject::NamedFiles);
        self.random.weighted(if is_named { SLOT } else { few })
    }

    /// Most slots hold a file from the start.
    pub(super) fn begin_with_files(&mut self) {
        for slot in 0..self.random.between(1, SLOTS) {
            self.lines.push(Line::new('M', [slot, 2]));
            let length = self.offset();
            self.lines.push(Line::new('T', [slot, length]));
        }
    }

    pub(super) fn create(&mut self) -> Line {
        let flags = self.random.weighted(&[(8, 2), (2, 0), (1, 8), (1, 0x12)]);
        Line::new('M', [self.slot(), flags])
    }

    pub(super) fn truncate(&mut self) -> Line {
        Line::new('T', [self.slot(), self.offset()])
    }

    pub(super) fn allocate(&mut self) -> Line {
        let mode = self
            .random
            .weighted(&[(8, 3), (4, 0), (4, 1), (1, 2), (1, 0x10)]);
        let [start, length] = [self.offset(), self.offset()];
        Line::new('F', [self.slot(), mode, start, length])
    }

    pub(super) fn seal(&mut self) -> Line {
        let seals = self.random.weighted(&[
            (4, 2),
            (4, 4),
            (5, 8),
            (4, 16),
            (1, 1),
            (1, 32),
            (1, 0x1000),
        ]);
        Line::new('S', [self.slot(), seals])
    }

    pub(super) fn write(&mut self) -> Line {
        Line::new('W', [self.slot(), self.offset(), self.offset()])
    }

    /// Bytes of a file that the kernel moves from or to where the program has its mappings.
    pub(super) fn transfer(&mut self, verb: char) -> Line {
        let slot = self.slot();
        let at = self.place() + self.random.pick(&[0, 0, 0, 100, 0xff8]);
        Line::new(verb, [slot, at, self.offset(), self.offset()])
    }

    /// A place in a file, or the length of a piece of it.
    pub(super) fn offset(&mut self) -> u64 {
        let pages =
            self.random
                .weighted(&[(2, 0), (4, 1), (4, 2), (4, 3), (2, 5), (2, 8), (1, 12)]);
        let odd = self
            .random
            .weighted(&[(6, 0), (1, 8), (1, 100), (1, 0xff0)]);
        pages * PAGE + odd
    }

    pub(super) fn repaired(&mut self) -> Line {
        const ASIDE: u64 = 0x10;
        let Line { mut numbers, .. } = self.touch();
        let objects = if self.has_objects() { 3 } else { 0 };
        let way = self.random.weighted(&[
            (5, 0),
            (objects, 1),
            (6, 2),
            (2, 3),
            (3, 4),
            (objects, 5),
            (1, 6),
        ]);
        numbers.push(way + self.random.pick(&[0, ASIDE]));
        Line { verb: 'w', numbers }
    }

    pub(super) fn limit(&mut self) -> Line {
        const DATA: u64 = 2;
        const STACK: u64 = 3;
        const MEMLOCK: u64 = 8;
        const SPACE: u64 = 9;
        let resource = self
            .random
            .weighted(&[(4, DATA), (2, STACK), (1, MEMLOCK), (5, SPACE)]);
        let pages = self.random.weighted(&[
            (5, LIFTED),
            (2, 0),
            (2, 1),
            (3, 3),
            (3, 8),
            (2, 20),
            (1, 300),
        ]);
        Line::new('y', [resource, pages])
    }
}
