//! Physical frames and the record kept of each: who holds it, what it is, and its place in a list.
//!
//! A [`Frame`] is the right to touch 4 KiB of physical memory through the safe [`PhysMem`](crate::machine::PhysMem), so
//! it must not be made up: its field is private. Frames are minted from the ranges given to
//! [`Memory::new`](crate::Memory::new) and [`Memory::add_frames`](crate::Memory::add_frames), from the table given to
//! [`Memory::set_kernel_half`](crate::Memory::set_kernel_half), and read back from tables and records. Those three can't be
//! `unsafe` in a crate that forbids the word; only `arch::memory` may call them, and each range once: it says so too.
//! A frame is a number that can be copied. The copy is good for as long as its holder's reference is; whoever gives the
//! reference up (the heap by [`Memory::free`](crate::Memory::free), a gather after its shootdown) keeps no copy.
use crate::page::PAGE_SHIFT;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering::*};

/// The number of a 4 KiB physical frame that this kernel manages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frame(u32);

impl Frame {
    /// Only for the ranges handed over at boot and for numbers read back from tables and records.
    #[inline]
    pub(crate) const fn from_number(number: u32) -> Self {
        Self(number)
    }

    /// The frame's number: its physical address divided by 4096, and its index in `mem_map`.
    #[inline]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The physical address of the frame's first byte.
    #[inline]
    pub const fn address(self) -> u64 {
        (self.0 as u64) << PAGE_SHIFT
    }
}

/// What a frame is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Use {
    /// Not ours to give: firmware, holes, the kernel's image, the initramfs.
    Reserved,
    /// First frame of a block on one of the buddy's lists.
    FreeBlock,
    /// Inside a free block, not its first frame.
    FreeTail,
    /// Free, waiting in a CPU's cache.
    CpuCache,
    /// The kernel's own: heap, stacks, records.
    Kernel,
    /// A page table of some address space.
    Table,
    /// Private memory of one or more processes.
    Anonymous,
    /// A page of a file, held by its page cache.
    File,
    /// A page of a file that lives in memory alone: shared anonymous memory is one.
    Shared,
    /// A node of a page cache's index.
    Index,
    /// The one frame of zeroes that stands in for every page that was only read.
    Zero,
}

const USES: [Use; 11] = [
    Use::Reserved,
    Use::FreeBlock,
    Use::FreeTail,
    Use::CpuCache,
    Use::Kernel,
    Use::Table,
    Use::Anonymous,
    Use::File,
    Use::Shared,
    Use::Index,
    Use::Zero,
];

/// No frame: the end of a list.
pub(crate) const NIL: u32 = u32::MAX;

/// What is known of one frame; `mem_map` holds one for each. 32 bytes.
#[derive(Debug)]
#[repr(C)]
pub struct FrameRecord {
    /// Holders: each entry that maps the frame is one, a page cache is one. 0 for a free frame.
    refs: AtomicU32,
    /// User entries that map the frame.
    maps: AtomicU32,
    /// [`Use`] in the low byte, order of the block in the next; [`WRITTEN`], [`AHEAD`]; how many of the holders are pins,
    /// above that.
    state: AtomicU32,
    /// Neighbours in a list of the buddy; guarded by its lock. In a top-level table, with `private`, how many pages its
    /// space has in memory: whoever empties an entry through the reverse map knows of the space only its root.
    next: AtomicU32,
    prev: AtomicU32,
    /// For whoever owns the frame: the slab keeps its count of live objects here, a private page its family.
    pub private: AtomicU32,
    /// For whoever owns the frame: a second, wider word. Where a private page was mapped; of a top-level table, which
    /// member of a family its space is (`families.rs`).
    pub owner: AtomicU64,
}

const _: () = assert!(size_of::<FrameRecord>() == 32);

/// In a record's state: the page of a file that lives in memory alone was written since it was made.
const WRITTEN: u32 = 1 << 16;

/// In a record's state: the page of a file was read before anybody asked for it, and nobody has come to it yet.
const AHEAD: u32 = 1 << 17;

/// In a record's state: one pin.
const PIN: u32 = 1 << 18;

impl FrameRecord {
    /// The record of a reserved frame, as every frame begins.
    pub const fn new() -> Self {
        Self {
            refs: AtomicU32::new(0),
            maps: AtomicU32::new(0),
            state: AtomicU32::new(0),
            next: AtomicU32::new(NIL),
            prev: AtomicU32::new(NIL),
            private: AtomicU32::new(0),
            owner: AtomicU64::new(0),
        }
    }

    /// What the frame is used for.
    #[inline]
    pub fn usage(&self) -> Use {
        USES[(self.state.load(Relaxed) & 0xff) as usize]
    }

    /// Binary logarithm of the frames in the block that this frame begins.
    #[inline]
    pub fn order(&self) -> u32 {
        self.state.load(Relaxed) >> 8 & 0xff
    }

    /// Whether the frame holds a page of a file that lives in memory alone, and the page was written.
    pub(crate) fn was_written(&self) -> bool {
        self.state.load(Relaxed) & WRITTEN != 0
    }

    /// Notes that it was: by a call, or through an entry. The caller holds the frame.
    pub(crate) fn note_written(&self) {
        if self.usage() == Use::Shared && !self.was_written() {
            self.state.fetch_or(WRITTEN, Relaxed);
        }
    }

    /// Whether the page begins what was read before anybody asked for it (`page_cache/ahead.rs`).
    #[inline]
    pub(crate) fn is_ahead(&self) -> bool {
        self.state.load(Relaxed) & AHEAD != 0
    }

    /// Notes that it does. The caller is about to have the frame filled.
    pub(crate) fn note_ahead(&self) {
        self.state.fetch_or(AHEAD, Relaxed);
    }

    /// Somebody has come to the page: true for the first who says so. The caller holds the frame.
    #[inline]
    pub(crate) fn take_ahead(&self) -> bool {
        self.is_ahead() && self.state.fetch_and(!AHEAD, Relaxed) & AHEAD != 0
    }

    pub(crate) fn set(&self, usage: Use, order: u32) {
        self.state.store(usage as u32 | order << 8, Relaxed);
    }

    /// Of a top-level table: how many pages used for `usage` its space has in memory, where that is counted.
    pub(crate) fn resident(&self, usage: Use) -> Option<&AtomicU32> {
        match usage {
            Use::Anonymous => Some(&self.next),
            Use::File => Some(&self.prev),
            Use::Shared => Some(&self.private),
            _ => None,
        }
    }

    /// How many of those who hold the frame are pins.
    #[inline]
    pub fn pins(&self) -> u32 {
        self.state.load(Relaxed) / PIN
    }

    /// One of the holders, the caller, is a pin from here on. False where there are too many.
    #[must_use]
    pub(crate) fn pin(&self) -> bool {
        let more = |state: u32| state.checked_add(PIN);
        self.state.fetch_update(Relaxed, Relaxed, more).is_ok()
    }

    /// The caller, who still holds the frame, is no pin any more.
    pub(crate) fn unpin(&self) {
        let before = self.state.fetch_sub(PIN, Relaxed);
        debug_assert!(before >= PIN, "a frame lost a pin that it did not have");
    }

    /// How many hold the frame.
    #[inline]
    pub fn references(&self) -> u32 {
        self.refs.load(Acquire)
    }

    /// How many user entries map the frame.
    #[inline]
    pub fn mappings(&self) -> u32 {
        self.maps.load(Relaxed)
    }

    pub(crate) fn set_references(&self, count: u32) {
        // After the record says what the frame is: whoever gets it by number may have to free it.
        self.refs.store(count, Release);
    }

    /// One holder more. The caller holds the frame already, or reads an entry that can't go away.
    pub(crate) fn get(&self) {
        let before = self.refs.fetch_add(1, Relaxed);
        debug_assert!(before != 0, "a free frame was taken");
    }

    /// One holder more, unless there is none: for those who found the frame where it may be taken away at any time.
    #[must_use]
    pub(crate) fn try_get(&self) -> bool {
        let more = |count| (count != 0).then(|| count + 1);
        self.refs.fetch_update(Acquire, Relaxed, more).is_ok()
    }

    /// One holder less; true where it was the last.
    #[must_use]
    pub(crate) fn put(&self) -> bool {
        let before = self.refs.fetch_sub(1, Release);
        debug_assert!(before != 0, "a free frame was dropped");
        // All that other holders did to the contents comes before the frame's next life.
        before == 1 && self.refs.load(Acquire) == 0
    }

    /// From one holder, the caller, to none that anybody could join, until the count is set again. False where there are
    /// others.
    #[must_use]
    pub(crate) fn freeze(&self) -> bool {
        self.refs.compare_exchange(1, 0, AcqRel, Relaxed).is_ok()
    }

    pub(crate) fn mapped(&self) {
        self.maps.fetch_add(1, Relaxed);
    }

    pub(crate) fn unmapped(&self) {
        let before = self.maps.fetch_sub(1, Relaxed);
        debug_assert!(before != 0, "a frame lost a mapping that it did not have");
    }

    pub(crate) fn next(&self) -> u32 {
        self.next.load(Relaxed)
    }

    pub(crate) fn prev(&self) -> u32 {
        self.prev.load(Relaxed)
    }

    pub(crate) fn link(&self, prev: u32, next: u32) {
        self.prev.store(prev, Relaxed);
        self.next.store(next, Relaxed);
    }

    pub(crate) fn set_next(&self, next: u32) {
        self.next.store(next, Relaxed);
    }

    pub(crate) fn set_prev(&self, prev: u32) {
        self.prev.store(prev, Relaxed);
    }
}

impl Use {
    /// Whether a page cache holds the frame, so that who maps it privately must copy before a store.
    pub(crate) fn is_cached(self) -> bool {
        matches!(self, Self::File | Self::Shared)
    }
}

impl Default for FrameRecord {
    fn default() -> Self {
        Self::new()
    }
}
