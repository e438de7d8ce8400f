//! Pages that come from a disk: for faults, for calls, and ahead of both.
use alloc::sync::Arc;
use core::ops::Range;

use abi::Errno;
use mm::PAGE_SIZE;
use mm::page_cache::{CachedFile, Read, ReadResult};

use super::{Paged, of, pressure};
use crate::arch::memory::memory;
use crate::block::{Action, Batch, MOST_FRAMES, Window, Work};
use crate::fs::buffers::Buffers;
use crate::fs::open::Step;
use crate::lock::{IrqLock, Rank};
use crate::process::oom::{self, Need};

/// Bytes copied at a time.
const PIECE: usize = 512;

/// Pages on their way.
struct Fetch<'a> {
    paged: &'a Paged,
    batch: Arc<Batch>,
}

impl Paged {
    /// Begins to read the first of `pages`, and as many behind it as nobody has read or reads; `None` where another was
    /// first.
    fn fetch(&self, file: &Arc<CachedFile>, pages: Range<u64>) -> Result<Option<Fetch<'_>>, Errno> {
        let batch = new_batch(pages.end.saturating_sub(pages.start))?;
        match file.begin_read(memory(), pages.start) {
            Ok(Some(first)) => Ok(Some(self.send(batch, first, pages.start + 1..pages.end))),
            Ok(None) => Ok(None),
            Err(_) => Err(Errno::ENOMEM),
        }
    }

    /// The same, with a read that was begun already: that of the page before `behind`.
    fn fetch_on(&self, first: Read, behind: Range<u64>) -> Result<Fetch<'_>, Errno> {
        match new_batch(1 + behind.end.saturating_sub(behind.start)) {
            Ok(batch) => Ok(self.send(batch, first, behind)),
            Err(errno) => {
                first.complete(memory(), ReadResult::Failed);
                Err(errno)
            }
        }
    }

    /// Sends `first` on its way, and what finds memory of the pages behind it.
    fn send(&self, mut batch: Arc<Batch>, first: Read, behind: Range<u64>) -> Fetch<'_> {
        let file = first.file().clone();
        let behind = behind.take_while(|_| !pressure::is_short());
        let reads = behind.map_while(|index| file.begin_read(memory(), index).ok().flatten());
        for read in core::iter::once(first).chain(reads) {
            let Some(batch) = Arc::get_mut(&mut batch) else {
                unreachable!("a batch that was not sent is nobody else's");
            };
            let parts = self.locate(read.index());
            let filled = parts.as_ref().map_or(ReadResult::Failed, |parts| {
                self.result(&file, read.index(), parts)
            });
            batch.add(
                Work::Read(read, filled),
                &parts,
                self.volume().sectors.start,
            );
            if batch.room() == 0 {
                break;
            }
        }
        file.release(memory());
        batch.send(self.volume().drive, Action::Read);
        Fetch { paged: self, batch }
    }

    /// Reads page `index`, or waits while another does, whoever dies meanwhile.
    pub(super) fn bring_alone(&self, file: &Arc<CachedFile>, index: u64) -> Result<(), Errno> {
        let drive = self.volume().drive;
        match self.fetch(file, index..index + 1)? {
            Some(Fetch { batch, .. }) => {
                drive.wait_out(|| batch.is_over());
                batch.result()
            }
            None => {
                drive.wait_out(|| !file.is_being_read(memory(), index));
                Ok(())
            }
        }
    }

    /// Waits while somebody reads page `index`; `EINTR` where the process has to end first.
    fn wait_for_page(&self, file: &CachedFile, index: u64) -> Result<(), Errno> {
        let drive = self.volume().drive;
        drive.wait_until(|| !file.is_being_read(memory(), index))
    }
}

/// Room for up to so many pages, for which others give way where memory is short.
fn new_batch(pages: u64) -> Result<Arc<Batch>, Errno> {
    let pages = pages.clamp(1, MOST_FRAMES as u64) as usize;
    pressure::make_room(pages);
    Batch::up_to(pages)
}

impl Fetch<'_> {
    /// Waits for the first page: `EIO` where the disk failed, `EINTR` where the process has to end first.
    fn wait(&self) -> Result<(), Errno> {
        let drive = self.paged.volume().drive;
        drive.wait_until(|| self.batch.first().is_some())?;
        self.batch.first().unwrap_or(Ok(()))
    }

    /// The same, of a window that began with page `index`. Where one of several pages is bad the first may seem so for their
    /// sake: it is to be tried once more, alone.
    fn wait_in(&self, window: &IrqLock<Window>, index: u64) -> Result<(), Errno> {
        match self.wait() {
            Err(Errno::EIO) if self.batch.len() > 1 => {
                window.lock().failed(index);
                Ok(())
            }
            result => result,
        }
    }
}

/// Performs a read that a fault asked for, where the page lies on a disk, and reads ahead. `EIO` where the disk failed,
/// `EINTR` where the process has to end first.
pub(in crate::fs) fn complete(read: Read) -> Result<(), Errno> {
    let file = read.file().clone();
    let result = match of(&file) {
        Some(paged) => perform(paged, read),
        None => {
            read.complete(memory(), ReadResult::Failed);
            Err(Errno::EIO)
        }
    };
    file.release(memory());
    result
}

fn perform(paged: &Paged, read: Read) -> Result<(), Errno> {
    let index = read.index();
    let pages = paged.faults.lock().miss(index, 1);
    let fetch = paged.fetch_on(read, index + 1..pages.end)?;
    fetch.wait_in(&paged.faults, index)
}

/// A fault came to page `index`, which another is reading: waits for that. `EINTR` where the process has to end first.
pub(in crate::fs) fn wait_for_page(file: &CachedFile, index: u64) -> Result<(), Errno> {
    match of(file) {
        Some(paged) => paged.wait_for_page(file, index),
        None => {
            crate::process::sched::yield_now();
            Ok(())
        }
    }
}

/// One who reads a file by calls, and how far ahead.
pub(crate) struct Reader(IrqLock<Window>);

impl Reader {
    /// One who has not read yet.
    pub(crate) const fn new() -> Self {
        Self(IrqLock::new(Rank::Files, Window::new()))
    }

    /// Moves bytes from byte `at` of a file on to ring 3.
    pub(crate) fn read(
        &self,
        file: &Arc<CachedFile>,
        at: u64,
        into: &mut Buffers<'_>,
    ) -> Result<Step, Errno> {
        if at >= file.size() || into.left() == 0 {
            return Ok(Step::Done);
        }
        let wanted = (at % PAGE_SIZE + into.left()).div_ceil(PAGE_SIZE);
        oom::retry(Need::File, || self.bring(file, at / PAGE_SIZE, wanted))?;
        let mut piece = [0; PIECE];
        let want = into.left().min(PIECE as u64) as usize;
        if let Some(count) = file.read_ready(memory(), at, &mut piece[..want]) {
            into.fill(&piece[..count])?;
        }
        Ok(Step::More)
    }

    /// Has page `index` in memory, of which and of those behind it `wanted` are asked for: nothing, where the file has no such
    /// page.
    pub(crate) fn bring(
        &self,
        file: &Arc<CachedFile>,
        index: u64,
        wanted: u64,
    ) -> Result<(), Errno> {
        let paged = of(file).ok_or(Errno::EIO)?;
        while !file.is_ready(memory(), index) && index < file.pages() {
            if file.is_being_read(memory(), index) {
                paged.wait_for_page(file, index)?;
            } else {
                self.read_from(paged, file, index, wanted)?;
            }
        }
        let ahead = self.0.lock().hit(index);
        if let Some(ahead) = ahead {
            // Nobody waits for these; whoever needs them learns what became of them.
            let _ = paged.fetch(file, ahead);
        }
        Ok(())
    }

    /// Has page `index` read, and those behind it that the window says.
    fn read_from(
        &self,
        paged: &Paged,
        file: &Arc<CachedFile>,
        index: u64,
        wanted: u64,
    ) -> Result<(), Errno> {
        let pages = self.0.lock().miss(index, wanted);
        match paged.fetch(file, index..pages.end)? {
            Some(fetch) => fetch.wait_in(&self.0, index),
            // Another was quicker.
            None => Ok(()),
        }
    }
}
