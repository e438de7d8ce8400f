//! `madvise`: what a program knows of its memory that the kernel can't.
//!
//! Some advice is a note on the area, which splits and merges as rights do; some acts on the pages at once (`pages.rs`).
//! The walk is Linux's: a hole is an error only after the rest was done, an area that can't take the advice ends it.
mod pages;

use alloc::sync::Arc;
use core::ops::Range;

use crate::error::Error;
use crate::gather::Gather;
use crate::machine::{Machine, WORDS};
use crate::memory::Memory;
use crate::page::{self, PAGE_SIZE, Page};
use crate::page_cache::{CachedFile, Read};
use crate::space::AddressSpace;
use crate::vma::{Backing, VmFlags, Vma};

/// The advice of madvise(2) that is given to areas; MADV_POPULATE_* is `populate.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "see madvise(2)")]
pub enum Advice {
    Normal,
    Random,
    Sequential,
    WillNeed,
    DontNeed,
    DontNeedLocked,
    Free,
    Remove,
    DontFork,
    DoFork,
    WipeOnFork,
    KeepOnFork,
    Cold,
    PageOut,
    HugePage,
    NoHugePage,
    DontDump,
    DoDump,
    Mergeable,
    Unmergeable,
}

/// Pages and areas that MADV_WILLNEED looks at before others may have the space.
const MOST_LOOKS: usize = WORDS;

/// What a range of `madvise` comes to: its pages, none for no length.
pub fn advised_pages(address: u64, length: u64) -> Result<Range<Page>, Error> {
    if !address.is_multiple_of(PAGE_SIZE) {
        return Err(Error::Invalid);
    }
    let length = length.checked_next_multiple_of(PAGE_SIZE);
    let end = length.and_then(|length| address.checked_add(length));
    let end = end.ok_or(Error::Invalid)?;
    Ok(Page::containing(address)..Page::containing(end))
}

impl AddressSpace {
    /// Gives `advice` on the pages of `length` bytes from `address`. See madvise(2).
    pub fn madvise<M: Machine>(
        &mut self,
        memory: &Memory<M>,
        address: u64,
        length: u64,
        advice: Advice,
    ) -> Result<(), Error> {
        let pages = advised_pages(address, length)?;
        self.reserve(memory, &pages, 2)
            .map_err(|_| Error::TryAgain)?;
        let mut gather = Gather::new(memory, self.table.root());
        let mut at = pages.start;
        let mut answer = Ok(());
        while at < pages.end {
            let vma = self.areas.find(at).ok_or(Error::OutOfMemory)?;
            if at < vma.start {
                answer = Err(Error::OutOfMemory);
            }
            let piece = page::intersection(&(at..pages.end), &vma.pages());
            at = vma.end;
            if page::count(&piece) > 0 {
                self.advise(&mut gather, &piece, advice)?;
            }
        }
        answer
    }

    /// Gives advice on `piece`, which lies inside one area.
    fn advise<M: Machine>(
        &mut self,
        gather: &mut Gather<'_, M>,
        piece: &Range<Page>,
        advice: Advice,
    ) -> Result<(), Error> {
        let Some(vma) = self.areas.at(piece.start) else {
            return Ok(());
        };
        refuse(vma, advice)?;
        match advice {
            Advice::DontNeed | Advice::DontNeedLocked => self.zap(gather, piece.clone()),
            Advice::Free => self.free_lazily(gather, piece.clone()),
            Advice::Cold => self.cool(gather, piece.clone()),
            Advice::PageOut => self.page_out(gather, piece.clone()),
            Advice::Remove => return remove(gather.memory(), vma, piece),
            _ => return self.note(piece, vma.flags, noted(vma, advice)),
        }
        Ok(())
    }

    fn note(&mut self, piece: &Range<Page>, old: VmFlags, new: VmFlags) -> Result<(), Error> {
        if new == old {
            return Ok(());
        }
        self.reflag(piece, new).map_err(|_| Error::TryAgain)
    }

    /// MADV_WILLNEED: the next page of `pages` that has to be read, if there is one among those that are looked at. What
    /// was looked at goes from `pages`: as long as any are left, the caller gives way to others and asks again.
    pub fn next_to_read<M: Machine>(
        &self,
        memory: &Memory<M>,
        pages: &mut Range<Page>,
    ) -> Option<Read> {
        let all = pages.clone();
        let mut looks = 0..MOST_LOOKS;
        for vma in self.areas.within(&all) {
            let wanted = page::intersection(&vma.pages(), &all);
            pages.start = wanted.start;
            looks.next()?;
            let Some(file) = file_to_read(vma) else {
                continue;
            };
            while pages.start < wanted.end
                && let Some(index) = vma.file_index(pages.start)
                && index < file.pages()
            {
                looks.next()?;
                pages.start = pages.start + 1;
                if let Ok(Some(read)) = file.begin_read(memory, index) {
                    return Some(read);
                }
            }
        }
        pages.start = pages.end;
        None
    }
}

/// The file that the area shows, if its pages are read in. What lives in memory alone is there, or zeroes.
fn file_to_read(vma: &Vma) -> Option<&Arc<CachedFile>> {
    match &vma.backing {
        Backing::File { file, .. } if file.is_read_in() => Some(file),
        _ => None,
    }
}

/// Whether stores through the area reach its file, or would after an `mprotect`.
fn may_store_to_file(vma: &Vma) -> bool {
    vma.flags & (VmFlags::SHARED | VmFlags::NEVER_WRITE) == VmFlags::SHARED
}

/// MADV_REMOVE: takes what `piece` of the area shows out of its file, for all who see it.
fn remove<M: Machine>(memory: &Memory<M>, vma: &Vma, piece: &Range<Page>) -> Result<(), Error> {
    let (Backing::File { file, .. }, Some(first)) = (&vma.backing, vma.file_index(piece.start))
    else {
        return Ok(());
    };
    let byte = |index: u64| index.saturating_mul(PAGE_SIZE);
    file.punch_hole(memory, byte(first)..byte(first + page::count(piece)))
}

/// Whether the area can't take the advice.
fn refuse(vma: &Vma, advice: Advice) -> Result<(), Error> {
    let is_special = vma.flags.contains(VmFlags::SPECIAL);
    let is_raw = vma.flags.contains(VmFlags::RAW);
    // To Linux no file is behind what it put there.
    let is_of_file = vma.backing.is_of_file() && !is_special;
    let is_anonymous = vma.backing.is_anonymous();
    let is_read_in = file_to_read(vma).is_some();
    let is_locked = vma.flags.contains(VmFlags::LOCKED);
    let is_senseless = match advice {
        Advice::DontNeed | Advice::Cold | Advice::PageOut => is_locked || is_raw,
        Advice::DontNeedLocked | Advice::DoFork => is_raw,
        Advice::DoDump => is_special,
        Advice::Free => is_locked || !is_anonymous,
        Advice::Remove => is_locked || !is_of_file,
        Advice::WipeOnFork => is_of_file,
        _ => false,
    };
    match advice {
        _ if is_senseless => Err(Error::Invalid),
        Advice::Remove if !may_store_to_file(vma) => Err(Error::Forbidden),
        // What leaves memory there would be read in again.
        Advice::Remove if is_read_in => Err(Error::Invalid),
        _ => Ok(()),
    }
}

/// The area's flags once the advice is noted.
fn noted(vma: &Vma, advice: Advice) -> VmFlags {
    let nothing = VmFlags::empty();
    let (without, with) = match advice {
        Advice::Normal => (VmFlags::RANDOM | VmFlags::SEQUENTIAL, nothing),
        Advice::Random => (VmFlags::SEQUENTIAL, VmFlags::RANDOM),
        Advice::Sequential => (VmFlags::RANDOM, VmFlags::SEQUENTIAL),
        Advice::DontFork => (nothing, VmFlags::DONT_FORK),
        Advice::DoFork => (VmFlags::DONT_FORK, nothing),
        Advice::WipeOnFork => (nothing, VmFlags::WIPE_ON_FORK),
        Advice::KeepOnFork => (VmFlags::WIPE_ON_FORK, nothing),
        Advice::HugePage => (VmFlags::NO_HUGE, VmFlags::HUGE),
        Advice::NoHugePage => (VmFlags::HUGE, VmFlags::NO_HUGE),
        Advice::DontDump => (nothing, VmFlags::DONT_DUMP),
        Advice::DoDump => (VmFlags::DONT_DUMP, nothing),
        // As on Linux what is shared already, or the kernel's, does without, in silence.
        Advice::Mergeable if vma.flags.intersects(VmFlags::SHARED | VmFlags::SPECIAL) => {
            (nothing, nothing)
        }
        Advice::Mergeable => (nothing, VmFlags::MERGEABLE),
        Advice::Unmergeable => (VmFlags::MERGEABLE, nothing),
        _ => (nothing, nothing),
    };
    (vma.flags - without) | with
}

#[cfg(test)]
mod tests;
