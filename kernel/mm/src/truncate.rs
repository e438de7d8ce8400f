//! A file changes its length, or gets a hole: pages leave the cache and every entry that shows them, whoever is using them.
//!
//! In this order, because a fault may be on its way with a page at any moment: first the file no longer has the page (its
//! size, or the slot), then the reverse map is walked. A fault that installs before the walk comes by is seen by the walk;
//! one that installs later looks again and sees that the page is gone.
//!
//! A page that is on its way from a disk or to it stays until it has arrived: [`CachedFile::first_busy`] names it to who
//! may wait, and only when there is none may the file system give the places on the disk to others.
use core::ops::Range;

use crate::error::Error;
use crate::machine::{Machine, WORDS};
use crate::memory::Memory;
use crate::page::PAGE_SIZE;
use crate::page_cache::{CachedFile, Lookup, Source};
use crate::remote;
use crate::rmap::Copies;
use crate::seal::Seals;
use crate::sync::atomic::{Ordering::SeqCst, fence};

impl CachedFile {
    /// Makes the file `size` bytes long: ftruncate(2). What lies behind is gone, private copies of whole pages with it, and
    /// reads as zeroes should the file grow again. [`Error::NotPermitted`] where it is sealed.
    ///
    /// Of a file on a disk the caller keeps other changes out, and has the page of the new end in memory, and backed unless
    /// the disk has no part of it: what is cleared there goes to the disk. It lets nobody make the file longer before
    /// [`Self::first_busy`] says that nothing is left. Who makes it longer, and finds the last page backed so far, first
    /// has a place for the rest of it ([`Self::back`]).
    pub fn set_size<M: Machine>(&self, memory: &Memory<M>, size: u64) -> Result<(), Error> {
        let seals = self.seals.lock();
        let before = self.size();
        let forbidden = if size < before {
            Seals::SHRINK
        } else {
            Seals::GROW
        };
        if size != before && seals.contains(forbidden) {
            return Err(Error::NotPermitted);
        }
        self.clear_tail(memory, size);
        self.change_size(size);
        // Also where the length stays: what was reserved or stored behind it goes.
        if size <= before {
            self.set_reserved(0);
            self.sweep(memory, size);
        }
        Ok(())
    }

    /// Drops what lies behind byte `size`, where the file ends now.
    fn sweep<M: Machine>(&self, memory: &Memory<M>, size: u64) {
        let lost = size.div_ceil(PAGE_SIZE)..u64::MAX;
        fence(SeqCst);
        self.drop_pages(memory, &lost);
        self.unmap(memory, &lost, Copies::Drop);
        if !size.is_multiple_of(PAGE_SIZE) {
            self.zero(memory, size / PAGE_SIZE, (size % PAGE_SIZE)..PAGE_SIZE);
        }
    }

    /// The first page behind the end that is still on its way, once all others there are gone.
    pub fn first_busy<M: Machine>(&self, memory: &Memory<M>) -> Option<u64> {
        let _length_stays = self.seals.lock();
        let lost = self.reach()..u64::MAX;
        self.drop_pages(memory, &lost);
        self.next_page(memory, lost.start)
    }

    /// The file is about to reach to byte `size`: what programs have stored behind its end so far, in its last page, shall
    /// not become part of it. The caller holds the lock of the seals. A file that lives in memory alone shows it, as on
    /// Linux.
    pub(crate) fn clear_tail<M: Machine>(&self, memory: &Memory<M>, size: u64) {
        let end = self.size();
        let (tail, in_tail) = (end / PAGE_SIZE, end % PAGE_SIZE);
        let is_exposed = self.source() == Source::Disk && size > end && in_tail > 0;
        // What is clean was cleared when it was read, or written.
        if is_exposed && self.is_dirty(memory, tail) {
            self.zero(memory, tail, in_tail..PAGE_SIZE);
        }
    }

    /// Makes `bytes` of the file zeroes without changing its length: FALLOC_FL_PUNCH_HOLE, MADV_REMOVE. Whole pages leave
    /// memory; private copies of them stay. [`Error::NotPermitted`] where it is sealed.
    pub fn punch_hole<M: Machine>(
        &self,
        memory: &Memory<M>,
        bytes: Range<u64>,
    ) -> Result<(), Error> {
        let seals = self.seals.lock();
        if seals.intersects(Seals::ANY_WRITE) {
            return Err(Error::NotPermitted);
        }
        self.clear(memory, bytes);
        Ok(())
    }

    fn clear<M: Machine>(&self, memory: &Memory<M>, bytes: Range<u64>) {
        let whole = bytes.start.div_ceil(PAGE_SIZE)..bytes.end / PAGE_SIZE;
        let (first, last) = (bytes.start / PAGE_SIZE, bytes.end / PAGE_SIZE);
        let (head, tail) = (bytes.start % PAGE_SIZE, bytes.end % PAGE_SIZE);
        if whole.start > whole.end {
            return self.zero(memory, first, head..tail);
        }
        if head != 0 {
            self.zero(memory, first, head..PAGE_SIZE);
        }
        if tail != 0 {
            self.zero(memory, last, 0..tail);
        }
        self.drop_pages(memory, &whole);
        self.unmap(memory, &whole, Copies::Keep);
    }

    /// Takes pages `range` out of the cache; entries that lead to them keep their frames alive for now.
    pub(crate) fn drop_pages<M: Machine>(&self, memory: &Memory<M>, range: &Range<u64>) {
        let mut next = self.next_page(memory, range.start);
        while let Some(index) = next.filter(|index| *index < range.end) {
            self.drop_page(memory, index);
            next = self.next_page(memory, index + 1);
        }
        fence(SeqCst);
    }

    /// Fills `bytes` of page `index` with zeroes, where it is in memory. The disk gets them too, where it has the page;
    /// where it has a hole they are there.
    fn zero<M: Machine>(&self, memory: &Memory<M>, index: u64, bytes: Range<u64>) {
        if let Lookup::Ready(frame) = self.lookup(memory, index) {
            let words: &[_; WORDS] = memory.machine.words(frame);
            remote::zero_bytes(words, bytes.start as usize..bytes.end as usize);
            let _ = self.make_dirty(memory, index, frame);
            memory.put(frame);
        }
    }
}
