//! A page of a file, lent to who moves bytes between it and a program's memory.
//!
//! Such a copy may fault, and whoever serves the fault takes locks, so none is held meanwhile: only the frame is. Who
//! copies into a page sees to it that until it is done nobody else writes to the file by a call, seals it, or changes its
//! length; loads, stores and faults need not know, nor who writes the page back.
use core::ops::Range;

use super::{offset_in_page, part};
use crate::error::Error;
use crate::frame::Frame;
use crate::machine::{Machine, WORDS};
use crate::memory::Memory;
use crate::page::PAGE_SIZE;
use crate::page_cache::{CachedFile, Lookup, Source};
use crate::seal::Seals;
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What a page holds.
pub type Words = [AtomicU64; WORDS];

impl CachedFile {
    /// Lends the page of byte `at` to `copy`, with the place in it of up to `length` bytes that the file has from there on;
    /// no words stand for zeroes. `None` behind the end. The file must be one that lives in memory, or an archive whose
    /// page the caller has brought.
    pub fn lend_to_read<M: Machine, R>(
        &self,
        memory: &Memory<M>,
        at: u64,
        length: usize,
        copy: impl FnOnce(Option<&Words>, Range<usize>) -> R,
    ) -> Option<R> {
        // Before the page is looked for: what the size covers has been written.
        let left = self.size().checked_sub(at).filter(|&left| left > 0)?;
        let start = offset_in_page(at);
        let bytes = start..start + part(at, length, left);
        match self.lookup(memory, at / PAGE_SIZE) {
            Lookup::PastEnd => None,
            Lookup::Absent | Lookup::Reading | Lookup::Reserved => Some(copy(None, bytes)),
            Lookup::Ready(frame) => {
                let copied = copy(Some(memory.machine.words(frame)), bytes);
                memory.put(frame);
                Some(copied)
            }
        }
    }

    /// The same of a file that is read in: [`Error::TryAgain`] where the page has to be read first.
    pub fn lend_ready<M: Machine, R>(
        &self,
        memory: &Memory<M>,
        at: u64,
        length: usize,
        copy: impl FnOnce(&Words, Range<usize>) -> R,
    ) -> Result<Option<R>, Error> {
        let Some(left) = self.size().checked_sub(at).filter(|&left| left > 0) else {
            return Ok(None);
        };
        let start = offset_in_page(at);
        match self.lookup(memory, at / PAGE_SIZE) {
            Lookup::PastEnd => Ok(None),
            Lookup::Absent | Lookup::Reading | Lookup::Reserved => Err(Error::TryAgain),
            Lookup::Ready(frame) => {
                let bytes = start..start + part(at, length, left);
                let copied = copy(memory.machine.words(frame), bytes);
                memory.put(frame);
                Ok(Some(copied))
            }
        }
    }

    /// Lends the page of byte `at`, made where it is absent, to `copy`, which fills up to `length` bytes at the place that
    /// it is told and says how many. The file reaches to the last of them; where there is none, it is as it was.
    ///
    /// The page of a file on a disk must have its place there, for all that the file will reach to. Behind the end it is
    /// made, before it must be in memory and backed: [`Error::TryAgain`] where it isn't. The caller sees to that, and tries
    /// again.
    pub fn lend_to_write<M: Machine>(
        &self,
        memory: &Memory<M>,
        at: u64,
        length: usize,
        copy: impl FnOnce(&Words, Range<usize>) -> usize,
    ) -> Result<usize, Error> {
        let start = offset_in_page(at);
        let bytes = start..start + part(at, length, u64::MAX - at);
        let frame = self.page_for(memory, at, bytes.len() as u64)?;
        let copied = copy(memory.machine.words(frame), bytes.clone());
        let _writers_wait = self.seals.lock();
        self.take_in(memory, at, frame, copied);
        memory.put(frame);
        if copied > 0 {
            self.extend(at + copied as u64);
        } else {
            self.drop_pages(memory, &(self.reach()..u64::MAX));
        }
        Ok(copied)
    }

    /// The page of a file on a disk that was lent is dirty; what of it was not filled behind the end, but might have been,
    /// is nobody's again.
    fn take_in<M: Machine>(&self, memory: &Memory<M>, at: u64, frame: Frame, copied: usize) {
        if self.source() == Source::Disk {
            let end = self.size().max(at + copied as u64);
            if self.lent_end.swap(0, Relaxed) > end {
                self.clear_behind(memory, at / PAGE_SIZE, frame, end);
            }
            let _ = self.make_dirty(memory, at / PAGE_SIZE, frame);
        }
    }

    /// The page for `count` bytes from `at` on, held, where the seals let them be written.
    fn page_for<M: Machine>(
        &self,
        memory: &Memory<M>,
        at: u64,
        count: u64,
    ) -> Result<Frame, Error> {
        let seals = self.seals.lock();
        let grows = at + count > self.size();
        if seals.intersects(Seals::ANY_WRITE) || grows && seals.contains(Seals::GROW) {
            return Err(Error::NotPermitted);
        }
        if self.source() == Source::Disk {
            return self.lend_until(memory, at, at + count);
        }
        Ok(self.page_to_write(memory, at / PAGE_SIZE)?)
    }

    /// The page of byte `at`, held, of a file on a disk, to be filled up to byte `end`. The caller holds the lock of the
    /// seals.
    fn lend_until<M: Machine>(
        &self,
        memory: &Memory<M>,
        at: u64,
        end: u64,
    ) -> Result<Frame, Error> {
        let frame = self.page_to_fill(memory, at / PAGE_SIZE)?;
        self.clear_tail(memory, end);
        // Who writes the page back while it is being filled does not clear this.
        self.lent_end.store(end, Relaxed);
        Ok(frame)
    }
}
