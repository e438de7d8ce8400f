//! `mremap`: an area grows, shrinks or moves, and its pages go with it.
//!
//! No byte is copied and no frame changes hands: entries move from one place in the tables to another. All that can be
//! refused is refused first, and all room is reserved, tables included; from the first change of an area on nothing can
//! fail. (Linux has unmapped the target by then; a program can tell only where memory or areas run out.) Where several
//! areas move, those before the one that could not stay where they came to, as on Linux.
use core::ops::Range;

use bitflags::bitflags;

use crate::error::Error;
use crate::gather::Gather;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::mmap::Place;
use crate::page::{self, PAGE_SIZE, Page};
use crate::space::{AddressSpace, MAX_AREAS, USER_END, USER_START};
use crate::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
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
            self.merge_at(end);
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
        let vma = self.movable(request)?;
        let keeps = request.flags.contains(RemapFlags::DONT_UNMAP);
        let target = if request.flags.contains(RemapFlags::FIXED) {
            fixed(request.target)?
        } else {
            let place = self.place_of(vma, request.target.address(), request.len);
            place.ok_or(Error::OutOfMemory)?
        };
        if keeps {
            self.may_keep(request, target)?;
        }
        let old_len = page::count(&request.old);
        if request.len < old_len {
            let kept = Request {
                old: request.old.start..request.old.start + request.len,
                ..*request
            };
            let moved = self.move_one(memory, &kept, target)?;
            self.unmap(memory, &(kept.old.end..request.old.end));
            return Ok(moved);
        }
        self.move_one(memory, request, target)
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
        if request.flags.contains(RemapFlags::DONT_UNMAP) {
            self.may_keep(request, target)?;
        }
        self.relocate(memory, request, target)?;
        Ok(target)
    }

    /// Whether a second area may stand beside the first, which stays.
    fn may_keep(&self, request: &Request, target: Page) -> Result<(), Error> {
        let replaced = match request.flags.contains(RemapFlags::FIXED) {
            true => self.books_of(&(target..target + request.len)),
            false => Default::default(),
        };
        let added = self.books_of(&request.old);
        if self.may_expand(added.mapped.saturating_sub(replaced.mapped))
            && self.may_add_data(added.data.saturating_sub(replaced.data))
        {
            Ok(())
        } else {
            Err(Error::OutOfMemory)
        }
    }

    /// The area of the range, if the request may be made of it.
    fn movable(&self, request: &Request) -> Result<&Vma, Error> {
        let Request { old, len, .. } = request;
        let vma = self.areas.at(old.start).ok_or(Error::BadAddress)?;
        let old_len = page::count(old);
        if old_len == 0 && !vma.flags.contains(VmFlags::SHARED) {
            return Err(Error::Invalid);
        }
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

    /// Moves what is mapped in the old range to `target`.
    fn relocate<M: Machine>(
        &mut self,
        memory: &Memory<M>,
        request: &Request,
        target: Page,
    ) -> Result<(), Error> {
        let parts = self.areas.within(&request.old).count();
        if parts > 1 && self.areas.len() + 2 * parts >= MAX_AREAS - 3 {
            return Err(Error::OutOfMemory);
        }
        let mut at = request.old.start;
        while let Some(step) = self.next_move(request, target, at) {
            at = step.from.end.max(at + 1);
            let moved = self.prepare(memory, request.flags, &step)?;
            self.carry_out(memory, request.flags, step, moved);
        }
        Ok(())
    }

    /// All of a step that can fail: room, tables and promises for the area to come, which is returned.
    fn prepare<M: Machine>(
        &mut self,
        memory: &Memory<M>,
        flags: RemapFlags,
        step: &Move,
    ) -> Result<Vma, Error> {
        let Move { from, to } = step;
        // It may cut one area at each end of its old and of its new place, and is one itself.
        self.reserve(from, 9)?;
        self.reserve(to, 9)?;
        let vma = self.areas.at(from.start).ok_or(Error::BadAddress)?;
        let mut moved = vma.slice(from.start..vma.end);
        (moved.start, moved.end) = (to.start, to.end);
        self.make_tables(memory, step)?;
        let entered = self.enter(&moved).map_err(Error::from);
        let charged = entered.and_then(|()| self.charge_move(memory, flags, step));
        if let Err(error) = charged {
            self.withdraw(&moved);
            self.drop_tables(memory, to);
            return Err(error);
        }
        Ok(moved)
    }

    /// The part of an area that moves next, from `at` on.
    fn next_move(&self, request: &Request, target: Page, at: Page) -> Option<Move> {
        let Request { old, len, .. } = request;
        let is_first = at == old.start;
        let vma = match is_first {
            true => self.areas.at(at)?,
            false => self
                .areas
                .within(&(at..old.end))
                .next()
                .filter(|_| at < old.end)?,
        };
        let from = vma.start.max(at)..vma.end.min(old.end);
        let to = target + (from.start - old.start);
        // Only a single area grows on its way.
        let len = match is_first && from.end == old.end {
            true => *len,
            false => page::count(&from),
        };
        Some(Move {
            from,
            to: to..to + len,
        })
    }

    /// Replaces what is at the new place by `moved`, an area with the old one's entries. Everything was prepared.
    fn carry_out<M: Machine>(
        &mut self,
        memory: &Memory<M>,
        flags: RemapFlags,
        step: Move,
        moved: Vma,
    ) {
        let Move { from, to } = step;
        self.clear_for(memory, &to);
        let Some(vma) = self.areas.at(from.start) else {
            return;
        };
        let (old_area, old_flags) = (vma.pages(), vma.flags);
        self.move_entries(memory, vma, &from, to.start);
        // The new area comes before the old one goes: tables that serve both must stay.
        self.insert(moved);
        if page::count(&from) == 0 {
            // Shared memory is mapped a second time.
            return;
        }
        if !flags.contains(RemapFlags::DONT_UNMAP) {
            memory.recommit(self.books_of(&from).promised);
            self.unmap(memory, &from);
        } else if old_flags.intersects(VmFlags::LOCK) {
            // The lock goes with the pages, from all of the area, as on Linux. Room was reserved.
            let _ = self.reflag(&old_area, old_flags - VmFlags::LOCK);
        }
    }

    /// Removes areas and entries of `pages`, but leaves the tables to what comes next.
    fn clear_for<M: Machine>(&mut self, memory: &Memory<M>, pages: &Range<Page>) {
        self.split_at(pages.start);
        self.split_at(pages.end);
        self.leave(pages);
        let mut gather = Gather::new(memory, self.table.root());
        self.zap(&mut gather, pages.clone());
        self.forget(memory, pages);
    }

    fn move_entries<M: Machine>(
        &self,
        memory: &Memory<M>,
        vma: &Vma,
        from: &Range<Page>,
        to: Page,
    ) {
        // Who walks the reverse map could look at the new place too early and at the old one too late.
        let _books = vma.file().map(|file| file.mappings.lock());
        let mut gather = Gather::new(memory, self.table.root());
        let mut rest = from.clone();
        while let Some((first, entries)) = self.table.next_entries(memory, rest.clone()) {
            for (page, entry) in (first.number()..).map(Page::new).zip(entries) {
                if entry.load(Relaxed) == 0 {
                    continue;
                }
                if let Some(place) = self.table.entry(memory, to + (page - from.start)) {
                    // One exchange: the processor may still be setting the accessed and dirty bits.
                    place.store(entry.swap(0, AcqRel), Release);
                }
                gather.changed(page);
            }
            rest.start = first + entries.len() as u64;
        }
    }

    /// Makes the tables for all entries that will move.
    fn make_tables<M: Machine>(&mut self, memory: &Memory<M>, step: &Move) -> Result<(), Error> {
        let Move { from, to } = step;
        let mut rest = from.clone();
        while let Some((first, entries)) = self.table.next_entries(memory, rest.clone()) {
            rest.start = first + entries.len() as u64;
            for (page, entry) in (first.number()..).map(Page::new).zip(entries) {
                let place = to.start + (page - from.start);
                if entry.load(Acquire) != 0 && self.table.entry_or_create(memory, place).is_err() {
                    self.drop_tables(memory, to);
                    return Err(Error::OutOfMemory);
                }
            }
        }
        Ok(())
    }

    /// Frees tables in `pages` that serve no area: a move did not come about.
    fn drop_tables<M: Machine>(&mut self, memory: &Memory<M>, pages: &Range<Page>) {
        let mut gather = Gather::new(memory, self.table.root());
        let mut at = pages.start;
        while at < pages.end {
            let next = self.areas.find(at).map_or(pages.end, |vma| vma.start);
            let free = at..next.max(at).min(pages.end);
            if page::count(&free) > 0 {
                let hole = self.hole_around(&free);
                self.table.free_tables(&mut gather, &free, &hole);
            }
            at = self.areas.find(free.end).map_or(pages.end, |vma| vma.end);
        }
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
