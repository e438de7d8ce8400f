//! `munmap`: take the promise back, and with it entries, frames and the tables that served nothing else.
//!
//! Nothing here can fail once it has begun: room for the one split is reserved first, frames wait in a fixed store for
//! the shootdown that makes them free.
use core::ops::Range;

use crate::areas::Areas;
use crate::error::Error;
use crate::gather::Gather;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::{PAGE_SIZE, Page};
use crate::pte::Pte;
use crate::space::{AddressSpace, MAX_AREAS, user_pages};
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering::{AcqRel, Relaxed};
use crate::vma::Vma;

impl AddressSpace {
    /// Removes every page of `length` bytes from `address`; holes are fine. See munmap(2) for the errors.
    pub fn munmap<M: Machine>(
        &mut self,
        memory: &Memory<M>,
        address: u64,
        length: u64,
    ) -> Result<(), Error> {
        if !address.is_multiple_of(PAGE_SIZE) {
            return Err(Error::Invalid);
        }
        let pages = user_pages(address, length).ok_or(Error::Invalid)?;
        self.may_cut(&pages)?;
        self.reserve(memory, &pages, 2)?;
        self.unmap(memory, &pages);
        Ok(())
    }

    /// Refuses to take `pages` away where that leaves two areas of one, and there are as many as there may be.
    pub(crate) fn may_cut(&self, pages: &Range<Page>) -> Result<(), Error> {
        let around = |vma: &Vma| vma.start < pages.start && pages.end < vma.end;
        if self.areas.len() >= MAX_AREAS && self.areas.at(pages.start).is_some_and(around) {
            return Err(Error::OutOfMemory);
        }
        Ok(())
    }

    /// Removes areas and entries of `pages`. Room for two splits must have been reserved.
    pub(crate) fn unmap<M: Machine>(&mut self, memory: &Memory<M>, pages: &Range<Page>) {
        let Some(first) = self.areas.within(pages).next() else {
            return;
        };
        if first.start < pages.start {
            self.split_at(pages.start);
        }
        self.split_at(pages.end);
        self.empty(memory, pages, self.hole_around(pages));
        self.forget(memory, pages);
    }

    /// Removes the areas of `pages`, whose ends lie in none, from the books; what they held is gone already.
    pub(crate) fn forget<M: Machine>(&mut self, memory: &Memory<M>, pages: &Range<Page>) {
        let first =
            |areas: &Areas, rest: &Range<Page>| areas.within(rest).next().map(|vma| vma.start);
        let mut rest = pages.clone();
        while let Some(vma) = first(&self.areas, &rest).and_then(|start| self.areas.remove(start)) {
            rest.start = vma.end;
            self.books.remove(vma.len(), vma.flags);
            memory.uncommit(vma.promised());
            vma.release(memory);
        }
        self.areas.shrink();
    }

    /// Gives up all that the areas in `pages` hold: their places in files' books, entries, frames, and the tables that
    /// serve only pages of `hole`.
    pub(crate) fn empty<M: Machine>(
        &mut self,
        memory: &Memory<M>,
        pages: &Range<Page>,
        hole: Range<Page>,
    ) {
        let mut gather = Gather::new(memory, self.table.root());
        for vma in self.areas.within(pages) {
            self.withdraw(vma);
            self.zap(&mut gather, vma.pages());
            // Tables that the next area shares go with that one, when nothing is left in them.
            let next = (vma.end < pages.end).then(|| self.areas.find(vma.end));
            let next = next.flatten().map_or(hole.end, |next| next.start);
            let hole = hole.start..next.min(hole.end);
            self.table.free_tables(&mut gather, &vma.pages(), &hole);
        }
    }

    /// Empties every entry of `pages`.
    pub(crate) fn zap<M: Machine>(&self, gather: &mut Gather<'_, M>, pages: Range<Page>) {
        let memory = gather.memory();
        self.table.each_entry(memory, pages, |page, entry| {
            if entry.load(Relaxed) != 0 {
                self.zap_entry(gather, entry, page);
            }
        });
    }

    pub(crate) fn zap_entry<M: Machine>(
        &self,
        gather: &mut Gather<'_, M>,
        entry: &AtomicU64,
        page: Page,
    ) {
        // One exchange: the processor may still be setting the accessed and dirty bits.
        if let Some(leaf) = Pte::decode(entry.swap(0, AcqRel)).leaf() {
            gather.emptied(leaf, page);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::error::Error;
    use crate::fault::{Access, Path};
    use crate::mmap::Place;
    use crate::page::PAGE_SIZE;
    use crate::page_table::Levels;
    use crate::space::USER_END;
    use crate::testing::{Drawing, FIRST, mapping, memory, path, space};
    use crate::vma::VmFlags;

    #[test]
    fn a_hole_never_takes_its_neighbours() {
        //                               0123456789
        let mut drawing = Drawing::of("Wwwwwwwwww");
        drawing.unmap("   ----   ").expect("allowed");
        drawing.shows("Www....Www");
        drawing.unmap("--------- ").expect("holes are fine");
        drawing.shows(".........W");
        drawing.unmap("-         ").expect("so is nothing at all");
        drawing.shows(".........W");
    }

    #[test]
    fn no_area_in_the_range_survives() {
        //                               0123456789
        let mut drawing = Drawing::of("RrWwXxNnRr");
        drawing.unmap(" -------- ").expect("allowed");
        drawing.shows("R........R");
    }

    #[test]
    fn a_page_never_comes_back_with_its_contents() {
        let mut drawing = Drawing::of("Www.......");
        assert_eq!(drawing.fault(1, Access::Write), Path::ZeroWrite);
        let written = drawing
            .space
            .write_remote(&drawing.memory, (FIRST + 1).address(), b"old");
        assert_eq!(written.ok(), Some(3));
        drawing.unmap(" -        ").expect("allowed");
        drawing.map(" -        ", 'w').expect("free");
        drawing.shows("Www.......");
        let mut bytes = [1; 3];
        let read = drawing
            .space
            .read_remote(&drawing.memory, (FIRST + 1).address(), &mut bytes);
        assert_eq!((read.ok(), bytes), (Some(3), [0; 3]));
    }

    #[test]
    fn no_frame_is_lost_where_one_shootdown_is_not_enough() {
        const PAGES: u64 = 300;
        let memory = memory(400, Levels::Four);
        let mut space = space(&memory);
        let pages = FIRST..FIRST + PAGES;
        let flags = VmFlags::READ | VmFlags::WRITE;
        let address = space.mmap(&memory, mapping(pages, Place::Fixed, flags));
        let address = address.expect("free");
        for page in 0..PAGES {
            path(space.handle_fault(&memory, address + page * PAGE_SIZE, Access::Write));
        }
        let unmapped = space.munmap(&memory, address, PAGES * PAGE_SIZE);
        unmapped.expect("no room is needed");
        crate::check::check(&memory, &[&space], &[]).expect("the invariants hold");
        space.destroy(&memory);
        assert_eq!(memory.free_frames(), 400);
    }

    #[test]
    fn no_senseless_range_is_accepted() {
        let mut drawing = Drawing::of("Ww........");
        let end = USER_END.address();
        for (address, length) in [
            (FIRST.address() + 1, PAGE_SIZE),
            (FIRST.address(), 0),
            (FIRST.address(), end),
            (end, PAGE_SIZE),
            (FIRST.address(), u64::MAX),
        ] {
            let got = drawing.space.munmap(&drawing.memory, address, length);
            assert_eq!(got, Err(Error::Invalid), "{address:#x}, {length:#x}");
        }
        drawing.shows("Ww........");
    }
}
