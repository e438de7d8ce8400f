//! Pages that the first access makes: those of files that live in memory alone, and those that fallocate reserves for it.
//!
//! Whoever makes a page looks again whether the file still has it: who cut the file short meanwhile may have come by before
//! the page was there.
use core::ops::Range;

use super::slot::{ABSENT, BACKED, PRESENT, RESERVED, look};
use super::{CachedFile, Lookup, Source};
use crate::error::{Error, NoPage};
use crate::frame::{Frame, Use};
use crate::machine::Machine;
use crate::memory::Memory;
use crate::sync::atomic::Ordering::{AcqRel, Relaxed, SeqCst};
use crate::sync::atomic::{AtomicU64, fence};

impl CachedFile {
    /// The state of page `index`, which a file in memory makes where it is absent, or takes where it is reserved.
    pub fn find_or_create<M: Machine>(
        &self,
        memory: &Memory<M>,
        index: u64,
    ) -> Result<Lookup, NoPage> {
        let mut found = self.lookup(memory, index);
        loop {
            found = match found {
                Lookup::Absent if self.source == Source::Memory => self.create(memory, index)?,
                Lookup::Reserved => {
                    if let Some(slot) = self.pages.slot(memory, index) {
                        take_up(slot);
                    }
                    self.lookup(memory, index)
                }
                _ => return Ok(found),
            };
        }
    }

    /// The new page `index`; or what another made of it meanwhile.
    fn create<M: Machine>(&self, memory: &Memory<M>, index: u64) -> Result<Lookup, NoPage> {
        let slot = self.pages.slot_or_create(memory, index)?;
        let Some(frame) = self.fill(memory, slot, PRESENT)? else {
            return Ok(look(memory, slot));
        };
        fence(SeqCst);
        if !self.has_page(index) && self.drop_behind_end(memory, index) {
            memory.put(frame);
            return Ok(Lookup::PastEnd);
        }
        Ok(Lookup::Ready(frame))
    }

    /// Puts a page of zeroes into `slot`, with `marks`, and a reference for the caller; `None` where another was first.
    fn fill<M: Machine>(
        &self,
        memory: &Memory<M>,
        slot: &AtomicU64,
        marks: u64,
    ) -> Result<Option<Frame>, NoPage> {
        let promise = self.promise_page(memory)?;
        let frame = memory.allocate_zeroed(Use::Shared)?;
        // The second reference is the caller's.
        memory.record(frame).get();
        let ready = frame.address() | marks;
        if slot
            .compare_exchange(ABSENT, ready, AcqRel, Relaxed)
            .is_err()
        {
            memory.put(frame);
            memory.put(frame);
            return Ok(None);
        }
        self.resident.fetch_add(1, Relaxed);
        promise.keep();
        Ok(Some(frame))
    }

    /// Drops page `index`, which may have come behind the broom of whoever cut the file short; false where somebody's write
    /// has made the file reach so far again, with this page.
    fn drop_behind_end<M: Machine>(&self, memory: &Memory<M>, index: u64) -> bool {
        let _writers_wait = self.seals.lock();
        let is_behind = !self.has_page(index);
        if is_behind {
            self.drop_page(memory, index);
        }
        is_behind
    }

    /// Page `index`, with a reference for the caller, whether or not the file reaches so far yet. The caller holds the lock
    /// of the seals; what is absent is zeroes, in a file behind a device too.
    pub(crate) fn page_to_write<M: Machine>(
        &self,
        memory: &Memory<M>,
        index: u64,
    ) -> Result<Frame, NoPage> {
        self.page_or_new(memory, index, PRESENT)
    }

    /// Has a frame for page `index`, as a hole that whoever wants the page finds filled. As on Linux one that was reserved
    /// before is there for all to see from now on: who asks for it twice, and is refused the rest, keeps it. The caller
    /// holds the lock of the seals.
    pub(crate) fn reserve<M: Machine>(&self, memory: &Memory<M>, index: u64) -> Result<(), NoPage> {
        let frame = self.page_or_new(memory, index, PRESENT | RESERVED)?;
        memory.put(frame);
        Ok(())
    }

    /// Page `index`, with a reference for the caller: what is there, or a page of zeroes with `marks`.
    fn page_or_new<M: Machine>(
        &self,
        memory: &Memory<M>,
        index: u64,
        marks: u64,
    ) -> Result<Frame, NoPage> {
        let slot = self.pages.slot_or_create(memory, index)?;
        loop {
            let ready = match look(memory, slot) {
                Lookup::Ready(frame) => Some(frame),
                Lookup::Reserved => {
                    take_up(slot);
                    None
                }
                _ => self.fill(memory, slot, marks)?,
            };
            if let Some(frame) = ready {
                memory.record(frame).note_written();
                return Ok(frame);
            }
        }
    }

    /// Gives back what is reserved of pages `range`, and nothing that somebody has come for.
    pub(crate) fn drop_reserved<M: Machine>(&self, memory: &Memory<M>, range: Range<u64>) {
        for index in range {
            self.drop_if(memory, index, |bits| bits & RESERVED != 0);
        }
    }

    /// Page `index` of a file on a disk, with a reference for the caller, who has a place for it there: one that the file
    /// reaches to if it is ready and says so too, one behind the end as zeroes. The caller holds the lock of the seals.
    pub(crate) fn page_to_fill<M: Machine>(
        &self,
        memory: &Memory<M>,
        index: u64,
    ) -> Result<Frame, Error> {
        let slot = self.pages.slot_or_create(memory, index)?;
        if !self.has_page(index) {
            return self.page_behind_end(memory, slot);
        }
        match look(memory, slot) {
            Lookup::Ready(frame) if slot.load(SeqCst) & BACKED != 0 => Ok(frame),
            Lookup::Ready(frame) => {
                memory.put(frame);
                Err(Error::TryAgain)
            }
            _ => Err(Error::TryAgain),
        }
    }

    fn page_behind_end<M: Machine>(
        &self,
        memory: &Memory<M>,
        slot: &AtomicU64,
    ) -> Result<Frame, Error> {
        let frame = memory.allocate_zeroed(Use::File)?;
        let ready = frame.address() | PRESENT | BACKED;
        if slot
            .compare_exchange(ABSENT, ready, AcqRel, Relaxed)
            .is_err()
        {
            memory.put(frame);
            return Err(Error::TryAgain);
        }
        memory.record(frame).get();
        self.resident.fetch_add(1, Relaxed);
        Ok(frame)
    }
}

/// Somebody wants the page in `slot`: it is no longer reserved but there.
fn take_up(slot: &AtomicU64) {
    slot.fetch_and(!RESERVED, AcqRel);
}
