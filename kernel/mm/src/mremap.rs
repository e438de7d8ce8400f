//! `mremap`: an area grows, shrinks or moves, and its pages go with it.
//!
//! No byte is copied and no frame changes hands: entries move from one place in the tables to another. All that can be
//! refused is refused first, and all room is reserved, tables included; from the first change of an area on nothing can
//! fail. (Linux has unmapped the target by then; a program can tell only where memory or areas run out.) Where several
//! areas move, those before the one that could not stay where they came to, as on Linux.
mod carry;

use core::ops::Range;

use bitflags::bitflags;

use crate::error::Error;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::mmap::Place;
use crate::page::{self, PAGE_SIZE, Page};
use crate::space::{AddressSpace, MAX_AREAS, USER_END, USER_START};
use crate::vma::{VmFlags, Vma};

bitflags! {
    /// What `mremap` may do, by Linux's numbers.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct RemapFlags: u32 {
        /// MREMAP_MAYMOVE.
        const MAY_MOVE = 1;
        /// MREMAP_FIXED: there, in place of whatever is there.
        const FIXED = 2;
        /// MREMAP_DONTUNMAP: the old area stays, empty.
        const DONT_UNMAP = 4;
    }
}

/// What `mremap` is asked for, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Remap {
    /// Where the pages are.
    pub address: u64,
    /// How much of them.
    pub old_length: u64,
    /// How much of them, or more, there shall be.
    pub new_length: u64,
    /// What may be done.
    pub flags: RemapFlags,
    /// Where they shall be, with `FIXED`; a hint with `DONT_UNMAP`.
    pub new_address: u64,
}

/// A request that makes sense, in pages.
struct Request {
    old: Range<Page>,
    len: u64,
    flags: RemapFlags,
    target: Page,
}

/// A part of one area on its way.
struct Move {
    from: Range<Page>,
    to: Range<Page>,
}

impl AddressSpace {
    /// Moves or resizes what is mapped at `remap.address`, and returns where it then is. See mremap(2).
    pub fn mremap<M: Machine>(&mut self, memory: &Memory<M>, remap: Remap) -> Result<u64, Error> {
        let request = self.sensible(&remap)?;
        let old_len = page::count(&request.old);
        let has_target = request
            .flags
            .intersects(RemapFlags::FIXED | RemapFlags::DONT_UNMAP);
        let start = if request.flags.contains(RemapFlags::FIXED) && old_len == request.len {
            self.move_all(memory, &request)?
        } else if has_target {
            self.move_to(memory, &request)?
        } else if request.len <= old_len {
            self.areas.at(request.old.start).ok_or(Error::BadAddress)?;
            self.shrink(memory, &request)?;
            request.old.start
        } else {
            self.grow(memory, &request)?
        };
        Ok(start.address())
    }

    /// The checks that look at no area, in Linux's order.
    fn sensible(&self, remap: &Remap) -> Result<Request, Error> {
        let Remap {
            address,
            flags,
            new_address,
            ..
        } = *remap;
        let end = USER_END.address();
        let [old_length, new_length] = [remap.old_length, remap.new_length].map(round_up);
        if !address.is_multiple_of(PAGE_SIZE) || new_length == 0 || new_length > end {
            return Err(Error::Invalid);
        }
        let old_end = address.saturating_add(old_length);
        if flags.intersects(RemapFlags::FIXED | RemapFlags::DONT_UNMAP) {
            let overlaps =
                address < new_address.saturating_add(new_length) && new_address < old_end;
            let resizes = flags.contains(RemapFlags::DONT_UNMAP) && old_length != new_length;
            if new_address > end - new_length
                || !new_address.is_multiple_of(PAGE_SIZE)
                || !flags.contains(RemapFlags::MAY_MOVE)
                || resizes
                || overlaps
            {
                return Err(Error::Invalid);
            }
            if self.areas.len() + 2 >= MAX_AREAS - 3 {
                return Err(Error::OutOfMemory);
            }
        }
        let start = Page::containing(address);
        Ok(Request {
            old: start..Page::containing(old_end),
            len: new_length / PAGE_SIZE,
            flags,
            target: Page::containing(new_address),
        })
    }

    /// Gives up the end of the range. As on Linux that may be parts of several areas.
    fn shrink<M: Machine>(&mut self, memory: &Memory<M>, request: &Request) -> Result<(), Error> {
        let tail = request.old.start + request.len..request.old.end;
        if page::count(&tail) == 0 {
            return Ok(());
        }
        let length = page::count(&tail) * PAGE_SIZE;
        self.munmap(memory, tail.start.address(), length)
    }

    /// Makes the area longer where it is, or else elsewhere.
    fn grow<M: Machine>(&mut self, memory: &Memory<M>, request: &Request) -> Result<Page, Error> {
        let vma = self.movable(request)?;
        let Request { old, len, .. } = request;
        let (start, end) = (vma.start, old.start + *len);
        let delta = old.end..end;
        if vma.end == old.end && end <= USER_END && self.is_free(&delta) {
            self.charge(memory, vma.flags, page::count(&delta))?;
            self.stretch_mapping(vma, end);
            self.books.add(page::count(&delta), vma.flags);
            self.areas.update(start, |vma| vma.end = end);
            self.merge_at_if(end, Vma::can_grow_into);
            return Ok(old.start);
        }
        if !request.flags.contains(RemapFlags::MAY_MOVE) {
            return Err(Error::OutOfMemory);
        }
        let target = self.place_of(vma, 0, *len).ok_or(Error::OutOfMemory)?;
        self.move_one(memory, request, target)
    }

    /// Moves part of an area to where the request says, resized.
    fn move_to<M: Machine>(
        &mut self,
        memory: &Memory<M>,
        request: &Request,
    ) -> Result<Page, Error> {
        let old_len = page::count(&request.old);
        let tail = request.old.start + request.len.min(old_len)..request.old.end;
        // What is given up may be parts of several areas; what moves is of one.
        let request = &Request {
            old: request.old.start..tail.start,
            ..*request
        };
        let vma = self.movable(request)?;
        let target = if request.flags.contains(RemapFlags::FIXED) {
            fixed(request.target)?
        } else {
            let place = self.place_of(vma, request.target.address(), request.len);
            place.ok_or(Error::OutOfMemory)?
        };
        if old_len == 0 && target == request.old.start {
            // The new place takes the place of the area that was to be seen there too; as on Linux it is gone by then.
            self.munmap(memory, target.address(), request.len * PAGE_SIZE)?;
            return Err(Error::BadAddress);
        }
        if tail.end > USER_END {
            // So is what was at the new place by the time that the end turns out to be no memory.
            self.munmap(memory, target.address(), request.len * PAGE_SIZE)?;
            return Err(Error::Invalid);
        }
        self.reserve(memory, &tail, 2)?;
        let moved = self.move_one(memory, request, target)?;
        if page::count(&tail) > 0 {
            self.unmap(memory, &tail);
        }
        Ok(moved)
    }

    /// Moves all areas of the range, holes included, by the same distance.
    fn move_all<M: Machine>(
        &mut self,
        memory: &Memory<M>,
        request: &Request,
    ) -> Result<Page, Error> {
        self.areas.at(request.old.start).ok_or(Error::BadAddress)?;
        let target = fixed(request.target)?;
        // Beyond the user half there are no areas, but the kernel's tables.
        let old = request.old.start..request.old.end.min(USER_END);
        let request = &Request {
            len: page::count(&old),
            old,
            ..*request
        };
        self.relocate(memory, request, target)?;
        Ok(target)
    }

    /// The area of the range, if the request may be made of it.
    fn movable(&self, request: &Request) -> Result<&Vma, Error> {
        let Request { old, len, .. } = request;
        let vma = self.areas.at(old.start).ok_or(Error::BadAddress)?;
        let old_len = page::count(old);
        if old_len == 0 && !vma.flags.contains(VmFlags::SHARED) {
            return Err(Error::Invalid);
        }
        vma.may_go(request.flags)?;
        if old.end > vma.end {
            return Err(Error::BadAddress);
        }
        let delta = len.saturating_sub(old_len);
        if delta == 0 {
            return Ok(vma);
        }
        if vma
            .file_index(old.start)
            .is_some_and(|index| index.checked_add(*len).is_none())
        {
            return Err(Error::Invalid);
        }
        if vma.flags.contains(VmFlags::SPECIAL) {
            return Err(Error::BadAddress);
        }
        if !self.may_add_locked(delta, vma.flags) {
            return Err(Error::TryAgain);
        }
        if !self.may_expand(delta) || (vma.flags.is_data() && !self.may_add_data(delta)) {
            return Err(Error::OutOfMemory);
        }
        Ok(vma)
    }

    fn place_of(&self, vma: &Vma, hint: u64, len: u64) -> Option<Page> {
        self.place_anywhere(hint, len, Place::Hint, &vma.backing)
    }

    fn move_one<M: Machine>(
        &mut self,
        memory: &Memory<M>,
        request: &Request,
        target: Page,
    ) -> Result<Page, Error> {
        if self.areas.len() >= MAX_AREAS - 3 {
            return Err(Error::OutOfMemory);
        }
        self.relocate(memory, request, target)?;
        Ok(target)
    }

    /// Makes the promise of what the move adds.
    fn charge_move<M: Machine>(
        &self,
        memory: &Memory<M>,
        flags: RemapFlags,
        step: &Move,
    ) -> Result<(), Error> {
        let Move { from, to } = step;
        if flags.contains(RemapFlags::DONT_UNMAP) {
            let promised = self.books_of(from).promised;
            return Ok(memory.commit(promised, self.books.mapped)?);
        }
        let Some(vma) = self.areas.at(from.start) else {
            return Ok(());
        };
        let grown = page::count(to).saturating_sub(page::count(from));
        self.charge(memory, vma.flags, grown)
    }

    fn charge<M: Machine>(
        &self,
        memory: &Memory<M>,
        flags: VmFlags,
        pages: u64,
    ) -> Result<(), Error> {
        if flags.contains(VmFlags::ACCOUNTED) {
            memory.commit(pages, self.books.mapped)?;
        }
        Ok(())
    }
}

/// A length in whole pages; like Linux's, one that is too long becomes nothing.
fn round_up(length: u64) -> u64 {
    length.wrapping_add(PAGE_SIZE - 1) & !(PAGE_SIZE - 1)
}

/// The target, if anything may be there.
fn fixed(target: Page) -> Result<Page, Error> {
    if target < USER_START {
        return Err(Error::NotPermitted);
    }
    Ok(target)
}

#[cfg(test)]
mod tests;
