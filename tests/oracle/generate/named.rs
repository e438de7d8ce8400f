//! Lines about files with names: a few of them, so that what one line opens another removes, cuts or maps.

use super::subject::Subject;
use super::{Drawing, PAGE};
use crate::named::SLOTS;
use crate::program::{ANYWHERE, Line};

/// Names by their numbers in the interpreter, as often as they are worth it; the last is too long.
const PATHS: &[(u64, u64)] = &[
    (30, 0),
    (20, 1),
    (8, 2),
    (10, 3),
    (8, 4),
    (4, 5),
    (8, 6),
    (4, 7),
    (1, 8),
    (2, 9),
    (1, 10),
    (1, 11),
    (2, 12),
    (2, 13),
    (2, 14),
    (1, 15),
    (1, 16),
    (1, 17),
];

const WRONLY: u64 = 1;
const RDWR: u64 = 2;
const CREAT: u64 = 0o100;
const EXCL: u64 = 0o200;
const TRUNC: u64 = 0o1000;
const APPEND: u64 = 0o2000;
const NONBLOCK: u64 = 0o4000;
const DSYNC: u64 = 0o1_0000;
const DIRECT: u64 = 0o4_0000;
const DIRECTORY: u64 = 0o20_0000;
const NOFOLLOW: u64 = 0o40_0000;
const NOATIME: u64 = 0o100_0000;
const CLOEXEC: u64 = 0o200_0000;
const PATH: u64 = 0o1000_0000;
const TMPFILE: u64 = 0o2000_0000 | DIRECTORY;

/// Places in a file that are far behind every end, or none at all.
const FAR: &[u64] = &[
    1 << 32,
    1 << 43,
    0x7fff_ffff_ffff_e000,
    0x7fff_ffff_ffff_ffff,
    u64::MAX,
    1 << 63,
];

impl Drawing {
    fn path(&mut self) -> u64 {
        self.random.weighted(PATHS)
    }

    /// A file is there from the start, open, and often a second and a folder.
    pub(super) fn begin_with_names(&mut self) {
        let first = u64::from(self.has(Subject::MemoryFiles));
        for slot in first..=self.random.between(1, 3) {
            let flags = self.random.pick(&[RDWR, RDWR, RDWR, RDWR | APPEND]) | CREAT;
            self.lines.push(Line::new('O', [slot, slot, flags, 0o644]));
            let length = self.offset();
            let write = self.random.chance(70);
            self.lines.push(if write {
                Line::new('B', [slot, 0, length, 0, 0])
            } else {
                Line::new('T', [slot, length])
            });
        }
        if self.random.chance(60) {
            self.lines.push(Line::new('n', [2, 3, 0, 0o755]));
        }
    }

    pub(super) fn open(&mut self) -> Line {
        let access = self
            .random
            .weighted(&[(6, 0), (2, WRONLY), (10, RDWR), (1, 3)]);
        let made = self
            .random
            .weighted(&[(6, 0), (10, CREAT), (2, CREAT | EXCL), (1, EXCL)]);
        let cut = self.random.weighted(&[(8, 0), (2, TRUNC)]);
        let more = self.random.weighted(&[
            (20, 0),
            (4, APPEND),
            (4, CLOEXEC),
            (2, DIRECTORY),
            (2, NOFOLLOW),
            (2, PATH),
            (3, TMPFILE),
            (1, PATH | NOFOLLOW),
            (1, PATH | DIRECTORY),
            (1, NONBLOCK),
            (1, DSYNC),
            (1, DIRECT),
            (1, NOATIME),
        ]);
        // Making and refusing all but folders: versions differ.
        let made = if more & DIRECTORY != 0 && more & TMPFILE != TMPFILE {
            made & !CREAT
        } else {
            made
        };
        let flags = match more {
            TMPFILE if self.random.chance(80) => TMPFILE | RDWR | made & EXCL,
            more => access | made | cut | more,
        };
        let path = if more == TMPFILE {
            self.random.pick(&[9, 9, 3, 0])
        } else {
            self.path()
        };
        let mode = self.random.pick(&[0o644, 0o644, 0o600, 0o777, 0o4755]);
        Line::new('O', [self.slot(), path, flags, mode])
    }

    pub(super) fn duplicate(&mut self) -> Line {
        let kind = self.random.weighted(&[(4, 0), (3, 1), (2, 2), (1, 3)]);
        let flags = self.random.pick(&[0, CLOEXEC, CLOEXEC, NONBLOCK]);
        Line::new('d', [self.slot(), self.slot(), kind, flags])
    }

    /// Reads or writes, by any call.
    pub(super) fn bytes(&mut self, verb: char) -> Line {
        let kind = self
            .random
            .weighted(&[(6, 0), (5, 1), (2, 2), (2, 3), (3, 4)]);
        let position = if kind == 4 && self.random.chance(30) {
            u64::MAX
        } else {
            self.far_or_near()
        };
        let by = self.random.weighted(&[
            (4, 0),
            (1, 1),
            (1, 2),
            (1, 4),
            (1, 8),
            (3, 0x10),
            (3, 0x20),
            (1, 0x30),
            (1, 0x1000),
        ]);
        let by = if kind == 4 { by } else { 0 };
        Line::new(verb, [self.slot(), kind, self.piece(), position, by])
    }

    /// How much a call moves.
    fn piece(&mut self) -> u64 {
        let odd = self.random.below(PAGE);
        self.random.weighted(&[
            (1, 0),
            (2, 1),
            (4, odd),
            (3, PAGE),
            (3, PAGE + odd),
            (2, 2 * PAGE),
            (2, 3 * PAGE + 100),
        ])
    }

    fn far_or_near(&mut self) -> u64 {
        if self.random.chance(3) {
            return self.random.pick(FAR);
        }
        self.offset()
    }

    pub(super) fn seek(&mut self) -> Line {
        let whence = self
            .random
            .weighted(&[(4, 0), (2, 1), (2, 2), (5, 3), (5, 4), (1, 5)]);
        let back = whence < 3 && self.random.chance(30);
        let offset = if whence < 3 {
            self.far_or_near()
        } else {
            self.offset()
        };
        let offset = if back { offset.wrapping_neg() } else { offset };
        Line::new('j', [self.slot(), offset, whence])
    }

    pub(super) fn names(&mut self) -> Line {
        let kind = self.random.weighted(&[
            (12, 0),
            (4, 1),
            (4, 2),
            (12, 3),
            (6, 4),
            (4, 5),
            (6, 6),
            (1, 7),
            (4, 8),
            (2, 9),
            (1, 10),
            (1, 11),
            (4, 12),
        ]);
        let number = match kind {
            2 => self.random.pick(&[0o755, 0o755, 0o700, 0o1777]),
            3 => self
                .random
                .weighted(&[(8, 0), (2, 1), (3, 2), (1, 3), (1, 4), (1, 5), (1, 8)]),
            4 => self
                .random
                .weighted(&[(6, 0), (2, 0x400), (1, 0x1000), (1, 0x200)]),
            6 => self.far_or_near(),
            7 => self.random.pick(&[0o755, 0o744, 0o700, 0o2777]),
            10 => self.random.pick(&[0, 0, 0x100, 0x200, 1]),
            11 => self.random.pick(&[0, 0x200, 0x200, 0x100]),
            _ => 0,
        };
        let folders = matches!(kind, 1 | 2) && self.random.chance(60);
        let first = match kind {
            5 => self.random.below(8),
            8 => self.slot(),
            _ if folders => self.random.pick(&[3, 3, 4, 2]),
            _ => self.path(),
        };
        let second = match kind {
            5 => self.random.weighted(&[(8, 6), (2, 2), (2, 5), (1, 0)]),
            10 => self.random.pick(&[0, 4, 6, 9]),
            _ => self.path(),
        };
        Line::new('n', [kind, first, second, number])
    }

    pub(super) fn copy(&mut self) -> Line {
        let kind = self.random.weighted(&[(6, 0), (4, 1), (4, 2), (1, 3)]);
        let mut at = || {
            if self.random.chance(40) {
                ANYWHERE
            } else {
                self.far_or_near()
            }
        };
        let [from_at, to_at] = [at(), at()];
        Line::new(
            'x',
            [kind, self.slot(), self.slot(), from_at, to_at, self.piece()],
        )
    }

    pub(super) fn lock(&mut self) -> Line {
        let kind = self
            .random
            .weighted(&[(3, 0), (4, 1), (4, 2), (2, 3), (2, 4)]);
        let how = match kind {
            0 => self.random.pick(&[1, 2, 2, 8]),
            _ => self.random.weighted(&[(3, 0), (4, 1), (3, 2)]),
        };
        let start = self
            .random
            .pick(&[0, 0, 10, 20, 30, 100, 0u64.wrapping_sub(5)]);
        let length = self
            .random
            .pick(&[0, 10, 10, 20, 100, 0u64.wrapping_sub(10)]);
        let whence = self.random.weighted(&[(8, 0), (1, 1), (1, 2), (1, 3)]);
        Line::new('z', [kind, self.slot(), how, start, length, whence])
    }

    pub(super) fn settle_bytes(&mut self) -> Line {
        let kind = self.random.below(5);
        let advice = self.random.below(8);
        Line::new(
            'N',
            [kind, self.slot(), self.far_or_near(), self.offset(), advice],
        )
    }

    pub(super) fn mark(&mut self) -> Line {
        const GETFD: u64 = 1;
        const SETFD: u64 = 2;
        const GETFL: u64 = 3;
        const SETFL: u64 = 4;
        let command = self
            .random
            .weighted(&[(1, GETFD), (4, SETFD), (1, GETFL), (6, SETFL)]);
        let value = match command {
            SETFD => self.random.below(2),
            _ => self
                .random
                .pick(&[0, APPEND, APPEND, NONBLOCK, NOATIME, APPEND | DIRECT, TRUNC]),
        };
        Line::new('E', [self.slot(), command, value])
    }
}

/// The number of slots, and how often each is used where files have names, too.
pub(super) const SLOT: &[(u64, u64)] = &[(8, 0), (5, 1), (3, 2), (2, 3), (1, 4), (1, SLOTS - 1)];
