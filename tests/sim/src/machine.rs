//! The soft machine: memory in a vector, CPUs with TLBs that remember, and the seam through which `mm` uses them.
//!
//! All memory begins as rubbish, so a frame that should have been zeroed shows at once. A run is one thread of the host;
//! which simulated CPU is executing stands in a cell.
use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Relaxed};

use mm::machine::{Cpu, PhysMem, Tlb as TlbSeam, WORDS};
use mm::{Frame, FrameRecord, Page};

use crate::failing_heap::in_simulator;
use crate::random::mix;
use crate::tlb::Tlb;

/// A machine without a program.
pub struct SoftMachine {
    records: Vec<FrameRecord>,
    frames: Vec<[AtomicU64; WORDS]>,
    /// What is in each frame beside zeroes, as far as that is known.
    contents: Vec<RefCell<Contents>>,
    cpus: Vec<RefCell<SoftCpu>>,
    current: Cell<usize>,
    intruder: RefCell<Option<Box<dyn FnOnce()>>>,
    freed_too_early: Cell<Option<u64>>,
}

/// One CPU: what CR3 holds, and what the walker remembers.
#[derive(Default)]
pub struct SoftCpu {
    /// The frame number of the active top-level table.
    pub root: Option<u64>,
    /// What it remembers.
    pub tlb: Tlb,
}

/// The words of a frame that are not zero.
#[derive(Default)]
struct Contents {
    /// Whether nobody has reached for the frame since they were noted.
    known: bool,
    words: Vec<(u16, u64)>,
}

impl Contents {
    fn learn(&mut self, words: &[AtomicU64; WORDS]) {
        self.words.clear();
        for (eight, index) in words.chunks(8).zip((0..).step_by(8)) {
            let any = eight.iter().fold(0, |any, word| any | word.load(Acquire));
            if any != 0 {
                let words = (index..).zip(eight.iter().map(|word| word.load(Acquire)));
                self.words.extend(words.filter(|&(_, word)| word != 0));
            }
        }
        self.known = true;
    }
}

impl SoftMachine {
    /// A machine with `cpus` CPUs and `frames` frames of rubbish.
    pub fn new(cpus: usize, frames: usize) -> Self {
        let rubbish =
            |frame: usize| std::array::from_fn(|word| mix((frame * WORDS + word) as u64).into());
        Self {
            records: std::iter::repeat_with(FrameRecord::new)
                .take(frames)
                .collect(),
            frames: (0..frames).map(rubbish).collect(),
            contents: (0..frames).map(|_| RefCell::default()).collect(),
            cpus: (0..cpus).map(|_| RefCell::default()).collect(),
            current: Cell::new(0),
            intruder: RefCell::new(None),
            freed_too_early: Cell::new(None),
        }
    }

    /// Lets CPU `cpu` execute what follows. Returns the one that executed until now.
    pub fn run_on(&self, cpu: usize) -> usize {
        self.current.replace(cpu % self.cpus.len())
    }

    /// The CPU that executes.
    pub fn current(&self) -> &RefCell<SoftCpu> {
        &self.cpus[self.current.get()]
    }

    /// All CPUs.
    pub fn cpus(&self) -> &[RefCell<SoftCpu>] {
        &self.cpus
    }

    /// Loads CR3 of the executing CPU, if it holds another table.
    pub fn activate(&self, root: u64) {
        let mut cpu = self.current().borrow_mut();
        if cpu.root != Some(root) {
            cpu.root = Some(root);
            cpu.tlb.forget_all();
        }
    }

    /// Takes every CPU off the table `root`, which is about to go.
    pub fn deactivate(&self, root: u64) {
        for cpu in &self.cpus {
            let mut cpu = cpu.borrow_mut();
            if cpu.root == Some(root) {
                *cpu = SoftCpu::default();
            }
        }
    }

    /// The word at `index` of the frame numbered `frame`, to be changed, or `None` where the machine has no such memory.
    pub fn word(&self, frame: u64, index: usize) -> Option<&AtomicU64> {
        let number = usize::try_from(frame).ok()?;
        let word = self.frames.get(number)?.get(index)?;
        self.contents[number].borrow_mut().known = false;
        Some(word)
    }

    /// What is in that word.
    pub fn load(&self, frame: u64, index: usize) -> Option<u64> {
        let words = self.frames.get(usize::try_from(frame).ok()?)?;
        words.get(index).map(|word| word.load(Acquire))
    }

    /// Lets `act` happen in the middle of the next fault that clears or copies a frame.
    pub fn intrude(&self, act: impl FnOnce() + 'static) {
        *self.intruder.borrow_mut() = Some(Box::new(act));
    }

    /// Takes back what [`Self::intrude`] left, if it did not happen.
    pub fn calm(&self) {
        self.intruder.borrow_mut().take();
    }

    /// A frame that was free already when the CPUs were told to forget it, if there ever was one.
    pub fn freed_too_early(&self) -> Option<u64> {
        self.freed_too_early.get()
    }

    /// Notes a frame of `pages` that is free while `cpu` still leads to it.
    fn look_for_free_frames(&self, cpu: &SoftCpu, root: u64, pages: &Range<u64>) {
        let is_free = |frame: &u64| self.records[*frame as usize].references() == 0;
        let remembered = cpu.tlb.entries().filter_map(|(at, page, entry)| {
            (at == root && pages.contains(&page)).then_some(entry.frame)
        });
        if let Some(frame) = remembered.into_iter().find(is_free) {
            self.freed_too_early.set(Some(frame));
        }
    }

    fn let_intrude(&self) {
        let intruder = self.intruder.borrow_mut().take();
        if let Some(act) = intruder {
            in_simulator(act);
        }
    }
}

impl PhysMem for SoftMachine {
    fn mem_map(&self) -> &[FrameRecord] {
        &self.records
    }

    fn words(&self, frame: Frame) -> &[AtomicU64; WORDS] {
        let number = frame.number() as usize;
        self.contents[number].borrow_mut().known = false;
        &self.frames[number]
    }

    /// A frame is looked through only if somebody could have changed it since the last time.
    fn occupied(&self, frame: Frame, mut see: impl FnMut(usize, u64)) {
        let number = frame.number() as usize;
        let contents = &self.contents[number];
        if !contents.borrow().known {
            contents.borrow_mut().learn(&self.frames[number]);
        }
        for &(index, word) in &contents.borrow().words {
            see(index.into(), word);
        }
    }

    fn zero(&self, frame: Frame) {
        self.let_intrude();
        for word in self.words(frame) {
            word.store(0, Relaxed);
        }
    }

    fn copy(&self, from: Frame, to: Frame) {
        for (from, to) in self.words(from).iter().zip(self.words(to)) {
            to.store(from.load(Relaxed), Relaxed);
        }
        self.let_intrude();
    }
}

impl TlbSeam for SoftMachine {
    fn flush(&self, root: Frame, page: Page) {
        let page = page.number();
        let tlb = &mut self.current().borrow_mut().tlb;
        tlb.forget_pages(root.number().into(), page..page + 1);
    }

    fn shootdown(&self, root: Frame, pages: Range<Page>) {
        let root = root.number().into();
        let pages = pages.start.number()..pages.end.number();
        for cpu in &self.cpus {
            let cpu = &mut *cpu.borrow_mut();
            self.look_for_free_frames(cpu, root, &pages);
            cpu.tlb.forget_pages(root, pages.clone());
        }
    }
}

impl Cpu for SoftMachine {
    fn pinned<R>(&self, body: impl FnOnce(usize) -> R) -> R {
        body(self.current.get())
    }
}
