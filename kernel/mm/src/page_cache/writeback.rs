//! Writes of dirty pages: mm begins them, somebody who can wait performs them, as it is with reads.
//!
//! ```text
//!  slot         entries       what a store does
//!  DIRTY        may store     reaches the frame
//!  WRITEBACK    may store     reaches the frame, before the disk looks
//!  WRITEBACK    may not       faults: DIRTY again, and the entry may store; the disk gets the old word or the new one
//!  -            may not       faults: DIRTY
//! ```
//! The mark changes first and the rights go second: a store that comes in between is written, one that comes later is
//! noticed. The other way round a store between the two would be in the frame, on no disk, and in no mark. The write is
//! handed out when no CPU can store unnoticed any more.
use alloc::sync::Arc;
use core::ops::Range;

use super::CachedFile;
use super::slot::{DIRTY, WRITEBACK, frame};
use crate::frame::Frame;
use crate::gather::Gather;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page_table::each_entry;
use crate::pte::{Pte, PteFlags};
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, SeqCst};

/// A write that someone took on: bring the frame's bytes to the page's place on the disk, and complete it.
#[derive(Debug)]
#[must_use = "until the write is completed whoever synchronises or cuts the file waits"]
pub struct Write {
    file: Arc<CachedFile>,
    index: u64,
    frame: Frame,
}

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteResult {
    /// The disk has the page.
    Written,
    /// The disk failed: what it has there is anything. As on Linux the page is clean all the same, and whoever has the file
    /// open is told once.
    Failed,
}

impl CachedFile {
    /// Takes on the writing of the first page of `range` that is dirty and not on its way to the disk already; `None` where
    /// there is none.
    ///
    /// Who wants all that is dirty now on the disk begins every write and waits until no page of `range` is on its way,
    /// twice: what was stored while an older write was on its way is in the second round.
    pub fn begin_writeback<M: Machine>(
        self: &Arc<Self>,
        memory: &Memory<M>,
        range: Range<u64>,
    ) -> Option<Write> {
        let mut from = range.start;
        while self.dirty_pages() > 0 {
            let (index, slot) = self.pages.next(memory, from)?;
            if index >= range.end {
                return None;
            }
            if slot.load(Acquire) & (DIRTY | WRITEBACK) == DIRTY
                && let Some(frame) = self.prepare_write(memory, index, slot)
            {
                return Some(Write {
                    file: self.clone(),
                    index,
                    frame,
                });
            }
            from = index.checked_add(1)?;
        }
        None
    }

    /// The first page of `range` that is on its way to the disk.
    pub fn first_being_written<M: Machine>(
        &self,
        memory: &Memory<M>,
        range: Range<u64>,
    ) -> Option<u64> {
        self.first_marked(memory, range, WRITEBACK)
    }

    /// The first page of `range` whose slot has one of `marks`.
    pub(crate) fn first_marked<M: Machine>(
        &self,
        memory: &Memory<M>,
        range: Range<u64>,
        marks: u64,
    ) -> Option<u64> {
        let mut from = range.start;
        loop {
            let (index, slot) = self.pages.next(memory, from)?;
            if index >= range.end {
                return None;
            }
            if slot.load(SeqCst) & marks != 0 {
                return Some(index);
            }
            from = index.checked_add(1)?;
        }
    }

    /// Makes the page in `slot` one that is on its way to the disk, and that nobody stores to unnoticed; its frame. The
    /// length stays meanwhile: what lies behind it is nobody's, and never leaves memory.
    fn prepare_write<M: Machine>(
        &self,
        memory: &Memory<M>,
        index: u64,
        slot: &AtomicU64,
    ) -> Option<Frame> {
        let length = self.seals.lock();
        if !self.has_page(index) {
            return None;
        }
        let frame = self.mark_written(memory, slot)?;
        self.write_protect(memory, index);
        // A call may be filling what the file does not reach to yet. What it copies is dirty once it is done.
        let end = self.size().max(self.lent_end.load(Relaxed));
        self.clear_behind(memory, index, frame, end);
        drop(length);
        Some(frame)
    }

    /// From DIRTY to WRITEBACK.
    fn mark_written<M: Machine>(&self, memory: &Memory<M>, slot: &AtomicU64) -> Option<Frame> {
        self.count_written(memory);
        let begun = |bits| match bits & (DIRTY | WRITEBACK) {
            DIRTY => Some(bits & !DIRTY | WRITEBACK),
            _ => None,
        };
        match slot.fetch_update(SeqCst, Acquire, begun) {
            Ok(before) => {
                self.forget_mark(memory, before);
                Some(frame(before))
            }
            Err(_) => {
                self.uncount_written(memory);
                None
            }
        }
    }

    /// Takes the right to store from every entry of every space that shows page `index`.
    fn write_protect<M: Machine>(&self, memory: &Memory<M>, index: u64) {
        const STORED: PteFlags = PteFlags::WRITABLE.union(PteFlags::DIRTY);
        let page = index..index + 1;
        let protect = |bits| {
            let entry = Pte::decode(bits);
            let leaf = entry.leaf().filter(|leaf| leaf.flags.intersects(STORED))?;
            Some(entry.with_flags(leaf.flags - STORED).encode())
        };
        let mappings = self.mappings.lock();
        for mapping in mappings.over(&page).filter(|mapping| mapping.may_store) {
            let mut gather = Gather::new(memory, mapping.root);
            each_entry(memory, mapping.root, mapping.pages(&page), |at, entry| {
                if entry.fetch_update(AcqRel, Relaxed, protect).is_ok() {
                    gather.changed(at);
                }
            });
        }
    }

    fn count_written<M: Machine>(&self, memory: &Memory<M>) {
        for marked in [&self.marked, &memory.marked] {
            marked.writeback.fetch_add(1, Relaxed);
        }
    }

    fn uncount_written<M: Machine>(&self, memory: &Memory<M>) {
        for marked in [&self.marked, &memory.marked] {
            marked.writeback.fetch_sub(1, Relaxed);
        }
    }
}

impl Write {
    /// The file that is written.
    pub fn file(&self) -> &Arc<CachedFile> {
        &self.file
    }

    /// Which page of it.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// What is written: all of the frame. The cache holds it until the write is completed; programs may store to it
    /// meanwhile.
    pub fn frame(&self) -> Frame {
        self.frame
    }

    /// Makes the page clean, unless somebody has stored to it since. What the file has lost meanwhile leaves the cache.
    pub fn complete<M: Machine>(self, memory: &Memory<M>, result: WriteResult) {
        let Self { file, index, .. } = self;
        if result == WriteResult::Failed {
            // Before the mark goes: who waits for that asks for failures next.
            file.failures.note();
        }
        {
            let _length_stays = file.seals.lock();
            if let Some(slot) = file.pages.slot(memory, index) {
                slot.fetch_and(!WRITEBACK, SeqCst);
            }
            file.uncount_written(memory);
            if !file.has_page(index) {
                file.drop_page(memory, index);
            }
        }
        file.release(memory);
    }
}
