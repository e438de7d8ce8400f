//! Pages that differ from what the disk has.
//!
//! A page becomes dirty by a store through an entry, which the fault notices because no entry of a clean page may be stored
//! through, or by a call that copied into it. Either needs a place on the disk first ([`CachedFile::back`]): what is dirty
//! can always be written, so only calls and faults meet a full disk, never the writing back.
//!
//! ```text
//!  read: Filled    BACKED --- store, copy --+
//!                                           +--> BACKED DIRTY --- begin_writeback --> BACKED WRITEBACK --- complete --> BACKED
//!  read: Hole      -  ------- back ---------+    entries may store                   none may; a store makes it DIRTY too
//! ```
//! A place that was just found holds what some other file left there. So a page that gets one is dirty at once, whether or
//! not the store that asked for it ever comes.
use alloc::sync::Arc;

use super::slot::{ABSENT, BACKED, DIRTY, PRESENT, WRITEBACK, shows};
use super::{CachedFile, Lookup};
use crate::frame::Frame;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};
use crate::sync::atomic::{AtomicU64, fence};

/// How many pages are dirty, and how many on their way to the disk: of a file, or of all.
///
/// Added to before a slot is marked, and taken from afterwards: who looks meanwhile sees too many, never fewer than none.
#[derive(Debug)]
pub(crate) struct Marked {
    pub(crate) dirty: AtomicU64,
    pub(crate) writeback: AtomicU64,
}

/// A page that a store needs a place on the disk for: it stays in memory until [`Room::release`].
#[derive(Debug)]
#[must_use = "it holds the file and the page"]
pub struct Room {
    pub(crate) file: Arc<CachedFile>,
    pub(crate) index: u64,
    pub(crate) frame: Frame,
}

/// What came of the wish to make a page dirty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dirtied {
    /// It is dirty.
    Done,
    /// The disk has no place for it yet.
    Unbacked,
    /// It is no longer this frame.
    Gone,
}

impl Marked {
    pub(crate) const fn new() -> Self {
        Self {
            dirty: AtomicU64::new(0),
            writeback: AtomicU64::new(0),
        }
    }
}

impl Room {
    /// The file that the store goes to.
    pub fn file(&self) -> &Arc<CachedFile> {
        &self.file
    }

    /// Which page of it.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Lets go of both. Where a place was found the page says so by now ([`CachedFile::back`]), and the store may be tried
    /// again.
    pub fn release<M: Machine>(self, memory: &Memory<M>) {
        memory.put(self.frame);
        self.file.release(memory);
    }
}

impl CachedFile {
    /// Notes that all of page `index` that the file reaches to has its place on the disk now, some of it only just: the
    /// page is dirty from here on. False where it is not in memory: then the caller sees to it that zeroes stand in what
    /// was found. [`Room`] keeps it there, and so does [`Self::hold`]. The caller keeps the file's length from changing
    /// since it looked for a place.
    pub fn back<M: Machine>(&self, memory: &Memory<M>, index: u64) -> bool {
        let Some(slot) = self.pages.slot(memory, index) else {
            return false;
        };
        self.count_dirty(memory);
        let ready = |bits| (bits & PRESENT != 0).then_some(bits | BACKED | DIRTY);
        let before = slot.fetch_update(SeqCst, Relaxed, ready);
        self.forget_mark(memory, before.unwrap_or(DIRTY));
        before.is_ok()
    }

    /// Keeps page `index` in memory until [`Self::let_go`]; `None` where it is not there, or not yet.
    pub fn hold<M: Machine>(&self, memory: &Memory<M>, index: u64) -> Option<Frame> {
        match self.lookup(memory, index) {
            Lookup::Ready(frame) => Some(frame),
            Lookup::Reading | Lookup::Reserved | Lookup::Absent | Lookup::PastEnd => None,
        }
    }

    /// Ends what [`Self::hold`] began.
    pub fn let_go<M: Machine>(&self, memory: &Memory<M>, frame: Frame) {
        memory.put(frame);
    }

    /// Whether page `index` is in memory and has its place on the disk.
    pub fn is_backed<M: Machine>(&self, memory: &Memory<M>, index: u64) -> bool {
        self.state(memory, index) & BACKED != 0
    }

    /// Whether page `index` differs from what the disk has.
    pub fn is_dirty<M: Machine>(&self, memory: &Memory<M>, index: u64) -> bool {
        self.state(memory, index) & DIRTY != 0
    }

    /// Whether page `index` is on its way to the disk.
    pub fn is_being_written<M: Machine>(&self, memory: &Memory<M>, index: u64) -> bool {
        self.state(memory, index) & WRITEBACK != 0
    }

    /// How many of the file's pages are dirty.
    pub fn dirty_pages(&self) -> u64 {
        self.marked.dirty.load(Relaxed)
    }

    /// How many of the file's pages are on their way to the disk.
    pub fn pages_being_written(&self) -> u64 {
        self.marked.writeback.load(Relaxed)
    }

    pub(super) fn state<M: Machine>(&self, memory: &Memory<M>, index: u64) -> u64 {
        // What a sweep, or whoever else asks, has done before comes first.
        fence(SeqCst);
        let slot = self.pages.slot(memory, index);
        slot.map_or(ABSENT, |slot| slot.load(Acquire))
    }

    /// Makes page `index` dirty, if it is `frame` still.
    ///
    /// Who stored by himself, and holds the frame, calls this afterwards: a writing back that came in between wrote some of
    /// the bytes, and the next one writes all. Who lets an entry store calls it before, and holds the books until the entry
    /// is set: whoever takes the rights of all entries away, after the mark, finds both or neither.
    pub(crate) fn make_dirty<M: Machine>(
        &self,
        memory: &Memory<M>,
        index: u64,
        frame: Frame,
    ) -> Dirtied {
        let Some(slot) = self.pages.slot(memory, index) else {
            return Dirtied::Gone;
        };
        self.count_dirty(memory);
        let may_be = |bits| (shows(bits, frame) && bits & BACKED != 0).then_some(bits | DIRTY);
        match slot.fetch_update(SeqCst, Acquire, may_be) {
            Ok(before) => {
                self.forget_mark(memory, before);
                Dirtied::Done
            }
            Err(bits) => {
                self.forget_mark(memory, DIRTY);
                if shows(bits, frame) {
                    Dirtied::Unbacked
                } else {
                    Dirtied::Gone
                }
            }
        }
    }

    fn count_dirty<M: Machine>(&self, memory: &Memory<M>) {
        for marked in [&self.marked, &memory.marked] {
            marked.dirty.fetch_add(1, Relaxed);
        }
    }

    /// The slot that said `bits` says so no longer, as far as DIRTY goes.
    pub(super) fn forget_mark<M: Machine>(&self, memory: &Memory<M>, bits: u64) {
        if bits & DIRTY != 0 {
            for marked in [&self.marked, &memory.marked] {
                marked.dirty.fetch_sub(1, Relaxed);
            }
        }
    }

    /// All pages are gone. None was on its way: such a write holds the file.
    pub(super) fn forget_all_marks<M: Machine>(&mut self, memory: &Memory<M>) {
        let dirty = self.marked.dirty.swap(0, Relaxed);
        memory.marked.dirty.fetch_sub(dirty, Relaxed);
    }
}

impl<M: Machine> Memory<M> {
    /// Pages of all files that differ from what their disk has: `Dirty` in `/proc/meminfo`.
    pub fn dirty_pages(&self) -> u64 {
        self.marked.dirty.load(Relaxed)
    }

    /// Pages of all files that are on their way to a disk: `Writeback` there.
    pub fn pages_being_written(&self) -> u64 {
        self.marked.writeback.load(Relaxed)
    }
}
