//! The move itself: what it needs is made first, then entries go from one place in the tables to another.
//!
//! A step is what one area has of the range. Everything that can fail is in `prepare`; `carry_out` can't.
use crate::error::Error;
use crate::gather::Gather;
use crate::identity::Identity;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::{self, PAGE_SIZE, Page};
use crate::space::{AddressSpace, MAX_AREAS};
use crate::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::vma::{VmFlags, Vma};
use core::ops::Range;

use super::{Move, RemapFlags, Request};

impl AddressSpace {
    /// Moves what is mapped in the old range to `target`.
    pub(super) fn relocate<M: Machine>(
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
            let is_first = step.from.start == request.old.start;
            let allowed = self.may_keep(memory, request.flags, &step);
            let moved = match allowed.and_then(|()| self.prepare(memory, request.flags, &step)) {
                // What has moved would move again.
                Err(Error::OutOfMemory) if !is_first => return Err(Error::OutOfMemoryMidway),
                prepared => prepared?,
            };
            self.carry_out(memory, request.flags, step, moved);
        }
        Ok(())
    }

    /// Whether a second area may stand beside the first, which stays. As on Linux what was at the new place is gone even if
    /// it may not; and a space can be over RLIMIT_DATA: then what is no data may still be added.
    fn may_keep<M: Machine>(
        &mut self,
        memory: &Memory<M>,
        flags: RemapFlags,
        Move { from, to }: &Move,
    ) -> Result<(), Error> {
        if !flags.contains(RemapFlags::DONT_UNMAP) {
            return Ok(());
        }
        if let Some(vma) = self.areas.at(from.start) {
            vma.may_go(flags)?;
        }
        let (added, replaced) = (self.books_of(from), self.books_of(to));
        if self.may_expand(added.mapped.saturating_sub(replaced.mapped))
            && (added.data == 0 || self.may_add_data(added.data.saturating_sub(replaced.data)))
        {
            return Ok(());
        }
        self.munmap(memory, to.start.address(), page::count(to) * PAGE_SIZE)?;
        Err(Error::OutOfMemory)
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
        self.reserve(memory, from, 9)?;
        self.reserve(memory, to, 9)?;
        let vma = self.areas.at(from.start).ok_or(Error::BadAddress)?;
        let moved = vma.slice(from.start..vma.end).moved_to(to.clone());
        let (families, root) = (&memory.families, self.table.root());
        families.enter_shift(memory, root, moved.shift(), &self.areas)?;
        self.make_tables(memory, step)?;
        let ready = match self.enter(memory, &moved) {
            Ok(()) => self
                .charge_move(memory, flags, step)
                .inspect_err(|_| self.withdraw(&moved)),
            refused => refused,
        };
        if let Err(error) = ready {
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
        self.move_entries(memory, &moved, &from, to.start);
        // The new area comes before the old one goes: tables that serve both must stay.
        self.insert(moved);
        // Nothing is unmapped where shared memory is mapped a second time.
        if !flags.contains(RemapFlags::DONT_UNMAP) {
            memory.recommit(self.books_of(&from).promised);
            self.unmap(memory, &from);
        } else {
            self.leave_behind(&from);
        }
    }

    /// What stays with MREMAP_DONTUNMAP. As on Linux the lock goes with the pages, from all of the area, which does not
    /// join its neighbours for that; and an area that lost all its pages has no more private ones, unless it has become one
    /// with what moved.
    fn leave_behind(&mut self, from: &Range<Page>) {
        let Some(vma) = self.areas.at(from.start) else {
            return;
        };
        let moved_whole = vma.pages() == *from;
        let (start, len, flags) = (vma.start, vma.len(), vma.flags);
        self.books.remove(len, flags);
        self.books.add(len, flags - VmFlags::LOCK);
        if flags.contains(VmFlags::LOCKED) {
            self.reflag_mapping(vma, flags - VmFlags::LOCK);
        }
        self.areas.update(start, |vma| {
            vma.flags -= VmFlags::LOCK;
            if moved_whole {
                vma.set_identity(Identity::NONE);
            }
        });
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
        moved: &Vma,
        from: &Range<Page>,
        to: Page,
    ) {
        // Who walks the reverse map could look at the new place too early and at the old one too late.
        let _books = moved.file().map(|file| file.mappings.lock());
        let _walks = memory.families.keep_walks_out();
        let mut gather = Gather::new(memory, self.table.root());
        self.table.each_entry(memory, from.clone(), |page, entry| {
            if entry.load(Relaxed) == 0 {
                return;
            }
            if let Some(place) = self.table.entry(memory, to + (page - from.start)) {
                // One exchange: the processor may still be setting the accessed and dirty bits.
                place.store(entry.swap(0, AcqRel), Release);
            }
            gather.changed(page);
        });
    }

    /// Makes the tables for all entries that will move.
    fn make_tables<M: Machine>(&mut self, memory: &Memory<M>, step: &Move) -> Result<(), Error> {
        let Move { from, to } = step;
        for (first, entries) in self.table.stretches(memory, from.clone()) {
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
}
