//! Reads that faults ask for: mm begins them, somebody who can wait performs them.
//!
//! A read ends with the lock of the seals held, as a change of the file's length is made: a truncation either finds the
//! page ready, or is over before the page becomes so. Hence no read brings back what a file has lost.
use alloc::sync::Arc;

use super::slot::{ABSENT, BACKED, PRESENT, READING};
use super::{CachedFile, Lookup, Pattern, Source};
use crate::error::OutOfMemory;
use crate::frame::{Frame, Use};
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::PAGE_SIZE;
use crate::remote;
use crate::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use crate::sync::atomic::fence;

/// A read that someone took on: fill the frame with the page's bytes and complete it. What lies behind the end of the file
/// becomes zeroes then.
#[derive(Debug)]
#[must_use = "until the read is completed everyone who needs the page waits"]
pub struct Read {
    pub(super) file: Arc<CachedFile>,
    pub(super) index: u64,
    pub(super) frame: Frame,
    pub(crate) pattern: Pattern,
}

/// How a read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadResult {
    /// The frame holds the page, all of which has its place on the disk.
    Filled,
    /// The frame holds the page, some of which has no place on the disk yet: zeroes stand there.
    Hole,
    /// The disk failed: the page stays absent.
    Failed,
}

impl CachedFile {
    /// Takes on the reading of page `index`; `None` where another was first.
    pub fn begin_read<M: Machine>(
        self: &Arc<Self>,
        memory: &Memory<M>,
        index: u64,
    ) -> Result<Option<Read>, OutOfMemory> {
        if !self.has_page(index) {
            return Ok(None);
        }
        let slot = self.pages.slot_or_create(memory, index)?;
        // No frame is cleared for a page that is there.
        if slot.load(Acquire) != ABSENT {
            return Ok(None);
        }
        let frame = memory.allocate_zeroed(Use::File)?;
        let reading = frame.address() | READING;
        if slot
            .compare_exchange(ABSENT, reading, AcqRel, Relaxed)
            .is_err()
        {
            memory.put(frame);
            return Ok(None);
        }
        fence(SeqCst);
        if !self.has_page(index) {
            // Who cut the file short meanwhile may have seen that nothing is on its way.
            slot.store(ABSENT, Release);
            memory.put(frame);
            return Ok(None);
        }
        Ok(Some(Read {
            file: self.clone(),
            index,
            frame,
            pattern: Pattern::Unknown,
        }))
    }

    /// What the slot of a page says that was read.
    fn ready_marks(&self, result: ReadResult) -> u64 {
        let is_backed = self.source == Source::Disk && result == ReadResult::Filled;
        PRESENT | if is_backed { BACKED } else { 0 }
    }

    /// Fills the bytes of page `index`, in `frame`, with zeroes that lie behind byte `end` of the file.
    pub(crate) fn clear_behind<M: Machine>(
        &self,
        memory: &Memory<M>,
        index: u64,
        frame: Frame,
        end: u64,
    ) {
        let kept = end.saturating_sub(index * PAGE_SIZE).min(PAGE_SIZE);
        let words = memory.machine.words(frame);
        remote::zero_bytes(words, kept as usize..PAGE_SIZE as usize);
    }

    /// Fills `buffer` with bytes from `at` on, as far as their page and the file go, and returns how many; `None` where the
    /// page has to be read first. For files that are read in.
    pub fn read_ready<M: Machine>(
        &self,
        memory: &Memory<M>,
        at: u64,
        buffer: &mut [u8],
    ) -> Option<usize> {
        match self.lookup(memory, at / PAGE_SIZE) {
            Lookup::Ready(frame) => {
                let in_page = at % PAGE_SIZE;
                let left = self.size().saturating_sub(at).min(PAGE_SIZE - in_page);
                let count = left.min(buffer.len() as u64) as usize;
                let words = memory.machine.words(frame);
                remote::read_bytes(words, in_page as usize, &mut buffer[..count]);
                memory.put(frame);
                Some(count)
            }
            Lookup::PastEnd => Some(0),
            Lookup::Absent | Lookup::Reading | Lookup::Reserved => None,
        }
    }
}

impl Read {
    /// The file to read from.
    pub fn file(&self) -> &Arc<CachedFile> {
        &self.file
    }

    /// Which page of it.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// In which order the area that asked will need pages, as it was said to.
    pub fn pattern(&self) -> Pattern {
        self.pattern
    }

    /// Where to: a frame of zeroes.
    pub fn frame(&self) -> Frame {
        self.frame
    }

    /// Makes the page ready, or absent again.
    pub fn complete<M: Machine>(self, memory: &Memory<M>, result: ReadResult) {
        let Self {
            file, index, frame, ..
        } = self;
        if let Some(slot) = file.pages.slot(memory, index) {
            let _length_stays = file.seals.lock();
            if result == ReadResult::Failed || !file.has_page(index) {
                slot.store(ABSENT, Release);
                memory.put(frame);
            } else {
                file.clear_behind(memory, index, frame, file.size());
                file.resident.fetch_add(1, Relaxed);
                slot.store(frame.address() | file.ready_marks(result), Release);
            }
        }
        file.release(memory);
    }
}
