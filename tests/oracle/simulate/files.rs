//! The files of a program in the simulator, which has all of them from the start: shared memory is one, too. Each begins
//! with the seals that its kind has.

use std::collections::BTreeSet;
use std::rc::Rc;

use sim::files::{File, Store};
use sim::op::{Length, Op, Reach, Sharing, Source, Span, seals};

use super::author::{Author, address};
use crate::named::SLOTS;
use crate::program::{DATA, Line};

/// The file of data; the simulator's first is the program itself.
const DATA_FILE: usize = 1;

/// Which file each slot holds, if any.
type Slots = [Option<usize>; SLOTS as usize];

/// As many names as programs have.
const NAMES: usize = 18;

/// Sizes and places from here on are nothing that the simulator has room for.
const TOO_FAR: u64 = 1 << 20;

pub(super) struct Files {
    files: Vec<File>,
    /// Those on the disk come first.
    on_disk: usize,
    /// Those that could be executed.
    programs: BTreeSet<usize>,
    pub(super) slots: Slots,
    /// What each name stands for; all processes see the same.
    names: [Option<usize>; NAMES],
    /// The slots of the processes that wait for this one.
    waiting: Vec<Slots>,
}

impl Files {
    pub(super) fn new(files: &[File]) -> Self {
        Self {
            files: files.to_vec(),
            on_disk: files.len(),
            programs: BTreeSet::new(),
            slots: Slots::default(),
            names: Default::default(),
            waiting: Vec::new(),
        }
    }

    pub(super) fn all(self) -> Rc<[File]> {
        self.files.into()
    }

    /// Files in memory that nobody has open, and that have no name.
    pub(super) fn left_alone(&self) -> Vec<usize> {
        let all = self.on_disk..self.files.len();
        all.filter(|&file| !self.is_held(file)).collect()
    }

    pub(super) fn fork(&mut self) {
        self.waiting.push(self.slots);
    }

    pub(super) fn end(&mut self) {
        self.slots = self.waiting.pop().unwrap_or_default();
    }

    /// A new file in memory.
    fn add(&mut self, size: u64, store: Store) -> usize {
        self.files.push(File { size, store });
        self.files.len() - 1
    }

    /// What opening a file by name has in the slot; the path that it has is all that counts here.
    fn open(&mut self, name: usize, flags: u64) -> Option<usize> {
        const CREAT: u64 = 0o100;
        const PATH: u64 = 0o1000_0000;
        const TMPFILE: u64 = 0o2000_0000;
        if flags & TMPFILE != 0 {
            return Some(self.add(0, Store::Memory));
        }
        if flags & CREAT != 0 && self.names[name].is_none() {
            self.names[name] = Some(self.add(0, Store::Memory));
        }
        self.names[name].filter(|_| flags & PATH == 0)
    }

    /// What memfd_create(2) makes, and the seals that it has.
    fn create(&mut self, flags: u64) -> (usize, u32) {
        const ALLOW_SEALING: u64 = 2;
        const NOEXEC_SEAL: u64 = 8;
        let file = self.add(0, Store::Memory);
        if flags & NOEXEC_SEAL != 0 {
            return (file, seals::EXEC);
        }
        self.programs.insert(file);
        let is_open = flags & ALLOW_SEALING != 0;
        (file, if is_open { 0 } else { seals::SEAL })
    }

    /// What F_ADD_SEALS seals: a program that must stay one keeps its contents, too.
    fn sealed(&self, file: usize, bits: u64) -> Option<u32> {
        const ALL: u32 = seals::EXEC * 2 - 1;
        let bits = u32::try_from(bits).ok().filter(|bits| bits & !ALL == 0)?;
        let is_whole = bits & seals::EXEC != 0 && self.programs.contains(&file);
        Some(bits | if is_whole { ALL - seals::SEAL } else { 0 })
    }

    /// Whether somebody could still reach the file without mapping it.
    fn is_held(&self, file: usize) -> bool {
        let waiting = self.waiting.iter().flatten();
        let all = self.slots.iter().chain(&self.names).chain(waiting);
        all.flatten().any(|&held| held == file)
    }

    /// Shared anonymous memory; without reserve its pages are promised one by one, as those of files are.
    fn share(&mut self, length: u64, flags: u64) -> usize {
        const NORESERVE: u64 = 0x4000;
        let store = match flags & NORESERVE {
            0 => Store::Object,
            _ => Store::Memory,
        };
        self.add(length.next_multiple_of(4096), store)
    }

    /// Lines that change names alone.
    fn rename(&mut self, kind: u64, first: usize, second: usize) {
        match kind {
            0 => self.names[first] = None,
            3 => self.names[second] = self.names[first].take(),
            4 => self.names[second] = self.names[first],
            _ => {}
        }
    }

    /// Where the contents of a mapping come from; nowhere if its file is not open.
    pub(super) fn source(
        &mut self,
        file: u64,
        flags: u64,
        offset: u64,
        length: u64,
    ) -> Option<(Source, Sharing)> {
        const SHARED: u64 = 1;
        let sharing = match flags & SHARED {
            0 => Sharing::Private,
            _ => Sharing::Shared,
        };
        let (file, offset) = match (file, sharing) {
            (0, Sharing::Private) => return Some((Source::Zero, sharing)),
            (0, Sharing::Shared) => (self.share(length, flags), 0),
            (DATA, _) => (DATA_FILE, offset),
            (slot, _) => ((*self.slots.get((slot - DATA - 1) as usize)?)?, offset),
        };
        Some((Source::File { file, offset }, sharing))
    }
}

impl Author {
    /// Lines about files in memory.
    pub(super) fn file(&mut self, line: &Line) {
        let number = |index: usize| line.numbers.get(index).copied().unwrap_or(0);
        let slot = number(0) as usize;
        match line.verb {
            'M' => {
                let (file, seals) = self.files.create(number(1));
                self.files.slots[slot] = Some(file);
                return self.add(Op::Seal(file, seals));
            }
            'O' | 'n' | 'd' => return self.named(line.verb, [0, 1, 2, 3].map(number)),
            _ => {}
        }
        let Some(file) = self.files.slots[slot] else {
            return;
        };
        let piece = |address, length| Span { address, length };
        let bytes = line
            .numbers
            .iter()
            .fold(0, |sum: u64, number| sum.wrapping_add(*number));
        if line.numbers.iter().any(|&number| number >= TOO_FAR) && !matches!(line.verb, 'i' | 'o') {
            return;
        }
        match line.verb {
            'T' => self.add(Op::Resize(file, number(1))),
            'S' => {
                if let Some(seals) = self.files.sealed(file, number(1)) {
                    self.add(Op::Seal(file, seals));
                }
            }
            'F' if number(1) == 3 && number(3) > 0 => {
                self.add(Op::Punch(file, piece(number(2), number(3))));
            }
            'F' if number(1) < 2 && number(3) > 0 => {
                let length = [Length::Grows, Length::Stays][number(1) as usize];
                self.add(Op::Allocate(file, piece(number(2), number(3)), length));
            }
            'W' => self.add(Op::WriteFile(file, piece(number(1), number(2)), bytes)),
            'i' => {
                self.add(Op::ReadFile(file, piece(number(3), number(2))));
                let into = piece(address(number(1)), number(2));
                self.add(Op::Poke(self.pid, into, bytes, Reach::Own));
            }
            'o' => {
                let from = piece(address(number(1)), number(2));
                self.add(Op::Peek(self.pid, from, Reach::Own));
                self.add(Op::WriteFile(file, piece(number(3), number(2)), bytes));
            }
            'Z' => self.add(Op::ReadFile(file, piece(0, 12 * 4096))),
            'R' => self.add(Op::ReadFile(file, piece(number(3), number(2)))),
            'B' => self.add(Op::WriteFile(file, piece(number(3), number(2)), bytes)),
            _ => {}
        }
    }

    /// Lines that open files by name, and that change what names and slots stand for.
    fn named(&mut self, verb: char, [first, second, third, fourth]: [u64; 4]) {
        const TRUNC: u64 = 0o1000;
        const TRUNCATE: u64 = 6;
        let [one, other] = [first, second].map(|number| number as usize);
        let cut = match verb {
            'O' => {
                let first_new = self.files.files.len();
                self.files.slots[one] = self.files.open(other, third);
                // What has a name is never sealed.
                for file in first_new..self.files.files.len() {
                    self.add(Op::Seal(file, seals::SEAL));
                }
                self.files.slots[one]
                    .filter(|_| third & TRUNC != 0)
                    .map(|file| (file, 0))
            }
            'd' => {
                self.files.slots[other] = self.files.slots[one];
                None
            }
            _ if first == TRUNCATE => self.files.names[other].map(|file| (file, fourth)),
            _ => {
                self.files.rename(first, other, third as usize);
                None
            }
        };
        if let Some((file, size)) = cut.filter(|&(_, size)| size < TOO_FAR) {
            self.add(Op::Resize(file, size));
        }
    }
}
