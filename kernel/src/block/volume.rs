//! A whole disk, or a partition of one, as a place that pages of a file come from.
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use abi::Errno;
use mm::page_cache::{CachedFile, Read, Source};

use super::drive::Drive;
use super::request::{MOST_FRAMES, Request, SECTOR, Ticket};
use crate::arch::memory::memory;

/// Sectors of a disk.
#[derive(Clone)]
pub(crate) struct Volume {
    pub(crate) drive: &'static Drive,
    /// Which of the disks.
    pub(crate) disk: usize,
    /// Which part of it; 0 is the whole.
    pub(crate) part: usize,
    pub(crate) sectors: Range<u64>,
}

/// Pages on their way.
pub(crate) struct Fetch {
    ticket: Arc<Ticket>,
    pages: u64,
}

impl Volume {
    /// In bytes.
    pub(crate) fn size(&self) -> u64 {
        (self.sectors.end - self.sectors.start) * SECTOR
    }

    /// A file of its bytes, none of which are in memory.
    pub(crate) fn new_file(&self, id: u64) -> CachedFile {
        CachedFile::new(id, Source::Disk, self.size())
    }

    /// Begins to read the first of `pages` of such a file, and as many behind it as nobody has read or reads; `None` where
    /// another was first.
    pub(crate) fn fetch(
        &self,
        file: &Arc<CachedFile>,
        pages: Range<u64>,
    ) -> Result<Option<Fetch>, Errno> {
        self.send(begin(file, Vec::new(), pages)?)
    }

    /// The same, with a read that was begun already: that of the first page.
    pub(crate) fn fetch_on(&self, first: Read, behind: Range<u64>) -> Result<Fetch, Errno> {
        let file = first.file().clone();
        let mut reads = Vec::new();
        if reads.try_reserve(MOST_FRAMES).is_err() {
            first.complete(memory(), mm::page_cache::ReadResult::Failed);
            file.release(memory());
            return Err(Errno::ENOMEM);
        }
        reads.push(first);
        let reads = begin(&file, reads, behind);
        file.release(memory());
        self.send(reads?)?.ok_or(Errno::ENOMEM)
    }

    fn send(&self, reads: Vec<Read>) -> Result<Option<Fetch>, Errno> {
        if reads.is_empty() {
            return Ok(None);
        }
        let pages = reads.len() as u64;
        let request = Request::try_new(reads, &self.sectors)?;
        let ticket = self.drive.send(request)?;
        Ok(Some(Fetch { ticket, pages }))
    }

    /// Waits for the pages: `EIO` where the disk failed, `EINTR` where the process has to end first.
    pub(crate) fn wait_for(&self, fetch: &Fetch) -> Result<(), Errno> {
        self.drive.wait_for(&fetch.ticket)
    }

    /// Waits while somebody reads page `index`; `EINTR` where the process has to end first.
    pub(crate) fn wait_for_page(&self, file: &CachedFile, index: u64) -> Result<(), Errno> {
        self.drive
            .wait_until(|| !file.is_being_read(memory(), index))
    }
}

impl Fetch {
    /// How many there are.
    pub(crate) fn pages(&self) -> u64 {
        self.pages
    }
}

/// Adds reads of `pages`, up to the first that somebody has read or reads.
fn begin(
    file: &Arc<CachedFile>,
    mut reads: Vec<Read>,
    pages: Range<u64>,
) -> Result<Vec<Read>, Errno> {
    let room = MOST_FRAMES - reads.len();
    let wanted = pages.take(room);
    if reads.try_reserve(room).is_err() {
        return if reads.is_empty() {
            Err(Errno::ENOMEM)
        } else {
            Ok(reads)
        };
    }
    for index in wanted {
        match file.begin_read(memory(), index) {
            Ok(Some(read)) => reads.push(read),
            Err(_) if reads.is_empty() => return Err(Errno::ENOMEM),
            Ok(None) | Err(_) => break,
        }
    }
    Ok(reads)
}
