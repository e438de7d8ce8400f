//! `mmap`: promise a range of pages. No frame is touched and no table made; the first access to each page does that.
//!
//! The order of checks is Linux's, because programs can tell: see mmap(2), and `do_mmap` for what the page leaves open.
use core::ops::Range;

use crate::areas::Toward;
use crate::error::Error;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::{self, PAGE_SIZE, Page};
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

/// Where MAP_32BIT looks: from 1 GiB to 2 GiB, from below.
const LOW: Range<Page> = Page::new(0x4_0000)..Page::new(0x8_0000);

impl AddressSpace {
    /// Adds an area and returns the address of its first byte. See mmap(2) for the errors.
    pub fn mmap<M: Machine>(&mut self, memory: &Memory<M>, mapping: Mapping) -> Result<u64, Error> {
        let pages = self.choose(&mapping)?;
        if mapping.flags.contains(VmFlags::GROWS_DOWN) && !mapping.backing.is_anonymous() {
            return Err(Error::Invalid);
        }
        self.promise(memory, &pages, &mapping)?;
        self.may_cut(&pages)?;
        self.areas.reserve(3)?;
        self.unmap(memory, &pages);
        let Mapping { flags, backing, .. } = mapping;
        let address = pages.start.address();
        self.insert(Vma {
            start: pages.start,
            end: pages.end,
            flags,
            backing,
        });
        Ok(address)
    }

    /// What [`Self::mmap`] would refuse for the sake of length and address alone, without doing anything.
    pub fn check_mmap(&self, mapping: &Mapping) -> Result<(), Error> {
        self.choose(mapping).map(|_| ())
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
                let start = self
                    .place_anywhere(mapping, len)
                    .ok_or(Error::OutOfMemory)?;
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
    fn place_anywhere(&self, mapping: &Mapping, len: u64) -> Option<Page> {
        let low = mapping.place == Place::Low;
        let ceiling = if low { LOW.end } else { USER_END };
        if let Some(pages) = hint(mapping.address, len, ceiling)
            && self.is_free_guarded(&pages)
        {
            return Some(pages.start);
        }
        if low {
            return self.areas.find_gap(len, &LOW, Toward::Low);
        }
        let below = USER_START..self.layout.mmap_base;
        let above = self.layout.bottom_up_base..USER_END;
        self.areas
            .find_gap(len, &below, Toward::High)
            .or_else(|| self.areas.find_gap(len, &above, Toward::Low))
    }

    /// Checks that the limits and the machine allow the promise. Pages that it replaces are not counted twice.
    fn promise<M: Machine>(
        &self,
        memory: &Memory<M>,
        pages: &Range<Page>,
        mapping: &Mapping,
    ) -> Result<(), Error> {
        let len = page::count(pages);
        let grown = len.saturating_sub(self.mapped_in(pages));
        let flags = mapping.flags;
        let is_too_much = flags.is_data() && !self.may_add_data(grown);
        let is_hopeless = flags.is_promise() && len > memory.managed_frames() as u64;
        if !self.may_expand(grown) || is_too_much || is_hopeless {
            return Err(Error::OutOfMemory);
        }
        Ok(())
    }

    /// Pages of areas inside `pages`.
    fn mapped_in(&self, pages: &Range<Page>) -> u64 {
        let inside = self
            .areas
            .iter_from(pages.start)
            .take_while(|vma| vma.start < pages.end);
        inside
            .map(|vma| page::count(&page::intersection(&vma.pages(), pages)))
            .sum()
    }

    /// Whether `pages` more of private writable memory keep the space within RLIMIT_DATA.
    pub(crate) fn may_add_data(&self, pages: u64) -> bool {
        let limit = self.limits.data;
        limit == u64::MAX || self.data_pages().saturating_add(pages) <= limit / PAGE_SIZE
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
