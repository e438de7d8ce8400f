//! A request to a disk: pages of a file to be filled, and the ticket by which its sender learns what became of it.
//!
//! The request owns the reads that it is made of and completes them itself, whoever finds the answer. So its sender may
//! die meanwhile, and the device writes to no frame that somebody has given back.
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{AtomicU8, Ordering::*};

use abi::Errno;
use mm::page_cache::{Read, ReadResult};
use mm::{Frame, PAGE_SIZE};

use super::queue::{Answer, Extent};
use crate::arch::memory::memory;

/// Bytes of a sector, whatever the disk's own may be.
pub(crate) const SECTOR: u64 = 512;

/// Frames that one command may fill.
pub(crate) const MOST_FRAMES: usize = 32;

/// Sectors of a page.
const A_PAGE: u64 = PAGE_SIZE / SECTOR;

/// A read of sectors one after another.
pub(crate) struct Request {
    sectors: Range<u64>,
    pages: Vec<Read>,
    ticket: Arc<Ticket>,
}

/// Where a request's sender finds the answer.
#[derive(Debug, Default)]
pub(crate) struct Ticket(AtomicU8);

impl Request {
    /// A request for `pages` of a file one after another, which lies in `place` of its disk.
    pub(super) fn try_new(pages: Vec<Read>, place: &Range<u64>) -> Result<Self, Errno> {
        let Ok(ticket) = Arc::try_new(Ticket::default()) else {
            complete(pages, ReadResult::Failed);
            return Err(Errno::ENOMEM);
        };
        let start = pages.first().map_or(0, Read::index) * A_PAGE + place.start;
        let end = start + pages.len() as u64 * A_PAGE;
        Ok(Self {
            sectors: start..end.min(place.end),
            pages,
            ticket,
        })
    }

    /// What its sender keeps.
    pub(super) fn ticket(&self) -> Arc<Ticket> {
        self.ticket.clone()
    }

    /// What its pages are to be read into.
    pub(super) fn frames_to_fill(&self) -> impl Iterator<Item = Frame> {
        self.pages.iter().map(Read::frame)
    }

    /// Makes the pages what they are from here on, and tells the sender. Not to be called with a lock held: a file whose
    /// last holder this was gives its pages back.
    pub(super) fn finish(self, answer: Answer) {
        let result = match answer {
            Answer::Done => ReadResult::Filled,
            Answer::Failed => ReadResult::Failed,
        };
        complete(self.pages, result);
        self.ticket.0.store(answer as u8, Release);
    }
}

impl Extent for Request {
    fn sectors(&self) -> Range<u64> {
        self.sectors.clone()
    }

    fn frames(&self) -> usize {
        self.pages.len()
    }
}

fn complete(pages: Vec<Read>, result: ReadResult) {
    for page in pages {
        page.complete(memory(), result);
    }
}

impl Ticket {
    /// The answer, once it is there.
    pub(super) fn answer(&self) -> Option<Answer> {
        [Answer::Done, Answer::Failed]
            .into_iter()
            .find(|answer| *answer as u8 == self.0.load(Acquire))
    }
}
