//! Draws a program from a seed: few places, so that mappings meet; the commonest verbs most often; children in between.
//!
//! What Linux answers by its version or by chance is not drawn, or not compared: README.md has the list.

mod named;
mod subject;
mod wide;

use sim::random::Random;

use crate::program::{ANYWHERE, DATA, HEAP, Line, Program, Shows};
use subject::Subject;

const PAGE: u64 = 4096;
const WINDOW_PAGES: u64 = 32;
const HEAP_PAGES: u64 = 8;

const SHARED: u64 = 0x01;
const PRIVATE: u64 = 0x02;
const FIXED: u64 = 0x10;
const ANONYMOUS: u64 = 0x20;
const GROWSDOWN: u64 = 0x100;
const LOCKED: u64 = 0x2000;
const NORESERVE: u64 = 0x4000;
const POPULATE: u64 = 0x8000;
const NOREPLACE: u64 = 0x10_0000;

/// Never executable alone: some processors then forbid reading, too.
const RIGHTS: &[(u64, u64)] = &[(8, 3), (3, 1), (2, 0), (2, 5), (2, 7), (1, 2)];

const ADVICE: &[u64] = &[
    0, 1, 2, 3, 4, 4, 4, 8, 10, 11, 16, 17, 18, 19, 20, 22, 23, 24, 99,
];

/// Only shared memory has what this takes away.
const REMOVE: u64 = 9;

/// With `mprotect`: from the beginning of the area that grows down.
const FROM_BELOW: u64 = 0x100_0000;

/// Something that a program does.
#[derive(Clone, Copy)]
enum Verb {
    Map,
    Unmap,
    Protect,
    Remap,
    Advise,
    Lock,
    Unlock,
    LockAll,
    Sync,
    Residency,
    Break,
    Touch,
    Look,
    Areas,
    Fork,
    Exec,
    Exit,
    Raise,
    Rows,
    Create,
    Close,
    Truncate,
    Allocate,
    Seal,
    Write,
    ReadInto,
    WriteFrom,
    Files,
    Repaired,
    Limit,
    Open,
    Duplicate,
    ReadBytes,
    WriteBytes,
    Seek,
    Names,
    Copy,
    HoldLock,
    SettleBytes,
    Mark,
    Describe,
    Tree,
}

const VERBS: &[(u64, Verb)] = &[
    (20, Verb::Map),
    (9, Verb::Unmap),
    (12, Verb::Protect),
    (9, Verb::Remap),
    (10, Verb::Advise),
    (4, Verb::Lock),
    (3, Verb::Unlock),
    (1, Verb::LockAll),
    (2, Verb::Sync),
    (3, Verb::Residency),
    (3, Verb::Break),
    (50, Verb::Touch),
    (2, Verb::Look),
    (3, Verb::Areas),
    (3, Verb::Fork),
];

/// What ends or replaces a process, and is therefore rare.
const ENDS: &[(u64, Verb)] = &[(2, Verb::Exec), (2, Verb::Exit), (1, Verb::Raise)];

/// The program of a seed: 50 to 200 lines.
pub(crate) fn generate(seed: u64) -> Program {
    let subjects = Subject::drawn(seed);
    let own = subjects.iter().flat_map(|subject| subject.verbs());
    let mut drawing = Drawing {
        random: Random::new(seed),
        verbs: VERBS.iter().chain(own).copied().collect(),
        subjects,
        files: false,
        places: Vec::new(),
        lines: Vec::new(),
    };
    drawing.files = drawing.random.chance(30);
    let places = drawing.random.between(2, 6);
    drawing.places = (0..places)
        .map(|_| drawing.random.below(WINDOW_PAGES))
        .collect();
    let length = drawing.random.between(50, 200) as usize;
    if drawing.has(Subject::MemoryFiles) {
        drawing.begin_with_files();
    }
    if drawing.has(Subject::NamedFiles) {
        drawing.begin_with_names();
    }
    drawing.draw(length);
    Program {
        shows: drawing.shows(),
        lines: drawing.lines,
    }
}

struct Drawing {
    random: Random,
    verbs: Vec<(u64, Verb)>,
    subjects: Vec<Subject>,
    /// Whether it maps the file of data.
    files: bool,
    /// Pages that things like to begin and end at.
    places: Vec<u64>,
    lines: Vec<Line>,
}

impl Drawing {
    fn has(&self, subject: Subject) -> bool {
        self.subjects.contains(&subject)
    }

    /// Whether some of its memory is an object that others may see.
    fn has_objects(&self) -> bool {
        self.has(Subject::SharedMemory) || self.has_slots()
    }

    /// Whether it has files that it may map.
    fn has_slots(&self) -> bool {
        self.has(Subject::MemoryFiles) || self.has(Subject::NamedFiles)
    }

    fn shows(&self) -> Shows {
        if self.files {
            Shows::Nothing
        } else if self.has_objects() {
            Shows::Residency
        } else {
            Shows::Faults
        }
    }

    fn draw(&mut self, length: usize) {
        let mut depth = 0;
        while self.lines.len() < length {
            if depth > 0 && self.random.chance(8) {
                self.lines.push(Line::new('e', []));
                depth -= 1;
                continue;
            }
            let ends = depth > 0 && self.random.chance(1) || self.random.below(1000) < 2;
            let verb = self.random.weighted(if ends { ENDS } else { &self.verbs });
            let line = match verb {
                Verb::Fork if depth == 3 => continue,
                Verb::Fork => Line::new('f', []),
                other => self.line(other),
            };
            depth += usize::from(line.verb == 'f');
            self.lines.push(line);
        }
    }

    fn line(&mut self, verb: Verb) -> Line {
        let at = self.place();
        let length = self.length();
        match verb {
            Verb::Map => self.map(),
            Verb::Unmap => Line::new('u', [at, length]),
            Verb::Protect => self.protect(at, length),
            Verb::Remap => self.remap(),
            Verb::Advise => Line::new('a', [at, length, self.advice()]),
            Verb::Lock => Line::new('l', [at, length, self.random.pick(&[0, 0, 1, 2])]),
            Verb::Unlock => Line::new('k', [at, length]),
            Verb::LockAll if self.random.chance(60) => Line::new('K', []),
            Verb::LockAll => Line::new('L', [self.random.pick(&[1, 2, 3, 5, 6, 7, 4, 0])]),
            Verb::Sync => Line::new('s', [at, length, self.random.below(8)]),
            Verb::Residency => Line::new('c', [at, length]),
            Verb::Break => Line::new('b', [self.random.below(HEAP_PAGES + 1) * PAGE]),
            Verb::Touch => self.touch(),
            Verb::Look => Line::new('h', [at & !(PAGE - 1), self.random.between(1, 6)]),
            Verb::Areas => Line::new('A', []),
            Verb::Fork => Line::new('f', []),
            Verb::Exec => Line::new('X', []),
            Verb::Exit => Line::new('q', [self.random.below(256)]),
            Verb::Raise => Line::new('g', [self.random.pick(&[10, 12, 15, 17, 9, 18])]),
            Verb::Rows => Line::new('V', []),
            Verb::Create => self.create(),
            Verb::Close => Line::new('D', [self.slot()]),
            Verb::Truncate => self.truncate(),
            Verb::Allocate => self.allocate(),
            Verb::Seal => self.seal(),
            Verb::Write => self.write(),
            Verb::ReadInto => self.transfer('i'),
            Verb::WriteFrom => self.transfer('o'),
            Verb::Files => Line::new('Z', []),
            Verb::Repaired => self.repaired(),
            Verb::Limit => self.limit(),
            other => self.line_of_files(other),
        }
    }

    fn line_of_files(&mut self, verb: Verb) -> Line {
        match verb {
            Verb::Open => self.open(),
            Verb::Duplicate => self.duplicate(),
            Verb::ReadBytes => self.bytes('R'),
            Verb::WriteBytes => self.bytes('B'),
            Verb::Seek => self.seek(),
            Verb::Names => self.names(),
            Verb::Copy => self.copy(),
            Verb::HoldLock => self.lock(),
            Verb::SettleBytes => self.settle_bytes(),
            Verb::Mark => self.mark(),
            Verb::Describe => Line::new('Q', [self.slot()]),
            _ => Line::new('v', []),
        }
    }

    /// A page, mostly near one that others like, now and then a wrong address.
    fn place(&mut self) -> u64 {
        if self.random.chance(6) {
            return HEAP + self.random.below(HEAP_PAGES) * PAGE;
        }
        if self.has(Subject::Growth) && self.random.chance(12) {
            return self.below();
        }
        let page = if self.random.chance(70) {
            let near = self.random.below(self.places.len() as u64) as usize;
            (self.places[near] + self.random.below(3)).min(WINDOW_PAGES - 1)
        } else {
            self.random.below(WINDOW_PAGES)
        };
        let inside = if self.random.chance(2) { 8 } else { 0 };
        page * PAGE + inside
    }

    fn length(&mut self) -> u64 {
        let pages =
            self.random
                .weighted(&[(1, 0), (60, 1), (40, 2), (30, 3), (20, 5), (10, 9), (4, 16)]);
        let odd = if self.random.chance(3) { 100 } else { 0 };
        pages * PAGE + odd
    }

    fn rights(&mut self) -> u64 {
        self.random.weighted(RIGHTS)
    }

    fn map(&mut self) -> Line {
        let mut at = self.place();
        let length = self.length();
        let how = self.random.weighted(&[
            (70, FIXED),
            (12, NOREPLACE),
            (15, 0),
            (3, FIXED | NOREPLACE),
        ]);
        if how == 0 && self.random.chance(20) {
            at = ANYWHERE;
        }
        let extra = self
            .random
            .weighted(&[(80, 0), (8, NORESERVE), (8, POPULATE), (4, LOCKED)]);
        let rights = self.rights();
        if self.files && self.random.chance(40) {
            let offset = self.file_offset();
            return Line::new(
                'm',
                [at, length, rights, how | extra | PRIVATE, offset, DATA],
            );
        }
        if self.has_slots() && self.random.chance(50) {
            let kind = self
                .random
                .weighted(&[(12, SHARED), (6, PRIVATE), (1, SHARED | PRIVATE)]);
            let [offset, slot] = [self.file_offset(), DATA + 1 + self.slot()];
            return Line::new('m', [at, length, rights, how | extra | kind, offset, slot]);
        }
        let kind = self.anonymous_kind();
        Line::new(
            'm',
            [at, length, rights, how | extra | kind | ANONYMOUS, 0, 0],
        )
    }

    fn file_offset(&mut self) -> u64 {
        self.random.below(5) * PAGE + if self.random.chance(3) { 8 } else { 0 }
    }

    fn anonymous_kind(&mut self) -> u64 {
        let shared = self.has(Subject::SharedMemory) && self.random.chance(40);
        let kind = if shared { SHARED } else { PRIVATE };
        let grows = self.has(Subject::Growth) && self.random.chance(if shared { 3 } else { 35 });
        kind | if grows { GROWSDOWN } else { 0 }
    }

    fn protect(&mut self, at: u64, length: u64) -> Line {
        let below = self.has(Subject::Growth) && self.random.chance(12);
        let extent = if below { FROM_BELOW } else { 0 };
        Line::new('p', [at, length, self.rights() | extent])
    }

    fn advice(&mut self) -> u64 {
        if self.has_objects() && self.random.chance(12) {
            return REMOVE;
        }
        self.random.pick(ADVICE)
    }

    fn remap(&mut self) -> Line {
        let at = self.place();
        let old = self.length();
        let new = if self.random.chance(40) {
            old
        } else {
            self.length()
        };
        let flags = self.random.weighted(&[
            (30, 3),
            (20, 0),
            (15, 1),
            (10, 7),
            (5, 5),
            (2, 2),
            (2, 4),
            (1, 8),
        ]);
        let target = self.place();
        Line::new('r', [at, old, new, flags, target])
    }

    fn touch(&mut self) -> Line {
        let page = self.place() & !(PAGE - 1);
        let inside = self.random.pick(&[0, 64, 0x800, 0xfc0]);
        let kind = self.random.weighted(&[(30, 0), (40, 1), (8, 2), (6, 4)]);
        Line::new('t', [page + inside, kind])
    }
}
