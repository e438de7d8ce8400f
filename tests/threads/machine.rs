//! The machine under the scenes: memory in a vector and one CPU a thread, whose TLB forgets only what it is told to.
//!
//! An instruction holds its CPU's lock from translation to access, and a shootdown takes every CPU's lock in turn: that
//! is what the interrupt does on real hardware, which comes between two instructions. The walker is a processor's: it
//! sets accessed and dirty bits by locked exchanges and never asks `mm`. Only 4 KiB pages and 4 levels; how TLBs keep
//! more than that, `tests/sim` knows.
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::atomic::AtomicU64;
use crate::atomic::Ordering::{AcqRel, Acquire, Relaxed, SeqCst};
use crate::mm::machine::{Cpu, PhysMem, Tlb, WORDS};
use crate::mm::{Access, Frame, FrameRecord, Page};
use crate::sync::Mutex;
use crate::{point, quietly, thread_local};

const PRESENT: u64 = 1 << 0;
const WRITE: u64 = 1 << 1;
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Words that are filled or copied in one step; then others may come in between.
const HALF: usize = WORDS / 2;

/// The most threads of a scene, its own included.
pub(crate) const CPUS: usize = 4;

thread_local! {
    static CPU: Cell<usize> = const { Cell::new(0) };
}

/// Lets the calling thread be CPU `cpu` from now on.
pub(crate) fn run_on(cpu: usize) {
    assert!(cpu < CPUS, "there are {CPUS} CPUs");
    CPU.with(|current| current.set(cpu));
}

/// Remembered entries, by top-level table and page.
type Remembered = BTreeMap<(u32, u64), u64>;

/// Memory and CPUs.
pub(crate) struct Machine {
    records: Vec<FrameRecord>,
    frames: Vec<[AtomicU64; WORDS]>,
    tlbs: [Mutex<Remembered>; CPUS],
}

/// What an instruction does to a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Loads it.
    Load,
    /// Stores this.
    Store(u64),
}

impl Deed {
    /// What a fault handler is told.
    pub(crate) fn access(self) -> Access {
        match self {
            Self::Load => Access::Read,
            Self::Store(_) => Access::Write,
        }
    }

    fn is_store(self) -> bool {
        self.access() == Access::Write
    }

    /// The bits that an entry must have for the access, and those that the access sets.
    fn bits(self) -> (u64, u64) {
        match self {
            Self::Load => (PRESENT, ACCESSED),
            Self::Store(_) => (PRESENT | WRITE, ACCESSED | DIRTY),
        }
    }
}

impl Machine {
    /// A machine with `frames` frames of rubbish.
    pub(crate) fn new(frames: u32) -> Self {
        let rubbish = |_| std::array::from_fn(|_| AtomicU64::new(0xbad));
        Self {
            records: (0..frames).map(|_| FrameRecord::new()).collect(),
            frames: (0..frames).map(rubbish).collect(),
            tlbs: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// One instruction of the calling thread's CPU in the space under `root`: the word, or `None` for a page fault.
    pub(crate) fn instruction(
        &self,
        root: Frame,
        page: Page,
        word: usize,
        deed: Deed,
    ) -> Option<u64> {
        let mut tlb = self.tlb(CPU.with(Cell::get));
        let key = (root.number(), page.number());
        let (needed, set) = deed.bits();
        let usable =
            |&bits: &u64| bits & needed == needed && (bits & set == set || !deed.is_store());
        let known = tlb.get(&key).copied().filter(usable);
        let Some(bits) = known.or_else(|| self.walk(root, page, deed)) else {
            // A page fault drops what led to it.
            tlb.remove(&key);
            return None;
        };
        tlb.insert(key, bits);
        let number = ((bits & ADDRESS) >> 12) as usize;
        assert_ne!(
            self.records[number].references(),
            0,
            "a program reaches frame {number}, which is free"
        );
        let word = &self.frames[number][word];
        Some(match deed {
            Deed::Load => word.load(SeqCst),
            Deed::Store(value) => {
                word.store(value, SeqCst);
                value
            }
        })
    }

    /// The last-level entry for `page` with its bits set, if it allows `deed`.
    fn walk(&self, root: Frame, page: Page, deed: Deed) -> Option<u64> {
        let (needed, set) = deed.bits();
        let mut table = root.number() as usize;
        for level in (1..4).rev() {
            let bits = self.frames[table][index(page, level)].load(Acquire);
            if bits & PRESENT == 0 {
                return None;
            }
            table = ((bits & ADDRESS) >> 12) as usize;
        }
        let note = |bits: u64| (bits & needed == needed).then_some(bits | set);
        let entry = &self.frames[table][index(page, 0)];
        Some(entry.fetch_update(AcqRel, Acquire, note).ok()? | set)
    }

    fn tlb(&self, cpu: usize) -> crate::sync::MutexGuard<'_, Remembered> {
        self.tlbs[cpu].lock().expect("no thread has panicked")
    }

    fn forget(&self, cpu: usize, root: Frame, pages: &Range<Page>) {
        let pages = (root.number(), pages.start.number())..(root.number(), pages.end.number());
        self.tlb(cpu).retain(|key, _| !pages.contains(key));
    }

    /// Every CPU forgets the space under `root`, which is about to end: each loads another CR3.
    pub(crate) fn deactivate(&self, root: Frame) {
        (0..CPUS).for_each(|cpu| self.tlb(cpu).retain(|key, _| key.0 != root.number()));
    }
}

fn index(page: Page, level: u32) -> usize {
    (page.number() >> (9 * level)) as usize % WORDS
}

impl PhysMem for Machine {
    fn mem_map(&self) -> &[FrameRecord] {
        &self.records
    }

    fn words(&self, frame: Frame) -> &[AtomicU64; WORDS] {
        let number = frame.number() as usize;
        let holders = quietly(|| self.records[number].references());
        assert_ne!(
            holders, 0,
            "the kernel reaches frame {number}, which is free"
        );
        &self.frames[number]
    }

    fn zero(&self, frame: Frame) {
        for half in self.words(frame).chunks(HALF) {
            point();
            quietly(|| half.iter().for_each(|word| word.store(0, Relaxed)));
        }
    }

    fn copy(&self, from: Frame, to: Frame) {
        let (from, to) = (self.words(from), self.words(to));
        for (from, to) in from.chunks(HALF).zip(to.chunks(HALF)) {
            point();
            let words = from.iter().zip(to);
            quietly(|| words.for_each(|(from, to)| to.store(from.load(Relaxed), Relaxed)));
        }
    }
}

impl Tlb for Machine {
    fn flush(&self, root: Frame, page: Page) {
        self.forget(CPU.with(Cell::get), root, &(page..page + 1));
    }

    fn shootdown(&self, root: Frame, pages: Range<Page>) {
        for cpu in 0..CPUS {
            // The interrupt takes its time.
            point();
            self.forget(cpu, root, &pages);
        }
    }
}

impl Cpu for Machine {
    fn pinned<R>(&self, body: impl FnOnce(usize) -> R) -> R {
        body(CPU.with(Cell::get))
    }
}
