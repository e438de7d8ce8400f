//! The bytes of a regular file: pages in memory, and for a file of the archive those that still lie there.
use alloc::sync::Arc;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use abi::Errno;
use mm::PAGE_SIZE;
use mm::contents::Reach;
use mm::page_cache::{CachedFile, Source};
use mm::seal::Seals;

use super::Volume;
use super::archived::complete;
use super::card::Card;
use crate::arch::memory::memory;
use crate::fs::buffers::Buffers;
use crate::fs::gate::Gate;
use crate::fs::memfd::{fill_page, refusal};
use crate::fs::open::{Allocation, Step};
use crate::fs::users::Users;
use crate::process::sched;

/// Bytes of a block, as stat(2) counts them.
const BLOCK: u64 = 512;

/// A regular file.
pub(super) struct Regular {
    /// `None` only while it is being dropped.
    pages: Option<Arc<CachedFile>>,
    /// Held by a write, which is whole for all other writes.
    pub(super) writing: Gate<()>,
    pub(super) users: Users,
    /// As many pages as the volume was told.
    noted: AtomicU64,
}

impl Regular {
    /// The file of `card`: empty, or what the archive has.
    pub(super) fn try_new(card: &Arc<Card>) -> Result<Self, Errno> {
        let (source, size) = match &card.archived {
            Some(archived) => (Source::Archive, archived.mark()),
            None => (Source::Memory, 0),
        };
        let pages = CachedFile::new(card.number, source, size).with_owner(card.clone());
        let pages = Arc::try_new(pages).map_err(|_| Errno::ENOMEM)?;
        pages.add_seals(Seals::SEAL).map_err(refusal)?;
        Ok(Self {
            pages: Some(pages),
            writing: Gate::new(()),
            users: Users::new(),
            noted: AtomicU64::new(0),
        })
    }

    pub(super) fn pages(&self) -> &Arc<CachedFile> {
        let alive = "a file that can be reached has not been dropped";
        self.pages.as_ref().expect(alive)
    }

    /// Gives the pages back, as soon as nobody maps them.
    pub(super) fn release(&mut self) {
        if let Some(pages) = self.pages.take() {
            pages.release(memory());
        }
    }

    /// How many blocks it takes.
    pub(super) fn blocks(&self, card: &Card) -> u64 {
        let archived = mark(card).div_ceil(PAGE_SIZE);
        self.pages().resident_pages().max(archived) * (PAGE_SIZE / BLOCK)
    }

    pub(super) fn read_at(&self, card: &Card, offset: u64, buffer: &mut [u8]) -> usize {
        let mut done = 0;
        while done < buffer.len() {
            let at = offset.saturating_add(done as u64);
            let room = (PAGE_SIZE - at % PAGE_SIZE) as usize;
            let end = buffer.len().min(done + room);
            let count = self.read_in_page(card, at, &mut buffer[done..end]);
            done += count;
            if count == 0 {
                break;
            }
        }
        done
    }

    /// Reads from the page, or straight from the archive: who only reads needs no frame.
    fn read_in_page(&self, card: &Card, at: u64, buffer: &mut [u8]) -> usize {
        let pages = self.pages();
        let left = pages.size().saturating_sub(at).min(buffer.len() as u64);
        let buffer = &mut buffer[..left as usize];
        match &card.archived {
            Some(archived) if !pages.is_ready(memory(), at / PAGE_SIZE) => {
                archived.read(at, buffer);
                buffer.len()
            }
            _ => pages.read_at(memory(), at, buffer),
        }
    }

    /// Moves bytes of one page to ring 3: from the page, or straight from the archive, since who only reads needs no frame.
    pub(super) fn read(&self, card: &Card, at: u64, into: &mut Buffers<'_>) -> Result<Step, Errno> {
        let pages = self.pages();
        let most = into.left().min(PAGE_SIZE - at % PAGE_SIZE) as usize;
        let moved = match &card.archived {
            Some(archived) if !pages.is_ready(memory(), at / PAGE_SIZE) => {
                let left = pages.size().saturating_sub(at);
                let count = left.min(most as u64) as usize;
                let rest = archived.rest(at);
                match rest.len().min(count) {
                    0 => into.fill_zeroes(count),
                    part => into.fill(&rest[..part]),
                }
            }
            _ => {
                let lent = pages.lend_to_read(memory(), at, most, |words, place| match words {
                    Some(words) => into.fill_from(words, place),
                    None => into.fill_zeroes(place.len()),
                });
                lent.unwrap_or(Ok(0))
            }
        };
        Ok(match moved? {
            0 => Step::Done,
            _ => Step::More,
        })
    }

    /// Moves up to `most` bytes of ring 3's into the page of byte `at`. The caller has the turn to write.
    pub(super) fn write(
        &self,
        (volume, card): (&Volume, &Card),
        at: u64,
        most: usize,
        from: &mut Buffers<'_>,
    ) -> Result<(), Errno> {
        let index = at / PAGE_SIZE;
        let pages = self.pages();
        // What is reserved is counted.
        if !pages.is_ready(memory(), index) && !pages.is_reserved(memory(), index) {
            self.note_pages(volume);
            volume.check_room(1)?;
            self.bring(card, index)?;
        }
        let filled = fill_page(self.pages(), at, most, from);
        self.note_pages(volume);
        filled
    }

    /// Tells the volume how many pages it has more, or fewer, than when this was called last.
    pub(super) fn note_pages(&self, volume: &Volume) {
        let now = self.pages().resident_pages();
        let before = self.noted.swap(now, Relaxed);
        volume.pages.fetch_add(now.wrapping_sub(before), Relaxed);
    }

    /// The volume need not count its pages any more.
    pub(super) fn forget_pages(&self, volume: &Volume) {
        volume.pages.fetch_sub(self.noted.swap(0, Relaxed), Relaxed);
    }

    /// Whether a mapping shows it.
    pub(super) fn is_mapped(&self) -> bool {
        Arc::strong_count(self.pages()) > 1
    }

    /// Has page `index` in memory, where the archive still has some of it.
    fn bring(&self, card: &Card, index: u64) -> Result<(), Errno> {
        let pages = self.pages();
        while index * PAGE_SIZE < mark(card) && !pages.is_ready(memory(), index) {
            let read = pages.begin_read(memory(), index);
            match read.map_err(|_| Errno::ENOMEM)? {
                Some(read) => complete(read),
                // Another is reading it.
                None => sched::yield_now(),
            }
        }
        Ok(())
    }

    /// Gives it another length.
    pub(super) fn set_size(&self, card: &Card, size: u64) -> Result<(), Errno> {
        let _writing = self.writing.enter();
        let change = || self.pages().set_size(memory(), size).map_err(refusal);
        match &card.archived {
            Some(archived) => archived.cut(size, change),
            None => change(),
        }
    }

    /// fallocate(2).
    pub(super) fn allocate(
        &self,
        (volume, card): (&Volume, &Card),
        bytes: Range<u64>,
        how: Allocation,
    ) -> Result<(), Errno> {
        let _writing = self.writing.enter();
        let pages = self.pages();
        let reach = match how {
            Allocation::PunchHole => {
                self.leave_archive(card)?;
                return pages.punch_hole(memory(), bytes).map_err(refusal);
            }
            Allocation::Extend => Reach::Extend,
            Allocation::Keep => Reach::Keep,
        };
        let wanted = bytes.end.div_ceil(PAGE_SIZE) - bytes.start / PAGE_SIZE;
        self.note_pages(volume);
        volume.check_room(wanted.saturating_sub(pages.resident_pages()))?;
        for index in bytes.start / PAGE_SIZE..mark(card).min(bytes.end).div_ceil(PAGE_SIZE) {
            self.bring(card, index)?;
        }
        pages.allocate(memory(), bytes, reach).map_err(refusal)
    }

    /// Has everything in memory, so that the archive counts for nothing: it knows of no holes.
    fn leave_archive(&self, card: &Card) -> Result<(), Errno> {
        let Some(archived) = &card.archived else {
            return Ok(());
        };
        for index in 0..archived.mark().div_ceil(PAGE_SIZE) {
            self.bring(card, index)?;
            sched::breathe();
        }
        archived.cut(0, || {});
        Ok(())
    }

    pub(super) fn next_data(&self, card: &Card, at: u64) -> Option<u64> {
        if at < mark(card) {
            Some(at)
        } else {
            self.pages().next_data(memory(), at)
        }
    }

    pub(super) fn next_hole(&self, card: &Card, at: u64) -> Option<u64> {
        let size = self.pages().size();
        let behind_archive = mark(card).next_multiple_of(PAGE_SIZE);
        match at {
            at if at >= size => None,
            at if at.max(behind_archive) >= size => Some(size),
            at => self.pages().next_hole(memory(), at.max(behind_archive)),
        }
    }
}

/// How many bytes the archive still counts for.
fn mark(card: &Card) -> u64 {
    card.archived.as_ref().map_or(0, |archived| archived.mark())
}
