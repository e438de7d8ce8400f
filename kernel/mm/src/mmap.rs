//! `mmap`: promise a range of pages. No frame is touched and no table made; the first access to each page does that.
//!
//! The order of checks is Linux's, because programs can tell: see mmap(2), and `do_mmap` for what the page leaves open.
use core::ops::Range;

use crate::areas::Toward;
use crate::books::Books;
use crate::commit::Overcommit;
use crate::error::Error;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::opening::Opening;
use crate::page::{self, PAGE_SIZE, Page};
use crate::seal::sealed_flags;
use crate::space::{AddressSpace, MAX_AREAS, USER_END, USER_START, user_pages};
use crate::vma::{Backing, VmFlags, Vma};

/// What `mmap` is asked for.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// Where, in bytes; how binding that is says `place`.
    pub address: u64,
    /// How much, in bytes; rounded up to pages.
    pub length: u64,
    /// How binding the address is.
    pub place: Place,
    /// Protection and behaviour.
    pub flags: VmFlags,
    /// Source of the contents; a file's offset is that of the first page.
    pub backing: Backing,
    /// What the file is mapped by.
    pub opening: Opening,
}

/// How binding the address of a [`Mapping`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// There if that is free, else anywhere; address 0 says nothing.
    Hint,
    /// There, in place of whatever is there.
    Fixed,
    /// There, or fail where something is there.
    FixedNoReplace,
    /// Below 2 GiB (MAP_32BIT); the address is a hint.
    Low,
}

/// Pages in a huge page of 2 MiB.
const HUGE: u64 = 512;

/// Where MAP_32BIT looks: from 1 GiB to 2 GiB, from below.
const LOW: Range<Page> = Page::new(0x4_0000)..Page::new(0x8_0000);

impl AddressSpace {
    /// Adds an area and returns the address of its first byte. See mmap(2) for the errors.
    pub fn mmap<M: Machine>(&mut self, memory: &Memory<M>, mapping: Mapping) -> Result<u64, Error> {
        let pages = self.check_mmap(&mapping)?;
        if mapping.flags.contains(VmFlags::GROWS_DOWN) && mapping.backing.is_of_file() {
            return Err(Error::Invalid);
        }
        self.may_cut(&pages)?;
        let Mapping {
            flags,
            backing,
            opening,
            ..
        } = mapping;
        let flags = sealed_flags(flags, &backing)?;
        let flags = flags.locked((flags & VmFlags::LOCK) | self.future);
        // Elsewhere a free place was looked for.
        let replaced = match mapping.place {
            Place::Fixed => pages.clone(),
            Place::Hint | Place::FixedNoReplace | Place::Low => pages.start..pages.start,
        };
        self.reserve(memory, &replaced, 3)?;
        let mut vma = Vma::new(pages.clone(), flags, backing);
        vma.opening = opening;
        self.enter(memory, &vma)?;
        vma.flags = match self.promise(memory, &replaced, &vma) {
            Ok(flags) => flags,
            Err(error) => {
                self.withdraw(&vma);
                return Err(error);
            }
        };
        self.unmap(memory, &replaced);
        self.insert(vma);
        Ok(pages.start.address())
    }

    /// The pages that [`Self::mmap`] would map, or what it would refuse for the sake of length, address and locks alone.
    pub fn check_mmap(&self, mapping: &Mapping) -> Result<Range<Page>, Error> {
        let pages = self.choose(mapping)?;
        if mapping.flags.contains(VmFlags::LOCKED) && !self.may_lock() {
            return Err(Error::NotPermitted);
        }
        let flags = mapping
            .flags
            .locked((mapping.flags & VmFlags::LOCK) | self.future);
        if self.may_add_locked(page::count(&pages), flags) {
            Ok(pages)
        } else {
            Err(Error::TryAgain)
        }
    }

    /// Decides which pages the mapping gets.
    fn choose(&self, mapping: &Mapping) -> Result<Range<Page>, Error> {
        if mapping.length == 0 {
            return Err(Error::Invalid);
        }
        let length = mapping
            .length
            .checked_next_multiple_of(PAGE_SIZE)
            .ok_or(Error::OutOfMemory)?;
        let len = length / PAGE_SIZE;
        if let Backing::File { offset, .. } = &mapping.backing {
            offset.checked_add(len).ok_or(Error::Overflow)?;
        }
        // As on Linux, a new area may pass the limit by one; what splits an area may not.
        if self.areas.len() > MAX_AREAS || len > USER_END.number() {
            return Err(Error::OutOfMemory);
        }
        match mapping.place {
            Place::Hint | Place::Low => {
                let (hint, backing) = (mapping.address, &mapping.backing);
                let start = self.place_anywhere(hint, len, mapping.place, backing);
                let start = start.ok_or(Error::OutOfMemory)?;
                Ok(start..start + len)
            }
            Place::Fixed => fixed(mapping.address, length),
            Place::FixedNoReplace => {
                let pages = fixed(mapping.address, length)?;
                if self.is_free(&pages) {
                    Ok(pages)
                } else {
                    Err(Error::Exists)
                }
            }
        }
    }

    /// The first of `len` free pages: at the hint, else from `mmap_base` down, else from the bottom up.
    pub(crate) fn place_anywhere(
        &self,
        address: u64,
        len: u64,
        place: Place,
        backing: &Backing,
    ) -> Option<Page> {
        let ceiling = if place == Place::Low {
            LOW.end
        } else {
            USER_END
        };
        if let Some(pages) = hint(address, len, ceiling)
            && self.is_free_guarded(&pages)
        {
            return Some(pages.start);
        }
        let has_no_wish = Page::containing(address) == Page::new(0);
        if has_no_wish && backing.is_anonymous() && len.is_multiple_of(HUGE) {
            self.find_aligned_gap(len, place)
        } else {
            self.find_gap(len, place)
        }
    }

    fn find_gap(&self, len: u64, place: Place) -> Option<Page> {
        if place == Place::Low {
            return self.areas.find_gap(len, &LOW, Toward::Low);
        }
        let below = USER_START..self.layout.mmap_base;
        let above = self.layout.bottom_up_base..USER_END;
        self.areas
            .find_gap(len, &below, Toward::High)
            .or_else(|| self.areas.find_gap(len, &above, Toward::Low))
    }

    /// Room that begins where a huge page could, if there is any; the arithmetic is Linux's, since programs see addresses.
    fn find_aligned_gap(&self, len: u64, place: Place) -> Option<Page> {
        let Some(start) = self.find_gap(len + HUGE, place) else {
            return self.find_gap(len, place);
        };
        Some(start + (HUGE - start.number() % HUGE))
    }

    /// Makes the promise of an area, if the limits and the machine allow it. Pages that it replaces are not counted twice.
    /// Returns the flags that the area gets.
    fn promise<M: Machine>(
        &self,
        memory: &Memory<M>,
        replaced: &Range<Page>,
        vma: &Vma,
    ) -> Result<VmFlags, Error> {
        let flags = match memory.overcommit() {
            Overcommit::Never => vma.flags - VmFlags::NO_RESERVE,
            Overcommit::Always | Overcommit::Heuristic => vma.flags,
        };
        let flags = flags.with_promise();
        let len = vma.len();
        let replaced = self.books_of(replaced);
        let grown = len - replaced.mapped;
        if !self.may_expand(grown) || (flags.is_data() && !self.may_add_data(grown)) {
            return Err(Error::OutOfMemory);
        }
        if let Backing::File { file, .. } = &vma.backing {
            file.promise_whole(memory, self.books.mapped)?;
        }
        if flags.contains(VmFlags::ACCOUNTED) {
            memory.commit(len - replaced.promised, self.books.mapped)?;
            memory.recommit(replaced.promised);
        }
        Ok(flags)
    }

    /// What the areas inside `pages` add up to.
    pub(crate) fn books_of(&self, pages: &Range<Page>) -> Books {
        let mut books = Books::default();
        for vma in self.areas.within(pages) {
            let inside = page::intersection(&vma.pages(), pages);
            books.add(page::count(&inside), vma.flags);
        }
        books
    }
}

/// Exactly the pages asked for.
fn fixed(address: u64, length: u64) -> Result<Range<Page>, Error> {
    if address > USER_END.address().saturating_sub(length) {
        return Err(Error::OutOfMemory);
    }
    if !address.is_multiple_of(PAGE_SIZE) {
        return Err(Error::Invalid);
    }
    if address < USER_START.address() {
        return Err(Error::NotPermitted);
    }
    user_pages(address, length).ok_or(Error::OutOfMemory)
}

/// The pages that a hint names, raised to the lowest that may be mapped; `None` for no hint or one out of bounds.
fn hint(address: u64, len: u64, ceiling: Page) -> Option<Range<Page>> {
    let named = Page::containing(address);
    if named == Page::new(0) {
        return None;
    }
    let start = named.max(USER_START);
    let last = ceiling.number().checked_sub(len)?;
    (start.number() <= last).then(|| start..start + len)
}

#[cfg(test)]
mod tests;
