//! Reads that faults ask for: mm begins them, somebody who can wait performs them.
use alloc::sync::Arc;

use super::{ABSENT, CachedFile, Lookup, PRESENT};
use crate::frame::Frame;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::PAGE_SIZE;
use crate::remote;
use crate::sync::atomic::Ordering::{Relaxed, Release};

/// A read that someone took on: fill the frame with the page's bytes, zeroes behind the end of the file, and complete it.
#[derive(Debug)]
#[must_use = "until the read is completed everyone who needs the page waits"]
pub struct Read {
    pub(super) file: Arc<CachedFile>,
    pub(super) index: u64,
    pub(super) frame: Frame,
}

/// How a read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadResult {
    /// The frame holds the page.
    Filled,
    /// The device failed: the page stays absent.
    Failed,
}

impl CachedFile {
    /// Fills `buffer` with bytes from `at` on, as far as their page and the file go, and returns how many; `None` where the
    /// page has to be read first.
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
            Lookup::Absent | Lookup::Reading => None,
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

    /// Where to: a frame of zeroes.
    pub fn frame(&self) -> Frame {
        self.frame
    }

    /// Makes the page ready, or absent again.
    pub fn complete<M: Machine>(self, memory: &Memory<M>, result: ReadResult) {
        let Self { file, index, frame } = self;
        if let Some(slot) = file.pages.slot(memory, index) {
            match result {
                ReadResult::Filled => {
                    file.resident.fetch_add(1, Relaxed);
                    slot.store(frame.address() | PRESENT, Release);
                }
                ReadResult::Failed => {
                    slot.store(ABSENT, Release);
                    memory.put(frame);
                }
            }
        }
        file.release(memory);
    }
}
