//! The pages of a file that are in memory, found by their place in the file.
//!
//! A page is absent, being read, or ready. Whoever finds it absent may begin the read and gets a [`Read`] that must be
//! completed; until then others are told to wait. One word a page holds the state, changed by compare-and-set.
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use crate::error::OutOfMemory;
use crate::frame::{Frame, Use};
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::PAGE_SIZE;
use crate::stats::Counter;

/// The state of a page of a file: absent, or the number of its frame plus [`FIRST_FRAME`], marked while it is being read.
const ABSENT: u32 = 0;
const FIRST_FRAME: u32 = 1;
const READING: u32 = 1 << 31;

/// A file as the page cache knows it.
#[derive(Debug)]
pub struct CachedFile {
    id: u64,
    size: u64,
    pages: Vec<AtomicU32>,
}

/// What the cache knows of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// In memory; the caller got a reference.
    Ready(Frame),
    /// Someone is reading it.
    Reading,
    /// Not in memory.
    Absent,
    /// The file has no such page.
    PastEnd,
}

impl CachedFile {
    /// A file of `size` bytes, none of which are in memory. `id` is for whoever reads it.
    pub fn try_new(id: u64, size: u64) -> Result<Self, OutOfMemory> {
        let count = usize::try_from(size.div_ceil(PAGE_SIZE)).map_err(|_| OutOfMemory)?;
        let mut pages = Vec::new();
        pages.try_reserve_exact(count)?;
        pages.resize_with(count, || AtomicU32::new(ABSENT));
        Ok(Self { id, size, pages })
    }

    /// Whatever the reader named the file.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Length in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The state of page `index`. A ready page's frame comes with a reference.
    pub fn lookup<M: Machine>(&self, memory: &Memory<M>, index: u64) -> Lookup {
        let Some(page) = self.page(index) else {
            return Lookup::PastEnd;
        };
        match page.load(Acquire) {
            ABSENT => Lookup::Absent,
            state if state & READING != 0 => Lookup::Reading,
            state => {
                let frame = Frame::from_number(state - FIRST_FRAME);
                // The cache's own reference keeps the frame alive: pages leave the cache only when the file does.
                memory.record(frame).get();
                Lookup::Ready(frame)
            }
        }
    }

    /// Takes on the reading of page `index`; `None` where another was first.
    pub fn begin_read<M: Machine>(
        self: &Arc<Self>,
        memory: &Memory<M>,
        index: u64,
    ) -> Result<Option<Read>, OutOfMemory> {
        let Some(page) = self.page(index) else {
            return Ok(None);
        };
        let frame = memory.allocate_zeroed(Use::File)?;
        let reading = READING | (frame.number() + FIRST_FRAME);
        if page
            .compare_exchange(ABSENT, reading, AcqRel, Relaxed)
            .is_err()
        {
            memory.put(frame);
            return Ok(None);
        }
        memory.stats.add(Counter::pgmajfault, 1);
        Ok(Some(Read {
            file: self.clone(),
            index,
            frame,
        }))
    }

    /// How many of the file's pages are in memory.
    pub fn resident_pages(&self) -> u64 {
        self.frames().count() as u64
    }

    /// The frames that the cache holds, with the index of each.
    pub fn frames(&self) -> impl Iterator<Item = (u64, Frame)> {
        self.frames_where(|state| state & READING == 0)
    }

    /// The frames that are being filled for the cache, with the index of each.
    pub(crate) fn frames_in_flight(&self) -> impl Iterator<Item = (u64, Frame)> {
        self.frames_where(|state| state & READING != 0)
    }

    fn frames_where(&self, wanted: impl Fn(u32) -> bool) -> impl Iterator<Item = (u64, Frame)> {
        let states = self.pages.iter().map(|page| page.load(Acquire));
        (0..)
            .zip(states)
            .filter(move |&(_, state)| state != ABSENT && wanted(state))
            .map(|(index, state)| (index, Frame::from_number((state & !READING) - FIRST_FRAME)))
    }

    /// Drops every page that is in memory. Nobody may map the file or read from it any more.
    pub fn evict_all<M: Machine>(&mut self, memory: &Memory<M>) {
        for page in &mut self.pages {
            if let Some(number) =
                core::mem::replace(page.get_mut(), ABSENT).checked_sub(FIRST_FRAME)
            {
                memory.put(Frame::from_number(number));
            }
        }
    }

    fn page(&self, index: u64) -> Option<&AtomicU32> {
        self.pages.get(usize::try_from(index).ok()?)
    }
}

/// A read that someone took on: fill the frame with the page's bytes, zeroes behind the end of the file, and complete it.
#[derive(Debug)]
#[must_use = "until the read is completed everyone who needs the page waits"]
pub struct Read {
    file: Arc<CachedFile>,
    index: u64,
    frame: Frame,
}

/// How a read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadResult {
    /// The frame holds the page.
    Filled,
    /// The device failed: the page stays absent.
    Failed,
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
        let Some(page) = self.file.page(self.index) else {
            return;
        };
        match result {
            ReadResult::Filled => page.store(self.frame.number() + FIRST_FRAME, Release),
            ReadResult::Failed => {
                page.store(ABSENT, Release);
                memory.put(self.frame);
            }
        }
    }
}
