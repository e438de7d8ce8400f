//! `brk`: move the end of the heap, an anonymous area behind the program's data.
//!
//! brk(2) as the kernel does it: the answer is always the end that now holds, so failure is the old value.
use crate::error::Error;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::{PAGE_SIZE, Page};
use crate::space::{AddressSpace, MAX_AREAS, USER_END};
use crate::vma::{Backing, VmFlags, Vma};

impl AddressSpace {
    /// Moves the end of the heap to byte `address` if possible, and returns the end that now holds.
    pub fn brk<M: Machine>(&mut self, memory: &Memory<M>, address: u64) -> u64 {
        if address >= self.layout.heap_start && self.move_brk(memory, address).is_ok() {
            self.brk = address;
        }
        self.brk
    }

    fn move_brk<M: Machine>(&mut self, memory: &Memory<M>, address: u64) -> Result<(), Error> {
        let heap = address - self.layout.heap_start;
        if heap.saturating_add(self.layout.data_size) > self.limits.data {
            return Err(Error::OutOfMemory);
        }
        if address > USER_END.address() {
            return Err(Error::OutOfMemory);
        }
        let (old, new) = (page_behind(self.brk), page_behind(address));
        if new < old {
            if self.is_free(&(new..old)) {
                // As on Linux: where the heap was unmapped behind brk's back, it can't be given back.
                return Err(Error::Invalid);
            }
            self.reserve(memory, &(new..old), 2)?;
            self.unmap(memory, &(new..old));
        } else if old < new {
            self.grow_heap(memory, old, new)?;
        }
        Ok(())
    }

    fn grow_heap<M: Machine>(
        &mut self,
        memory: &Memory<M>,
        old: Page,
        new: Page,
    ) -> Result<(), Error> {
        let len = new - old;
        // One page more must be free, so that the heap never touches what lies above it.
        let fits = new < USER_END && self.is_free_guarded(&(old..new + 1));
        let allowed =
            self.may_expand(len) && self.may_add_data(len) && self.areas.len() <= MAX_AREAS;
        if !fits || !allowed || !self.may_add_locked(len, self.future) {
            return Err(Error::OutOfMemory);
        }
        self.areas.reserve(1)?;
        memory.commit(len, self.books.mapped)?;
        let flags = (VmFlags::READ | VmFlags::WRITE | self.future).with_promise();
        self.insert(Vma::new(old..new, flags, Backing::Anonymous));
        Ok(())
    }
}

/// The first page that a heap ending at byte `address` does not use.
fn page_behind(address: u64) -> Page {
    Page::containing(address + PAGE_SIZE - 1)
}

#[cfg(test)]
mod tests {
    use crate::error::Error;
    use crate::page::PAGE_SIZE;
    use crate::testing::{Drawing, FIRST};

    /// Moves the end of the heap to byte `byte` of page `page` of the drawing, and returns where it then is.
    fn brk(drawing: &mut Drawing, page: u64, byte: u64) -> (u64, u64) {
        let end = drawing
            .space
            .brk(&drawing.memory, (FIRST + page).address() + byte);
        let offset = end - FIRST.address();
        (offset / PAGE_SIZE, offset % PAGE_SIZE)
    }

    /// A drawing of pages 30 to 39, around the start of the heap at page 32, with `letter` at page 38.
    fn drawing(letter: char) -> Drawing {
        let picture: alloc::string::String = (0..40)
            .map(|page| if page == 38 { letter } else { '.' })
            .collect();
        Drawing::of(&picture)
    }

    fn shows(drawing: &Drawing, picture: &str) {
        drawing.shows(&(".".repeat(30) + picture));
    }

    #[test]
    fn the_heap_never_ends_between_pages() {
        //                       0123456789
        let mut it = drawing('.');
        assert_eq!(brk(&mut it, 32, 0), (32, 0));
        shows(&it, "..........");
        assert_eq!(brk(&mut it, 33, 1), (33, 1));
        shows(&it, "..Ww......");
        assert_eq!(brk(&mut it, 33, 4095), (33, 4095), "the same page");
        shows(&it, "..Ww......");
        assert_eq!(brk(&mut it, 35, 0), (35, 0));
        shows(&it, "..Www.....");
        assert_eq!(brk(&mut it, 32, 1), (32, 1));
        shows(&it, "..W.......");
        assert_eq!(brk(&mut it, 32, 0), (32, 0));
        shows(&it, "..........");
    }

    #[test]
    fn the_heap_never_moves_below_its_start() {
        let mut it = drawing('.');
        assert_eq!(brk(&mut it, 34, 0), (34, 0));
        assert_eq!(brk(&mut it, 31, 4095), (34, 0));
        assert_eq!(it.space.brk(&it.memory, 0), (FIRST + 34).address());
        shows(&it, "..Ww......");
    }

    #[test]
    fn the_heap_never_touches_what_lies_above() {
        let mut it = drawing('R');
        assert_eq!(brk(&mut it, 38, 0), (32, 0), "a page must stay free");
        assert_eq!(brk(&mut it, 37, 0), (37, 0));
        shows(&it, "..Wwwww.R.");
        assert_eq!(brk(&mut it, 37, 1), (37, 0));
        let mut it = drawing('S');
        assert_eq!(brk(&mut it, 33, 0), (32, 0), "the guard gap of a stack");
    }

    #[test]
    fn a_heap_that_was_unmapped_is_never_given_back() {
        let mut it = drawing('.');
        assert_eq!(brk(&mut it, 36, 0), (36, 0));
        it.unmap(&(" ".repeat(34) + "--")).expect("allowed");
        shows(&it, "..Ww......");
        assert_eq!(brk(&mut it, 34, 0), (36, 0), "nothing was there");
        assert_eq!(brk(&mut it, 33, 0), (33, 0), "something was");
        shows(&it, "..W.......");
    }

    #[test]
    fn no_limit_is_passed() {
        let mut it = drawing('.');
        it.space.limits.data = 2 * PAGE_SIZE;
        assert_eq!(brk(&mut it, 34, 1), (32, 0));
        assert_eq!(brk(&mut it, 34, 0), (34, 0));
        it.space.set_data_size(1);
        assert_eq!(brk(&mut it, 34, 0), (34, 0), "where it is");
        assert_eq!(brk(&mut it, 33, 4095), (33, 4095), "with a byte of data");
        assert_eq!(brk(&mut it, 34, 0), (33, 4095));
        it.space.set_data_size(0);
        assert_eq!(brk(&mut it, 34, 0), (34, 0));
        it.space.limits.data = u64::MAX;
        it.space.limits.address_space = 3 * PAGE_SIZE;
        assert_eq!(brk(&mut it, 36, 0), (34, 0));
        assert_eq!(it.space.brk(&it.memory, u64::MAX), (FIRST + 34).address());
    }

    #[test]
    fn a_limit_of_nothing_stops_the_heap_and_nothing_else() {
        let mut it = drawing('.');
        it.space.limits.data = 0;
        assert_eq!(brk(&mut it, 33, 0), (32, 0));
        it.map("-         ", 'w').expect("the hard limit counts");
        it.space.limits.data_hard = PAGE_SIZE;
        assert_eq!(it.map(" -        ", 'w'), Err(Error::OutOfMemory));
    }

    #[test]
    fn the_limit_of_data_never_means_the_heap_alone() {
        let mut it = drawing('W');
        it.space.limits.data = 3 * PAGE_SIZE;
        assert_eq!(brk(&mut it, 35, 0), (32, 0), "one page is data already");
        assert_eq!(brk(&mut it, 34, 0), (34, 0));
        shows(&it, "..Ww....W.");
    }
}
