//! The bytes of a regular file: pages of the page cache, which have blocks on the disk before they become dirty.
//!
//! Blocks that a file gets hold anybody's old bytes until its page is written. So a page that gets some is in memory
//! before, is held meanwhile, and is dirty after: it can't be read from there in between.
use alloc::sync::Arc;

use abi::Errno;
use mm::PAGE_SIZE;
use mm::page_cache::CachedFile;

use super::card::Card;
use super::now;
use crate::arch::memory::memory;
use crate::fs::buffers::Buffers;
use crate::fs::open::Step;
use crate::fs::paged::{self, Reader, bytes};
use crate::fs::users::Users;

/// A regular file.
pub(super) struct Regular {
    /// `None` only while it is being dropped.
    pages: Option<Arc<CachedFile>>,
    pub(super) users: Users,
}

impl Regular {
    /// The file of `card`, of `size` bytes unless some are in memory already.
    pub(super) fn try_new(card: &Arc<Card>, size: u64) -> Result<Self, Errno> {
        Ok(Self {
            pages: Some(paged::open(card.clone(), size)?),
            users: Users::new(),
        })
    }

    pub(super) fn pages(&self) -> &Arc<CachedFile> {
        let alive = "a file that can be reached has not been dropped";
        self.pages.as_ref().expect(alive)
    }

    /// Gives the pages back, as soon as nobody maps them and none is to be written.
    pub(super) fn close(&mut self) {
        if let Some(pages) = self.pages.take() {
            paged::close(pages);
        }
    }

    pub(super) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
        let left = self.pages().size().saturating_sub(offset);
        let count = left.min(buffer.len() as u64) as usize;
        bytes::read_at(self.pages(), offset, &mut buffer[..count])?;
        Ok(count)
    }

    /// Moves up to `most` bytes of ring 3's into the page of byte `at`. The caller has the turn to write.
    pub(super) fn write(
        &self,
        card: &Card,
        at: u64,
        most: usize,
        from: &mut Buffers<'_>,
    ) -> Result<Step, Errno> {
        let file = self.pages();
        let index = at / PAGE_SIZE;
        let most = most.min((PAGE_SIZE - at % PAGE_SIZE) as usize);
        let (before, end) = (file.size(), at + most as u64);
        if end > before && index != before / PAGE_SIZE {
            back_tail(card, file, end)?;
        }
        let filled = if index < file.pages() {
            let filled = holding(file, index, || {
                give_blocks(card, file, index, before.max(end))?;
                fill(file, at, most, from)
            })?;
            filled.map_or(Ok(()), Ok)
        } else {
            allocate(card, index, end)?;
            fill(file, at, most, from)
        };
        let size = file.size();
        if size < end && end > before {
            // Fewer came: what the file does not reach to goes back.
            card.volume
                .with(|volume| volume.release(card.number, size))?;
        }
        filled?;
        self.note_change(card, before)?;
        Ok(Step::More)
    }

    /// Says on the disk what a write has changed.
    pub(super) fn note_change(&self, card: &Card, before: u64) -> Result<(), Errno> {
        let size = self.pages().size();
        card.volume.with(|volume| {
            if size != before {
                volume.set_size(card.number, size, now())
            } else {
                touch(volume, card.number)
            }
        })?;
        card.volume.refresh(&[card.number]);
        Ok(())
    }

    /// Gives it another length: truncate(2).
    pub(super) fn set_size(&self, card: &Card, size: u64) -> Result<(), Errno> {
        let _writing = card.writing.enter();
        self.resize(card, size)
    }

    /// The same for who has the turn to write.
    pub(super) fn resize(&self, card: &Card, size: u64) -> Result<(), Errno> {
        let file = self.pages();
        if size > file.size() {
            back_tail(card, file, size)?;
        }
        let index = size / PAGE_SIZE;
        let cuts_page = size < file.size() && !size.is_multiple_of(PAGE_SIZE);
        // What is cleared in the last page has to reach the disk, if that has any of it.
        while cuts_page && has_blocks(card, index)? {
            let done = holding(file, index, || {
                give_blocks(card, file, index, file.size())?;
                change_size(card, file, size)
            })?;
            if done.is_some() {
                return Ok(());
            }
        }
        change_size(card, file, size)
    }
}

/// Says everywhere that a file has `size` bytes, and gives the blocks behind back.
fn change_size(card: &Card, file: &Arc<CachedFile>, size: u64) -> Result<(), Errno> {
    let before = file.size();
    card.volume
        .with(|volume| volume.set_size(card.number, size, now()))?;
    // Nothing seals such a file.
    file.set_size(memory(), size).map_err(|_| Errno::EPERM)?;
    if size < before {
        wait_for_lost(file);
        card.volume
            .with(|volume| volume.release(card.number, size))?;
    }
    card.volume.refresh(&[card.number]);
    Ok(())
}

/// Its bytes are others now.
fn touch<D: ext2::Disk>(volume: &ext2::Volume<D>, number: u32) -> Result<(), ext2::Error> {
    let now = now().cast_signed();
    volume.change(number, |attributes| {
        attributes.modified = now;
        attributes.changed = now;
    })
}

/// Waits until no page behind the end is on its way any more: then their blocks can be another's.
fn wait_for_lost(file: &Arc<CachedFile>) {
    let Some(paged) = paged::of(file) else { return };
    let drive = paged.owner().volume().drive;
    while let Some(index) = file.first_busy(memory()) {
        drive.wait_out(|| file.first_busy(memory()) != Some(index));
    }
}

/// Gives page `index` blocks, as far as a file of `end` bytes reaches there. `ENOSPC` where there are too few.
pub(super) fn allocate(card: &Card, index: u64, end: u64) -> Result<(), Errno> {
    let start = index * PAGE_SIZE;
    let wanted = end.saturating_sub(start).min(PAGE_SIZE);
    let had = card
        .volume
        .with(|volume| volume.allocate(card.number, start, wanted))?;
    if had < wanted {
        return Err(Errno::ENOSPC);
    }
    Ok(())
}

/// Does `work` while page `index`, which the file reaches to, is in memory and stays there; `None` where memory was needed
/// more elsewhere just now.
fn holding<R>(
    file: &Arc<CachedFile>,
    index: u64,
    work: impl FnOnce() -> Result<R, Errno>,
) -> Result<Option<R>, Errno> {
    Reader::new().bring(file, index, 1)?;
    match file.lend_ready(memory(), index * PAGE_SIZE, 1, |_, _| work()) {
        Ok(Some(done)) => done.map(Some),
        Ok(None) | Err(_) => Ok(None),
    }
}

/// Gives page `index`, which is held, blocks as far as a file of `end` bytes reaches there. Where it got some it is dirty.
fn give_blocks(card: &Card, file: &CachedFile, index: u64, end: u64) -> Result<(), Errno> {
    if file.is_backed(memory(), index) && end <= file.size() {
        return Ok(());
    }
    allocate(card, index, end)?;
    file.back(memory(), index);
    // Nothing is copied, but the page is dirty.
    let dirtied = file.lend_to_write(memory(), index * PAGE_SIZE, 0, |_, _| 0);
    dirtied.map(drop).map_err(|_| Errno::EIO)
}

/// A program stores to page `index` through a mapping. The caller has the turn to write.
pub(super) fn make_room(card: &Card, file: &Arc<CachedFile>, index: u64) -> Result<(), Errno> {
    if index >= file.pages() || file.is_backed(memory(), index) {
        // The store is tried again, and learns what is true now.
        return Ok(());
    }
    let found = holding(file, index, || give_blocks(card, file, index, file.size()))?;
    if found.is_some() {
        card.volume.with(|volume| touch(volume, card.number))?;
        card.volume.refresh(&[card.number]);
    }
    Ok(())
}

/// The file is about to reach to `end`: its last page, if it has blocks, needs them for as much as it will reach to there.
pub(super) fn back_tail(card: &Card, file: &Arc<CachedFile>, end: u64) -> Result<(), Errno> {
    let size = file.size();
    if size.is_multiple_of(PAGE_SIZE) {
        return Ok(());
    }
    let index = size / PAGE_SIZE;
    while has_blocks(card, index)? {
        if holding(file, index, || give_blocks(card, file, index, end))?.is_some() {
            break;
        }
    }
    Ok(())
}

/// Whether the disk has any of page `index`.
fn has_blocks(card: &Card, index: u64) -> Result<bool, Errno> {
    let start = index * PAGE_SIZE;
    card.volume.with(|volume| {
        let run = volume.map(card.number, start, PAGE_SIZE)?;
        Ok(run.at.is_some() || run.length < PAGE_SIZE)
    })
}

/// Moves bytes of ring 3's into a page that is in memory and has blocks, or lies behind the end and has some.
fn fill(file: &CachedFile, at: u64, most: usize, from: &mut Buffers<'_>) -> Result<(), Errno> {
    let start = *from;
    let mut taken = Ok(0);
    let written = file.lend_to_write(memory(), at, most, |words, place| {
        taken = from.take_into(words, place);
        taken.unwrap_or(0)
    });
    match written {
        Ok(_) => taken.map(drop),
        Err(mm::Error::TryAgain) => {
            *from = start;
            Ok(())
        }
        Err(_) => {
            *from = start;
            Err(Errno::ENOMEM)
        }
    }
}
