//! A request to a disk: sectors one after another, and the pieces of memory that they are read into or written from.
//!
//! The request holds the pages that its pieces are parts of (`batch.rs`) and sees to them itself, whoever finds the answer.
//! So its sender may die meanwhile, and the device uses no frame that somebody has given back.
use alloc::sync::Arc;
use core::ops::Range;

use mm::{Frame, PAGE_SIZE};

use super::batch::Batch;
use super::queue::{Action, Answer, Extent};

/// Bytes of a sector, whatever the disk's own may be.
pub(crate) const SECTOR: u64 = 512;

/// Pieces that one command may have, and pages that are read or written at once.
pub(crate) const MOST_FRAMES: usize = 32;

/// Part of a page on its way: sectors one after another in one frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub(crate) frame: Frame,
    /// Which bytes of the frame.
    pub(crate) start: u16,
    pub(crate) bytes: u16,
    /// Which page of the batch.
    pub(super) page: u16,
    /// Where the bytes lie on the disk.
    pub(super) sector: u64,
}

/// Pieces that lie on the disk one after another, of some batch.
pub(crate) struct Request {
    action: Action,
    batch: Arc<Batch>,
    pieces: Range<usize>,
}

impl Piece {
    fn sectors(&self) -> Range<u64> {
        self.sector..self.sector + u64::from(self.bytes) / SECTOR
    }

    /// Whether it begins where a page does, and ends where one does.
    fn is_aligned(&self) -> (bool, bool) {
        let end = self.start + self.bytes;
        (self.start == 0, u64::from(end) == PAGE_SIZE)
    }

    /// Whether a device may be told of `next` right behind this one.
    pub(super) fn goes_before(&self, next: &Self) -> bool {
        self.sectors().end == next.sector && self.is_aligned().1 && next.is_aligned().0
    }
}

impl Request {
    /// A request for some of a batch's pieces, which go before one another; for none, where it is a flush.
    pub(super) fn new(action: Action, batch: Arc<Batch>, pieces: Range<usize>) -> Self {
        Self {
            action,
            batch,
            pieces,
        }
    }

    fn all(&self) -> &[Piece] {
        &self.batch.pieces()[self.pieces.clone()]
    }

    /// Where in memory its bytes come from, or go to.
    pub(super) fn memory(&self) -> impl Iterator<Item = Piece> {
        self.all().iter().copied()
    }

    /// Makes its pages what they are from here on, and tells the sender. Not to be called with a lock held: a file whose
    /// last holder this was gives its pages back.
    pub(super) fn finish(self, answer: Answer) {
        self.batch.finish(self.pieces.clone(), answer);
    }
}

impl Extent for Request {
    fn action(&self) -> Action {
        self.action
    }

    fn sectors(&self) -> Range<u64> {
        match self.all() {
            [] => 0..0,
            [first, .., last] => first.sector..last.sectors().end,
            [only] => only.sectors(),
        }
    }

    fn pieces(&self) -> usize {
        self.pieces.len()
    }

    fn is_aligned(&self) -> (bool, bool) {
        let first = self.all().first().map(Piece::is_aligned);
        let last = self.all().last().map(Piece::is_aligned);
        (
            first.is_some_and(|first| first.0),
            last.is_some_and(|last| last.1),
        )
    }
}
