//! What unit tests stand on: a machine in a vector, and address spaces that are drawn.
//!
//! One CPU, no TLB: whether every flush is there is the simulator's business (`tests/sim`). In a drawing each character is
//! a page, from page [`FIRST`] on; a capital letter is the first page of an area, `.` is no area. Whether an area is
//! accounted is not drawn.
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use crate::error::Error;
use crate::fault::{Access, Outcome, Path};
use crate::frame::{Frame, FrameRecord};
use crate::machine::{Cpu, PhysMem, Tlb, WORDS};
use crate::memory::Memory;
use crate::mmap::{Mapping, Place};
use crate::mprotect::Extent;
use crate::opening::Opening;
use crate::page::{PAGE_SIZE, Page};
use crate::page_table::Levels;
use crate::space::{AddressSpace, Layout, Limits};
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
use crate::vma::{Backing, VmFlags, Vma};

/// The page of a drawing's first character.
pub(crate) const FIRST: Page = Page::new(0x1000);

/// Memory and one CPU.
pub(crate) struct TestMachine {
    records: Vec<FrameRecord>,
    frames: Vec<[AtomicU64; WORDS]>,
    /// How often a single frame was wanted in vain.
    pub(crate) refusals: AtomicU64,
}

impl TestMachine {
    pub(crate) fn new(frames: u32) -> Self {
        let rubbish = || core::array::from_fn(|_| AtomicU64::new(0xbad));
        Self {
            records: (0..frames).map(|_| FrameRecord::new()).collect(),
            frames: (0..frames).map(|_| rubbish()).collect(),
            refusals: AtomicU64::new(0),
        }
    }
}

impl PhysMem for TestMachine {
    fn mem_map(&self) -> &[FrameRecord] {
        &self.records
    }

    fn words(&self, frame: Frame) -> &[AtomicU64; WORDS] {
        &self.frames[frame.number() as usize]
    }

    fn zero(&self, frame: Frame) {
        self.words(frame)
            .iter()
            .for_each(|word| word.store(0, Relaxed));
    }

    fn copy(&self, from: Frame, to: Frame) {
        for (from, to) in self.words(from).iter().zip(self.words(to)) {
            to.store(from.load(Relaxed), Relaxed);
        }
    }
}

impl Tlb for TestMachine {
    fn flush(&self, _: Frame, _: Page) {}
    fn shootdown(&self, _: Frame, _: Range<Page>) {}
}

impl Cpu for TestMachine {
    fn pinned<R>(&self, body: impl FnOnce(usize) -> R) -> R {
        body(0)
    }

    fn refused(&self) {
        self.refusals.fetch_add(1, Relaxed);
    }
}

/// A world of `frames` free frames.
pub(crate) fn memory(frames: u32, levels: Levels) -> Memory<TestMachine> {
    // The zero page is the one frame more.
    let all = 0..frames + 1;
    let machine = TestMachine::new(all.end);
    let memory = Memory::new(machine, core::slice::from_ref(&all), levels);
    memory.expect("there is a frame for the zero page")
}

/// An empty space whose `mmap_base` lies 64 pages above [`FIRST`], and whose heap begins 32 pages above it.
pub(crate) fn space(memory: &Memory<TestMachine>) -> AddressSpace {
    let layout = Layout {
        mmap_base: FIRST + 64,
        bottom_up_base: FIRST + 128,
        heap_start: (FIRST + 32).address(),
        data_size: 0,
    };
    AddressSpace::new(memory, layout, Limits::default()).expect("there is a frame for the root")
}

/// A request for `pages`, as private anonymous memory.
pub(crate) fn mapping(pages: Range<Page>, place: Place, flags: VmFlags) -> Mapping {
    Mapping {
        address: pages.start.address(),
        length: (pages.end - pages.start) * PAGE_SIZE,
        place,
        flags,
        backing: Backing::Anonymous,
        opening: Opening::default(),
    }
}

/// What the letters stand for.
const LETTERS: [(char, VmFlags); 14] = [
    ('n', VmFlags::empty()),
    ('r', VmFlags::READ),
    ('w', WRITABLE),
    ('x', VmFlags::READ.union(VmFlags::EXEC)),
    ('l', WRITABLE.union(VmFlags::LOCKED)),
    ('o', WRITABLE.union(VmFlags::LOCK)),
    ('a', WRITABLE.union(VmFlags::RANDOM)),
    ('q', WRITABLE.union(VmFlags::SEQUENTIAL)),
    ('d', WRITABLE.union(VmFlags::DONT_FORK)),
    ('v', WRITABLE.union(VmFlags::WIPE_ON_FORK)),
    ('g', WRITABLE.union(VmFlags::MERGEABLE)),
    ('h', WRITABLE.union(VmFlags::SHARED)),
    ('s', STACK),
    ('t', STACK_UNREADABLE),
];

const WRITABLE: VmFlags = VmFlags::READ.union(VmFlags::WRITE);
const STACK: VmFlags = VmFlags::READ
    .union(VmFlags::WRITE)
    .union(VmFlags::GROWS_DOWN);
const STACK_UNREADABLE: VmFlags = VmFlags::GROWS_DOWN;

/// A space, drawn.
pub(crate) struct Drawing {
    pub(crate) memory: Memory<TestMachine>,
    pub(crate) space: AddressSpace,
}

impl Drawing {
    /// The space that `picture` shows.
    pub(crate) fn of(picture: &str) -> Self {
        let memory = memory(128, Levels::Four);
        let space = space(&memory);
        let mut drawing = Self { memory, space };
        let letters: Vec<char> = picture.chars().chain(['.']).collect();
        let mut start = 0;
        for end in 1..letters.len() {
            let begins_anew = letters[end].is_uppercase() || letters[end] == '.';
            if letters[start] != '.' && begins_anew {
                drawing.add(start as u64, end as u64, letters[start]);
            }
            if begins_anew {
                start = end;
            }
        }
        drawing.shows(picture);
        drawing
    }

    fn add(&mut self, start: u64, end: u64, letter: char) {
        let flags = flags_of(letter.to_ascii_lowercase());
        self.space.areas.reserve(1).expect("the host has memory");
        self.space.books.add(end - start, flags);
        if flags.contains(VmFlags::ACCOUNTED) {
            self.memory.recommit(end - start);
        }
        let pages = FIRST + start..FIRST + end;
        let vma = Vma::new(pages, flags, Backing::Anonymous);
        self.space.areas.insert(vma);
    }

    /// Fails unless the space looks like `picture`, and everything that holds for spaces holds for this one.
    #[track_caller]
    pub(crate) fn shows(&self, picture: &str) {
        self.shows_all(picture, &[]);
    }

    /// The same while `others` live in the same memory.
    #[track_caller]
    pub(crate) fn shows_all(&self, picture: &str, others: &[&AddressSpace]) {
        let seen: String = (0..picture.len() as u64)
            .map(|page| self.letter(FIRST + page))
            .collect();
        assert_eq!(seen, picture);
        let spaces: Vec<_> = others.iter().copied().chain([&self.space]).collect();
        crate::check::check(&self.memory, &spaces, &[]).expect("the invariants hold");
    }

    fn letter(&self, page: Page) -> char {
        let Some(vma) = self.space.areas.at(page) else {
            return '.';
        };
        let visible = vma.flags - VmFlags::ACCOUNTED;
        let known = LETTERS.iter().find(|(_, flags)| *flags == visible);
        let letter = known.map_or('?', |(letter, _)| *letter);
        if vma.start == page {
            letter.to_ascii_uppercase()
        } else {
            letter
        }
    }

    /// `mmap` with MAP_FIXED where `marks` has dashes.
    pub(crate) fn map(&mut self, marks: &str, letter: char) -> Result<u64, Error> {
        let request = mapping(marked(marks), Place::Fixed, flags_of(letter));
        self.space.mmap(&self.memory, request)
    }

    /// `munmap` where `marks` has dashes.
    pub(crate) fn unmap(&mut self, marks: &str) -> Result<(), Error> {
        let (address, length) = bytes(marks);
        self.space.munmap(&self.memory, address, length)
    }

    /// `mprotect` where `marks` has dashes.
    pub(crate) fn protect(&mut self, marks: &str, letter: char) -> Result<(), Error> {
        self.protect_with(marks, letter, Extent::Named)
    }

    /// `mprotect` where `marks` has dashes, and beyond.
    pub(crate) fn protect_with(
        &mut self,
        marks: &str,
        letter: char,
        extent: Extent,
    ) -> Result<(), Error> {
        let (address, length) = bytes(marks);
        let access = flags_of(letter) & VmFlags::ACCESS;
        self.space
            .mprotect(&self.memory, address, length, access, extent, |_| {})
    }

    /// A fault on page number `page`: the path that it took.
    #[track_caller]
    pub(crate) fn fault(&self, page: u64, access: Access) -> Path {
        let address = (FIRST + page).address();
        path(self.space.handle_fault(&self.memory, address, access))
    }
}

/// The path of a fault that was served.
#[track_caller]
pub(crate) fn path(outcome: Outcome) -> Path {
    match outcome {
        Outcome::Resolved(change) => change.path,
        other => panic!("the fault ended with {other:?}"),
    }
}

fn flags_of(letter: char) -> VmFlags {
    let known = LETTERS.iter().find(|(known, _)| *known == letter);
    known.expect("the letter has a meaning").1.with_promise()
}

/// The pages that a line of dashes means.
fn marked(marks: &str) -> Range<Page> {
    let start = marks.find('-').expect("something is marked");
    let end = marks.rfind('-').expect("something is marked") + 1;
    FIRST + start as u64..FIRST + end as u64
}

fn bytes(marks: &str) -> (u64, u64) {
    let pages = marked(marks);
    (pages.start.address(), (pages.end - pages.start) * PAGE_SIZE)
}

/// Numbers that look random (SplitMix64), the same in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ word >> 31) % bound
    }
}
