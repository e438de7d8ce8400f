//! The seam: the handful of operations by which this crate reaches memory, translation caches and the processor.
//!
//! Everything else in `mm` is arithmetic on what these traits return, so the same code runs in the kernel (where
//! `words` is a pointer into the direct map) and on the workstation (where it is an index into a vector and a missing
//! flush is a wrong answer). The traits are safe to call because a [`Frame`] can't be made up: see `frame.rs`.
use core::ops::Range;

use crate::frame::{Frame, FrameRecord};
use crate::page::Page;
use crate::sync::atomic::{AtomicU64, Ordering::Acquire};

/// Words of 8 bytes in a frame, and entries in a page table.
pub const WORDS: usize = 512;

/// Physical memory: the contents of frames and the record kept of each.
pub trait PhysMem {
    /// One record for each frame from number 0 up to the highest that the machine has; holes have records too.
    fn mem_map(&self) -> &[FrameRecord];

    /// The contents of `frame`. Ring 3 or the processor's walker may change them at any time, hence atomics.
    fn words(&self, frame: Frame) -> &[AtomicU64; WORDS];

    /// Shows the words of `frame` that are not zero, with the index of each, in order. A machine that knows where nothing
    /// was stored may skip the look: most of a table is empty, and checks look at every table.
    fn occupied(&self, frame: Frame, mut see: impl FnMut(usize, u64)) {
        for (index, word) in self.words(frame).iter().enumerate() {
            let word = word.load(Acquire);
            if word != 0 {
                see(index, word);
            }
        }
    }

    /// Fills `frame` with zeroes.
    fn zero(&self, frame: Frame);

    /// Copies the 4096 bytes of `from` to `to`.
    fn copy(&self, from: Frame, to: Frame);
}

/// The translation lookaside buffers. `root` is the top-level table of the space whose entries are meant.
pub trait Tlb {
    /// Forgets the translation of one page on the calling CPU only: enough where an entry only gained rights.
    fn flush(&self, root: Frame, page: Page);

    /// Forgets the translations of `pages` on every CPU that may hold them, and returns when they are gone.
    fn shootdown(&self, root: Frame, pages: Range<Page>);
}

/// The calling processor.
pub trait Cpu {
    /// Runs `body` with interrupts off, so that it neither is preempted nor moves, and tells it the CPU's index
    /// (below [`crate::MAX_CPUS`]). `body` must be short.
    fn pinned<R>(&self, body: impl FnOnce(usize) -> R) -> R;

    /// A single frame was wanted here and there is none: told, so that whoever fails for it knows that it was memory,
    /// and not a limit or a block too large, and that somebody's end may help.
    fn refused(&self) {}
}

/// All three: what an algorithm of this crate needs of the machine.
pub trait Machine: PhysMem + Tlb + Cpu {}

impl<M: PhysMem + Tlb + Cpu> Machine for M {}
