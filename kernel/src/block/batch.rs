//! Pages that go to a disk or come from it together, in as many requests as they lie in places there.
//!
//! A page is seen to when its last piece is answered. All memory is taken before the first page is put in, so what was
//! begun is never given up for want of it.
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{
    AtomicI32, AtomicU16, AtomicU32,
    Ordering::{AcqRel, Acquire, Relaxed},
};

use abi::Errno;
use mm::Frame;
use mm::page_cache::{Read, ReadResult, Write, WriteResult};
use mm::pin::Pin;
use spin::Mutex;

use super::drive::Drive;
use super::parts::{MOST_PARTS, Parts};
use super::queue::{Action, Answer};
use super::request::{Piece, Request};
use crate::arch::memory::memory;
use crate::fs::paged;

/// Pages on their way.
pub(crate) struct Batch {
    pages: Vec<Page>,
    pieces: Vec<Piece>,
    /// Requests that are not answered, and one while not all are sent.
    left: AtomicU32,
    /// What went wrong first; 0 where nothing did.
    error: AtomicI32,
}

struct Page {
    /// `None` once it was seen to.
    work: Mutex<Option<Work>>,
    /// Pieces that are not answered, and one while not all are sent.
    left: AtomicU16,
    error: AtomicI32,
}

/// What becomes of a page when its pieces are answered.
pub(crate) enum Work {
    /// It is filled; the result is for a disk that did not fail.
    Read(Read, ReadResult),
    /// It is clean.
    Write(Write),
    /// It is ring 3's, and free to go.
    Direct(Pin),
}

impl Batch {
    /// Room for so many pages.
    pub(crate) fn try_new(pages: usize) -> Result<Arc<Self>, Errno> {
        let mut batch = Self {
            pages: Vec::new(),
            pieces: Vec::new(),
            left: AtomicU32::new(1),
            error: AtomicI32::new(0),
        };
        let reserved = batch.pages.try_reserve_exact(pages);
        reserved.map_err(|_| Errno::ENOMEM)?;
        let reserved = batch.pieces.try_reserve_exact(pages * MOST_PARTS);
        reserved.map_err(|_| Errno::ENOMEM)?;
        Arc::try_new(batch).map_err(|_| Errno::ENOMEM)
    }

    /// Room for up to so many pages, for one at the least.
    pub(crate) fn up_to(pages: usize) -> Result<Arc<Self>, Errno> {
        Self::try_new(pages).or_else(|errno| {
            if pages > 1 {
                Self::try_new(1)
            } else {
                Err(errno)
            }
        })
    }

    /// Makes it as good as new, once it is over and nobody else's.
    pub(crate) fn clear(&mut self) {
        self.pages.clear();
        self.pieces.clear();
        *self.left.get_mut() = 1;
        *self.error.get_mut() = 0;
    }

    /// How many pages find room.
    pub(crate) fn room(&self) -> usize {
        self.pages.capacity() - self.pages.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Adds a page, which lies in `parts` behind sector `start` of a disk. Where that is not known for an error, the page
    /// has failed.
    pub(crate) fn add(&mut self, work: Work, parts: &Result<Parts, Errno>, start: u64) {
        debug_assert!(self.room() > 0, "a page more than there was room for");
        let (page, frame) = (self.pages.len() as u16, work.frame());
        let (parts, error) = match parts {
            Ok(parts) => (parts.as_slice(), 0),
            Err(errno) => (&[][..], errno.into_raw()),
        };
        self.pieces.extend(parts.iter().map(|part| Piece {
            frame,
            start: part.start,
            bytes: part.bytes,
            page,
            sector: start + part.sector,
        }));
        self.pages.push(Page {
            work: Mutex::new(Some(work)),
            left: AtomicU16::new(parts.len() as u16 + 1),
            error: AtomicI32::new(error),
        });
        note(&self.error, error);
    }

    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Sends all of it on its way.
    pub(crate) fn send(self: &Arc<Self>, drive: &Drive, action: Action) {
        let most = drive.facts().most_frames;
        let mut start = 0;
        drive.send(core::iter::from_fn(|| {
            let end = self.run_from(start, action, most)?;
            let pieces = start..end;
            start = end;
            self.left.fetch_add(1, Relaxed);
            Some(Request::new(action, self.clone(), pieces))
        }));
        for page in &self.pages {
            self.end_piece(page, 0);
        }
        self.end_request();
    }

    /// Sends a flush, of no page.
    pub(super) fn send_flush(self: &Arc<Self>, drive: &Drive) {
        drive.send([Request::new(Action::Flush, self.clone(), 0..0)]);
    }

    /// How far the pieces from `start` on go as one request: as far as they lie on the disk one after another. What is
    /// written goes page by page, for the queue to join: what it joined it tries alone where that fails, and a page that
    /// fails here is lost. A window that can't be read is tried again by those who need it.
    fn run_from(&self, start: usize, action: Action, most: usize) -> Option<usize> {
        let pieces = self.pieces.get(start..).filter(|rest| !rest.is_empty())?;
        let pairs = pieces.windows(2).take(most - 1);
        let goes_on = |pair: &&[Piece]| {
            pair[0].goes_before(&pair[1])
                && (action == Action::Read || pair[0].page == pair[1].page)
        };
        Some(start + 1 + pairs.take_while(goes_on).count())
    }

    /// A request for these pieces was answered.
    pub(super) fn finish(&self, pieces: Range<usize>, answer: Answer) {
        let error = match answer {
            Answer::Done => 0,
            Answer::Failed => Errno::EIO.into_raw(),
        };
        note(&self.error, error);
        for piece in &self.pieces[pieces] {
            self.end_piece(&self.pages[usize::from(piece.page)], error);
        }
        self.end_request();
    }

    fn end_piece(&self, page: &Page, error: i32) {
        note(&page.error, error);
        if page.left.fetch_sub(1, AcqRel) > 1 {
            return;
        }
        let work = page.work.lock().take();
        if let Some(work) = work {
            work.complete(result(&page.error));
        }
    }

    fn end_request(&self) {
        self.left.fetch_sub(1, AcqRel);
    }

    /// Whether all of it has been answered.
    pub(crate) fn is_over(&self) -> bool {
        self.left.load(Acquire) == 0
    }

    /// What went wrong first, of all that was answered.
    pub(crate) fn result(&self) -> Result<(), Errno> {
        result(&self.error)
    }

    /// What became of the page that was added as number `place`, from 0 on; `None` while it is on its way.
    pub(crate) fn answer(&self, place: usize) -> Option<Result<(), Errno>> {
        let page = self.pages.get(place)?;
        (page.left.load(Acquire) == 0).then(|| result(&page.error))
    }

    /// How many pages it has.
    pub(crate) fn len(&self) -> usize {
        self.pages.len()
    }
}

/// Keeps the first error.
fn note(place: &AtomicI32, error: i32) {
    if error != 0 {
        let _ = place.compare_exchange(0, error, AcqRel, Relaxed);
    }
}

fn result(error: &AtomicI32) -> Result<(), Errno> {
    match error.load(Acquire) {
        0 => Ok(()),
        error => Err(Errno::new(error)),
    }
}

impl Work {
    fn frame(&self) -> Frame {
        match self {
            Self::Read(read, _) => read.frame(),
            Self::Write(write) => write.frame(),
            Self::Direct(pin) => pin.frame(),
        }
    }

    fn complete(self, result: Result<(), Errno>) {
        match (self, result) {
            (Self::Read(read, filled), Ok(())) => read.complete(memory(), filled),
            (Self::Read(read, _), Err(_)) => read.complete(memory(), ReadResult::Failed),
            (Self::Write(write), Ok(())) => write.complete(memory(), WriteResult::Written),
            (Self::Write(write), Err(_)) => {
                paged::note_failure(write.file());
                write.complete(memory(), WriteResult::Failed);
            }
            (Self::Direct(pin), _) => pin.release(memory()),
        }
    }
}
