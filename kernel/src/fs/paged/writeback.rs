//! Dirty pages go to the disk, in batches by their place in the file. Whoever dies meanwhile sees it through, as on Linux.
//!
//! Who gives memory back by writing must not need any that only writing gives back: where there is none for a batch, pages
//! go one by one through a batch that has been there since boot, and a disk's queue has room for some requests for good.
use alloc::sync::Arc;
use core::ops::Range;

use abi::Errno;
use mm::page_cache::CachedFile;

use super::{Paged, pressure};
use crate::arch::memory::memory;
use crate::block::{Action, Batch, Drive, MOST_FRAMES, Parts, Work};
use crate::fs::gate::Gate;
use crate::process::sched;

/// Batches that one who writes has on their way at once.
const AHEAD: usize = 4;

/// Room for one page, for when there is no memory: for a file of a file system, where whoever has it may wait for the
/// volume, and for a disk itself, where the volume may wait for whoever has it.
static SPARES: [Gate<Option<Arc<Batch>>>; 2] = [const { Gate::new(None) }; 2];

/// Takes the memory that is needed when there is none. Call once, at boot.
pub(super) fn init() -> Result<(), Errno> {
    for spare in &SPARES {
        *spare.enter() = Some(Batch::try_new(1)?);
    }
    Ok(())
}

impl Paged {
    /// Has all that is dirty now of `pages` written. What fails is the file's to tell.
    pub(crate) fn write_back(&self, file: &Arc<CachedFile>, pages: &Range<u64>) {
        // The second round has what was stored while an older write of the page was on its way.
        for _ in 0..2 {
            self.begin_writing(file, pages);
            self.wait_written(file, pages);
        }
    }

    /// Sends what is dirty of `pages` and not on its way; returns when most of it is written.
    pub(crate) fn begin_writing(&self, file: &Arc<CachedFile>, pages: &Range<u64>) {
        let drive = self.volume().drive;
        let mut rest = pages.clone();
        let mut flying = [const { None::<Arc<Batch>> }; AHEAD];
        for turn in (0..AHEAD).cycle() {
            wait_for(drive, flying[turn].take());
            if file.dirty_pages() == 0 || !self.send_some(file, &mut rest, &mut flying[turn]) {
                break;
            }
            sched::breathe();
        }
        flying.into_iter().for_each(|batch| wait_for(drive, batch));
    }

    /// Waits until no page of `pages` is on its way to the disk.
    pub(crate) fn wait_written(&self, file: &CachedFile, pages: &Range<u64>) {
        let drive = self.volume().drive;
        let mut rest = pages.clone();
        while file.pages_being_written() > 0
            && let Some(index) = file.first_being_written(memory(), rest.clone())
        {
            drive.wait_out(|| !file.is_being_written(memory(), index));
            rest.start = index;
        }
    }

    /// Sends the first dirty pages of `rest`, which begins behind them then; false where there are none.
    fn send_some(
        &self,
        file: &Arc<CachedFile>,
        rest: &mut Range<u64>,
        sent: &mut Option<Arc<Batch>>,
    ) -> bool {
        let wanted = file.dirty_pages().clamp(1, MOST_FRAMES as u64) as usize;
        let Ok(mut batch) = Batch::up_to(wanted) else {
            return self.write_one(file, rest);
        };
        if !self.fill(&mut batch, file, rest) {
            return false;
        }
        batch.send(self.volume().drive, Action::Write);
        *sent = Some(batch);
        true
    }

    /// Writes the first dirty page of `rest`, with no memory at all; false where there is none.
    fn write_one(&self, file: &Arc<CachedFile>, rest: &mut Range<u64>) -> bool {
        let drive = self.volume().drive;
        let mut turn = SPARES[usize::from(self.is_in_file_system())].enter();
        let Some(spare) = &mut *turn else {
            return false;
        };
        let any = self.fill(spare, file, rest);
        if any {
            spare.send(drive, Action::Write);
            drive.wait_out(|| spare.is_over());
        }
        // The request lets go of it right after it has said that it is over.
        while Arc::get_mut(spare).map(Batch::clear).is_none() {
            sched::yield_now();
        }
        any
    }

    /// Puts the first dirty pages of `rest` into `batch`; false where there are none.
    fn fill(&self, batch: &mut Arc<Batch>, file: &Arc<CachedFile>, rest: &mut Range<u64>) -> bool {
        let Some(batch) = Arc::get_mut(batch) else {
            unreachable!("a batch that was not sent is nobody else's");
        };
        while batch.room() > 0
            && let Some(write) = file.begin_writeback(memory(), rest.clone())
        {
            rest.start = write.index() + 1;
            let parts = self.locate_to_write(write.index());
            batch.add(Work::Write(write), &parts, self.volume().sectors.start);
        }
        !batch.is_empty()
    }

    /// Where page `index` lies, which may have to be read first: for that clean pages give way.
    fn locate_to_write(&self, index: u64) -> Result<Parts, Errno> {
        const TRIES: usize = 100;
        for _ in 0..TRIES {
            match self.locate(index) {
                Err(Errno::ENOMEM) if pressure::give_back() => {}
                Err(Errno::ENOMEM) => sched::yield_now(),
                located => return located,
            }
        }
        Err(Errno::ENOMEM)
    }
}

fn wait_for(drive: &Drive, batch: Option<Arc<Batch>>) {
    if let Some(batch) = batch {
        drive.wait_out(|| batch.is_over());
    }
}
