//! Pages that come from a disk: for faults, for calls, and ahead of both.
use alloc::sync::Arc;
use core::ops::Range;

use abi::Errno;
use mm::PAGE_SIZE;
use mm::page_cache::{CachedFile, Pattern, Read, ReadResult};

use super::pressure::{self, is_short};
use super::{Paged, of};
use crate::arch::memory::memory;
use crate::block::{Action, Batch, LARGEST, Plan, Window, Work};
use crate::fs::buffers::Buffers;
use crate::fs::open::Step;
use crate::lock::{IrqLock, Rank};
use crate::process::oom::{self, Need};

/// Pages on their way.
struct Fetch<'a> {
    paged: &'a Paged,
    batch: Arc<Batch>,
    /// Which of them somebody waits for.
    asked: Option<usize>,
}

impl Paged {
    /// Begins to read those pages of `plan` that nobody has read or reads, where there is memory for that; `asked` is one
    /// of them that was begun already.
    fn fetch(
        &self,
        file: &Arc<CachedFile>,
        plan: Plan,
        mut asked: Option<Read>,
    ) -> Result<Fetch<'_>, Errno> {
        let mut batch = match new_batch(plan.pages.end.saturating_sub(plan.pages.start)) {
            Ok(batch) => batch,
            Err(errno) => {
                if let Some(read) = asked {
                    read.complete(memory(), ReadResult::Failed);
                }
                return Err(errno);
            }
        };
        let room = Arc::get_mut(&mut batch).expect("a batch that was not sent is nobody else's");
        let mut place = None;
        for index in fitting(plan.pages, room.room(), asked.as_ref().map(Read::index)) {
            let is_asked = asked.as_ref().is_some_and(|read| read.index() == index);
            let read = if is_asked {
                place = Some(room.len());
                asked.take()
            } else {
                file.begin_read(memory(), index).ok().flatten()
            };
            let Some(read) = read else { continue };
            if plan.mark == Some(index) {
                read.mark_ahead(memory());
            }
            self.add(room, file, read);
        }
        batch.send(self.volume().drive, Action::Read);
        Ok(Fetch {
            paged: self,
            batch,
            asked: place,
        })
    }

    /// Adds the page of `read` to what is to be sent.
    fn add(&self, batch: &mut Batch, file: &CachedFile, read: Read) {
        let parts = self.locate(read.index());
        let filled = parts.as_ref().map_or(ReadResult::Failed, |parts| {
            self.result(file, read.index(), parts)
        });
        batch.add(
            Work::Read(read, filled),
            &parts,
            self.volume().sectors.start,
        );
    }

    /// Reads page `index`, or waits while another does, whoever dies meanwhile.
    pub(super) fn bring_alone(&self, file: &Arc<CachedFile>, index: u64) -> Result<(), Errno> {
        let drive = self.volume().drive;
        match begin_for(file, index, 1)? {
            Some(read) => {
                let plan = Plan::just(index..index + 1);
                let batch = self.fetch(file, plan, Some(read))?.batch;
                drive.wait_out(|| batch.is_over());
                batch.result()
            }
            None => {
                drive.wait_out(|| !file.is_being_read(memory(), index));
                Ok(())
            }
        }
    }

    /// Has pages read that somebody will need, as far as there is memory for that, and waits for none.
    pub(crate) fn read_soon(&self, file: &Arc<CachedFile>, pages: Range<u64>) {
        /// Linux's limit for a call is the disk's; this is a common one, 2 MiB.
        const AT_ONCE: u64 = 512;
        let end = pages.end.min(pages.start + AT_ONCE).min(file.pages());
        for start in (pages.start..end).step_by(LARGEST as usize) {
            let part = start..end.min(start + LARGEST);
            // Nobody waits for these; whoever needs them learns what became of them.
            if is_short() || self.fetch(file, Plan::just(part), None).is_err() {
                return;
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
    let pages = pages.clamp(1, LARGEST) as usize;
    pressure::make_room(pages);
    Batch::up_to(pages)
}

/// As many of `pages` as there is room for: from the first on, or, where that is too few, from the one on that was asked
/// for. Where memory is short that one alone.
fn fitting(pages: Range<u64>, room: usize, asked: Option<u64>) -> Range<u64> {
    let is_short = is_short();
    let room = if is_short { 1 } else { room as u64 };
    let start = match asked {
        Some(asked) if pages.end - pages.start > room => asked,
        None if is_short => pages.end,
        _ => pages.start,
    };
    start..pages.end.min(start + room)
}

/// Takes on the reading of page `index`, for which others give way where memory is short for `pages` of them; `None` where
/// another was first.
fn begin_for(file: &Arc<CachedFile>, index: u64, pages: u64) -> Result<Option<Read>, Errno> {
    pressure::make_room(pages.min(LARGEST) as usize);
    file.begin_read(memory(), index).map_err(|_| Errno::ENOMEM)
}

impl Fetch<'_> {
    /// Waits for the page that was asked for: `EIO` where the disk failed, `EINTR` where the process has to end first.
    fn wait(&self) -> Result<(), Errno> {
        let Some(asked) = self.asked else {
            return Ok(());
        };
        let drive = self.paged.volume().drive;
        drive.wait_until(|| self.batch.answer(asked).is_some())?;
        self.batch.answer(asked).unwrap_or(Ok(()))
    }

    /// The same, of page `index` in a window. Where one of several pages is bad it may seem so for their sake: it is to be
    /// tried once more, alone.
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

/// Performs a read that a fault asked for, where the page lies on a disk, and reads around it. `EIO` where the disk failed,
/// `EINTR` where the process has to end first.
pub(in crate::fs) fn complete(read: Read) -> Result<(), Errno> {
    hand_over(read, |paged, file, read| {
        let index = read.index();
        let plan = paged.faults.lock().fault(index, read.pattern());
        let fetch = paged.fetch(file, plan, Some(read))?;
        fetch.wait_in(&paged.faults, index)
    })
}

/// The same for a read that a program announced a need for, with up to `more` pages behind it; nobody waits for them.
pub(in crate::fs) fn read_soon(read: Read, more: u64) -> Result<(), Errno> {
    let pages = read.index()..read.index() + 1 + more.min(LARGEST - 1);
    hand_over(read, |paged, file, read| {
        paged.fetch(file, Plan::just(pages), Some(read)).map(drop)
    })
}

/// Has the disk of its file perform a read; `EIO` where it lies on none.
fn hand_over(
    read: Read,
    perform: impl FnOnce(&Paged, &Arc<CachedFile>, Read) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let file = read.file().clone();
    let result = match of(&file) {
        Some(paged) => perform(paged, &file, read),
        None => {
            read.complete(memory(), ReadResult::Failed);
            Err(Errno::EIO)
        }
    };
    file.release(memory());
    result
}

/// A fault has come to page `index`, which was read before anybody asked for it: the next ones are on their way then.
pub(in crate::fs) fn read_on(file: &Arc<CachedFile>, index: u64) {
    let Some(paged) = of(file) else { return };
    let plan = paged.faults.lock().hit(index);
    if let Some(plan) = plan {
        let _ = paged.fetch(file, plan, None);
    }
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

    /// He says in which order he will ask.
    pub(crate) fn expect(&self, pattern: Pattern) {
        self.0.lock().expect(pattern);
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
        let most = into.left().min(PAGE_SIZE) as usize;
        let lent = file.lend_ready(memory(), at, most, |words, place| {
            into.fill_from(words, place)
        });
        // Where nothing is lent the file was cut short, or memory was needed more elsewhere: the next step finds out.
        if let Ok(Some(moved)) = lent {
            moved?;
        }
        Ok(Step::More)
    }

    /// Has page `index` in memory, of which and of those behind it `wanted` are asked for: nothing, where the file has no
    /// such page.
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
            let _ = paged.fetch(file, Plan::just(ahead.pages), None);
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
        let Some(read) = begin_for(file, index, wanted)? else {
            // Another was quicker.
            return Ok(());
        };
        let plan = Plan::just(self.0.lock().miss(index, wanted).pages);
        paged.fetch(file, plan, Some(read))?.wait_in(&self.0, index)
    }
}
