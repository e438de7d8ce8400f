//! Growth of an area that grows down: the fault below it asks, and the limits of getrlimit(2) decide.
//!
//! The guard gap is what keeps a stack from walking into its neighbour: growth stops 256 pages above whatever can be
//! accessed below, unless that is itself part of the same stack.
use crate::error::Error;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::{self, PAGE_SIZE, Page};
use crate::space::{AddressSpace, USER_START};
use crate::vma::{GUARD_GAP, VmFlags};

impl AddressSpace {
    /// Extends the area above `address` down to the page of that byte. Fails where the area doesn't grow, or mustn't.
    pub fn grow_stack<M: Machine>(
        &mut self,
        memory: &Memory<M>,
        address: u64,
    ) -> Result<(), Error> {
        let page = Page::containing(address);
        let vma = self.areas.find(page).ok_or(Error::BadAddress)?;
        let (start, end, flags) = (vma.start, vma.end, vma.flags);
        if start <= page {
            // Another thread was first.
            return Ok(());
        }
        if !flags.contains(VmFlags::GROWS_DOWN) {
            return Err(Error::BadAddress);
        }
        let grown = start - page;
        if page < USER_START || !self.keeps_guard_gap(page) {
            return Err(Error::OutOfMemory);
        }
        // As on Linux, also where it then may not grow; a stack that was moved up can't have begun below page 0.
        self.identify(vma);
        let too_low = vma.home(start) < grown;
        let too_tall = page::count(&(page..end)) > self.limits.stack / PAGE_SIZE;
        if too_low || too_tall || !self.may_expand(grown) || !self.may_add_locked(grown, flags) {
            return Err(Error::OutOfMemory);
        }
        if flags.contains(VmFlags::ACCOUNTED) {
            memory.commit(grown, self.books.mapped)?;
        }
        self.areas.update(start, |vma| vma.start = page);
        self.books.add(grown, flags);
        Ok(())
    }

    /// Whether an area that grows down may begin at `page`, given what lies below.
    fn keeps_guard_gap(&self, page: Page) -> bool {
        let Some(below) = self.areas.before(page) else {
            return true;
        };
        let harmless =
            below.flags.contains(VmFlags::GROWS_DOWN) || !below.flags.intersects(VmFlags::ACCESS);
        harmless || page - below.end >= GUARD_GAP
    }
}

#[cfg(test)]
mod tests {
    use crate::error::Error;
    use crate::fault::{Access, Outcome};
    use crate::mmap::Place;
    use crate::page::{PAGE_SIZE, Page};
    use crate::testing::{Drawing, FIRST, mapping};
    use crate::vma::VmFlags;

    fn grow(drawing: &mut Drawing, page: Page) -> Result<(), Error> {
        drawing.space.grow_stack(&drawing.memory, page.address())
    }

    /// A stack at page 8 of the drawing, and `below` far down, ending `distance` pages below page 4.
    fn with_neighbour(below: VmFlags, distance: u64) -> Drawing {
        let mut drawing = Drawing::of("........Ss");
        let end = FIRST + 4 - distance;
        let request = mapping(end - 1..end, Place::Fixed, below);
        drawing.space.mmap(&drawing.memory, request).expect("free");
        drawing
    }

    #[test]
    fn a_stack_never_grows_further_than_it_was_touched() {
        //                               0123456789
        let mut drawing = Drawing::of("........Ss");
        let address = (FIRST + 5).address();
        let outcome = drawing
            .space
            .handle_fault(&drawing.memory, address, Access::Write);
        assert!(matches!(outcome, Outcome::NeedsGrowth), "{outcome:?}");
        assert_eq!(grow(&mut drawing, FIRST + 5), Ok(()));
        drawing.shows(".....Sssss");
        assert_eq!(
            grow(&mut drawing, FIRST + 7),
            Ok(()),
            "another thread was first"
        );
        drawing.shows(".....Sssss");
    }

    #[test]
    fn nothing_else_ever_grows() {
        //                               0123456789
        let mut drawing = Drawing::of("Ss..Ww....");
        assert_eq!(grow(&mut drawing, FIRST + 2), Err(Error::BadAddress));
        assert_eq!(grow(&mut drawing, FIRST + 7), Err(Error::BadAddress));
        drawing.shows("Ss..Ww....");
    }

    #[test]
    fn the_guard_gap_never_shrinks() {
        let accessible = VmFlags::READ;
        let mut near = with_neighbour(accessible, 255);
        assert_eq!(grow(&mut near, FIRST + 4), Err(Error::OutOfMemory));
        assert_eq!(grow(&mut near, FIRST + 5), Ok(()));
        near.shows(".....Sssss");
        let mut far = with_neighbour(accessible, 256);
        assert_eq!(grow(&mut far, FIRST + 4), Ok(()));
        for harmless in [VmFlags::empty(), VmFlags::READ | VmFlags::GROWS_DOWN] {
            let mut near = with_neighbour(harmless, 0);
            assert_eq!(grow(&mut near, FIRST + 4), Ok(()), "{harmless:?}");
        }
    }

    #[test]
    fn no_limit_is_passed() {
        //                               0123456789
        let mut drawing = Drawing::of("........Ss");
        drawing.space.limits.stack = 4 * PAGE_SIZE;
        assert_eq!(grow(&mut drawing, FIRST + 5), Err(Error::OutOfMemory));
        assert_eq!(grow(&mut drawing, FIRST + 6), Ok(()));
        drawing.space.limits.stack = u64::MAX;
        drawing.space.limits.address_space = 5 * PAGE_SIZE;
        assert_eq!(grow(&mut drawing, FIRST + 4), Err(Error::OutOfMemory));
        drawing.space.limits.address_space = u64::MAX;
        assert_eq!(grow(&mut drawing, Page::new(15)), Err(Error::OutOfMemory));
        drawing.shows("......Ssss");
    }
}
