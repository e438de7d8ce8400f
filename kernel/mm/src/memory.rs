//! The world that every space lives in: the machine, its frames, the zero page, the counters.
//!
//! What many spaces share stands here and is `Sync` with small locks or atomics of its own; algorithms take `&Memory`
//! as an argument, so a test can have as many worlds as it likes.
use alloc::string::{String, ToString};
use core::ops::Range;

use crate::buddy::Buddy;
use crate::commit::Commitment;
use crate::error::OutOfMemory;
use crate::families::Families;
use crate::frame::{Frame, FrameRecord, Use};
use crate::machine::{Machine, WORDS};
use crate::page_cache::Marked;
use crate::page_table::Levels;
use crate::pte::{Leaf, PteFlags};
use crate::scarcity::Scarcity;
use crate::stats::{Counter, Stats};
use crate::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What counts as a process's pages in memory: Linux's RssAnon, RssFile, RssShmem.
pub(crate) const COUNTED: [Use; 3] = [Use::Anonymous, Use::File, Use::Shared];

/// Everything that address spaces share.
pub struct Memory<M> {
    /// The door to the hardware.
    pub machine: M,
    /// Linux's vmstat counters.
    pub stats: Stats,
    /// Which frames are refused although there are some: none, unless a test asks for it.
    pub scarcity: Scarcity,
    pub(crate) buddy: Buddy,
    pub(crate) commitment: Commitment,
    pub(crate) families: Families,
    /// Of all files together.
    pub(crate) marked: Marked,
    zero: Frame,
    /// Address spaces that exist: top-level tables that were given out.
    spaces: AtomicUsize,
    kernel_half: Option<Frame>,
    levels: Levels,
}

impl<M: Machine> Memory<M> {
    /// A world whose free memory is the frames numbered in `free`.
    ///
    /// This is where frames are minted. The caller promises that nobody uses the memory of `free`, that it is
    /// registered in `machine.mem_map()`, and that it is handed over once; in the kernel the caller is the `unsafe fn` in
    /// `arch::memory` that says so. `levels` is what the processor walks.
    ///
    /// Fails where not even the zero page can be had.
    pub fn new(machine: M, free: &[Range<u32>], levels: Levels) -> Result<Self, OutOfMemory> {
        let buddy = Buddy::new();
        for numbers in free {
            buddy.add(&machine, numbers.clone());
        }
        let zero = buddy.allocate(&machine, 0, Use::Zero).ok_or(OutOfMemory)?;
        machine.zero(zero);
        Ok(Self {
            machine,
            stats: Stats::new(),
            scarcity: Scarcity::new(),
            buddy,
            commitment: Commitment::new(),
            families: Families::new(),
            marked: Marked::new(),
            zero,
            spaces: AtomicUsize::new(0),
            kernel_half: None,
            levels,
        })
    }

    /// Takes more frames into management: boot memory given back. The promise is that of [`Memory::new`].
    pub fn add_frames(&self, free: Range<u32>) {
        self.buddy.add(&self.machine, free);
    }

    /// Takes the top-level table with physical address `table` as the pattern whose upper half every new space
    /// copies. Call once, before the first space.
    pub fn set_kernel_half(&mut self, table: u64) {
        self.kernel_half = Some(Frame::from_number(
            (table >> crate::page::PAGE_SHIFT) as u32,
        ));
    }

    /// The kernel's own top-level table, if one was set.
    pub fn kernel_half(&self) -> Option<Frame> {
        self.kernel_half
    }

    /// How many levels the processor walks.
    pub fn levels(&self) -> Levels {
        self.levels
    }

    /// The frame of zeroes that is mapped, read-only, wherever memory was read before it was written. Not counted.
    pub fn zero_frame(&self) -> Frame {
        self.zero
    }

    /// The record of `frame`.
    pub fn record(&self, frame: Frame) -> &FrameRecord {
        &self.machine.mem_map()[frame.number() as usize]
    }

    /// Frames that are free now.
    pub fn free_frames(&self) -> usize {
        self.buddy.free_frames()
    }

    /// Frames that are managed: free ones and those in use.
    pub fn managed_frames(&self) -> usize {
        self.buddy.managed_frames()
    }

    /// How many frames are used for `usage`, by a look at every record. Not for a free frame's uses.
    pub fn frames_used_for(&self, usage: Use) -> usize {
        let used = |record: &&FrameRecord| record.usage() == usage;
        let blocks = self.machine.mem_map().iter().filter(used);
        blocks.map(|record| 1 << record.order()).sum()
    }

    /// A block of 2^`order` frames for the kernel's own use, contents undefined. Give it back with [`Memory::free`].
    pub fn allocate(&self, order: u32) -> Result<Frame, OutOfMemory> {
        self.take(order, Use::Kernel)
    }

    /// The block of the kernel's own that begins with frame `number`: for an allocator that is handed an address back.
    pub fn kernel_block(&self, number: u32) -> Option<Frame> {
        let record = self.machine.mem_map().get(number as usize)?;
        (record.usage() == Use::Kernel).then(|| Frame::from_number(number))
    }

    /// Gives a block of the kernel's own back.
    pub fn free(&self, frame: Frame) {
        debug_assert_eq!(
            self.record(frame).usage(),
            Use::Kernel,
            "frame {} is not the kernel's",
            frame.number()
        );
        self.put(frame);
    }

    /// One frame of zeroes.
    pub(crate) fn allocate_zeroed(&self, usage: Use) -> Result<Frame, OutOfMemory> {
        let frame = self.take(0, usage)?;
        self.machine.zero(frame);
        Ok(frame)
    }

    /// One frame with undefined contents: the caller fills all of it before ring 3 can see it.
    pub(crate) fn allocate_uncleared(&self, usage: Use) -> Result<Frame, OutOfMemory> {
        self.take(0, usage)
    }

    fn take(&self, order: u32, usage: Use) -> Result<Frame, OutOfMemory> {
        if self.scarcity.strikes() {
            return Err(OutOfMemory);
        }
        let frame = self
            .buddy
            .allocate(&self.machine, order, usage)
            // Single frames in the CPUs' caches may be all that is left, or all that keeps a block apart.
            .or_else(|| self.buddy.allocate_drained(&self.machine, order, usage));
        self.stats
            .add(Counter::pgalloc_normal, u64::from(frame.is_some()) << order);
        if frame.is_none() && order == 0 {
            self.stats.add(Counter::allocstall_normal, 1);
            self.machine.refused();
        }
        frame.ok_or(OutOfMemory)
    }

    /// One holder less; the last one frees the frame.
    pub(crate) fn put(&self, frame: Frame) {
        let record = self.record(frame);
        if record.put() {
            self.stats.add(Counter::pgfree, 1 << record.order());
            self.buddy.release(&self.machine, frame);
        }
    }

    /// A hold on `frame`, which an entry led to that another CPU may be replacing: kept only where the frame was not free
    /// and `still_there` says, once it can't become free any more, that the entry still leads to it.
    #[must_use]
    pub(crate) fn hold_if(&self, frame: Frame, still_there: impl FnOnce() -> bool) -> bool {
        if !self.record(frame).try_get() {
            return false;
        }
        if still_there() {
            return true;
        }
        // By now it may be a stranger's frame; that one's owner freed it, or this does.
        self.put(frame);
        false
    }

    /// An entry for `leaf`, which the caller holds, is about to be written: one mapping more. The zero page is not counted.
    pub(crate) fn mapped(&self, leaf: Leaf) {
        if leaf.frame != self.zero {
            self.record(leaf.frame).mapped();
        }
    }

    /// An entry for `leaf` is gone from its table, but may still be in a TLB: the mapping ends, the holder stays until
    /// [`Memory::put`]. Returns the frame to put, or `None` for the zero page.
    #[must_use]
    pub(crate) fn drop_mapping(&self, leaf: Leaf) -> Option<Frame> {
        if leaf.frame == self.zero {
            return None;
        }
        let record = self.record(leaf.frame);
        if leaf.flags.contains(PteFlags::DIRTY) {
            record.note_written();
        }
        record.unmapped();
        Some(leaf.frame)
    }

    /// Keeps the books of the space with `root`: `count` more of its entries map frames used for `usage`.
    pub(crate) fn count_resident(&self, root: Frame, usage: Use, count: u32) {
        if let Some(resident) = self.record(root).resident(usage) {
            resident.fetch_add(count, Relaxed);
        }
    }

    /// Keeps the books of the space with `root`: `count` entries for frames used for `usage` are gone.
    pub(crate) fn uncount_resident(&self, root: Frame, usage: Use, count: u32) {
        if let Some(resident) = self.record(root).resident(usage) {
            resident.fetch_sub(count, Relaxed);
        }
    }

    /// Whether others hold the frame of `leaf`, too; of the zero page nobody asks.
    pub(crate) fn is_shared(&self, leaf: Leaf) -> bool {
        leaf.frame != self.zero && self.record(leaf.frame).references() > 1
    }

    /// How many address spaces there are.
    pub(crate) fn spaces(&self) -> usize {
        self.spaces.load(Relaxed)
    }

    /// Takes a top-level table back. Nothing is mapped any more and no CPU walks it.
    pub(crate) fn free_root(&self, root: Frame) {
        self.spaces.fetch_sub(1, Relaxed);
        self.put(root);
    }

    /// A new top-level table: user half empty, kernel half shared.
    pub(crate) fn allocate_root(&self) -> Result<Frame, OutOfMemory> {
        let root = self.allocate_zeroed(Use::Table)?;
        self.spaces.fetch_add(1, Relaxed);
        self.record(root).owner.store(u64::MAX, Relaxed);
        for usage in COUNTED {
            if let Some(count) = self.record(root).resident(usage) {
                count.store(0, Relaxed);
            }
        }
        if let Some(kernel) = self.kernel_half {
            let (from, to) = (self.machine.words(kernel), self.machine.words(root));
            for index in WORDS / 2..WORDS {
                to[index].store(from[index].load(Relaxed), Relaxed);
            }
        }
        Ok(root)
    }

    /// Checks the free lists against the counts; the first contradiction, in words.
    pub fn check(&self) -> Result<(), String> {
        let checked = self.buddy.check(&self.machine);
        checked.map_err(|contradiction| contradiction.to_string())
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::testing::memory;

    #[test]
    fn nobody_is_told_of_a_refusal_but_for_want_of_a_single_frame() {
        let memory = memory(8, Levels::Four);
        let refusals = || memory.machine.refusals.load(Relaxed);
        assert!(memory.allocate(5).is_err());
        assert_eq!(
            refusals(),
            0,
            "a block of 32 frames: nobody's end makes one"
        );
        let all: Vec<_> = core::iter::from_fn(|| memory.allocate(0).ok()).collect();
        assert_eq!((all.len(), refusals()), (8, 1));
        assert!(memory.allocate_zeroed(Use::Table).is_err());
        assert_eq!(refusals(), 2);
        all.into_iter().for_each(|frame| memory.free(frame));
        memory.scarcity.begin(1);
        assert!(memory.allocate(0).is_err());
        assert_eq!(refusals(), 2, "there is memory, it is only not given");
    }
}
