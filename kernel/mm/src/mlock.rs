//! `mlock` and its kin: areas whose pages stay in memory, up to a limit of their own.
//!
//! Locking only marks areas; whoever calls then has their pages fetched (`populate.rs`), outside the lock of the space.
use core::ops::Range;

use crate::error::Error;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::{self, PAGE_SIZE, Page};
use crate::space::AddressSpace;
use crate::vma::VmFlags;

/// How pages are to be locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Not at all.
    Free,
    /// From now on, fetched at once.
    Now,
    /// Once they are touched (MLOCK_ONFAULT, MCL_ONFAULT).
    OnFault,
}

impl Lock {
    fn flags(self) -> VmFlags {
        match self {
            Self::Free => VmFlags::empty(),
            Self::Now => VmFlags::LOCKED,
            Self::OnFault => VmFlags::LOCK,
        }
    }
}

impl AddressSpace {
    /// Locks the pages of `length` bytes from `address`, and returns which these are. Stops at the first hole; what comes
    /// before is locked by then, as on Linux. See mlock(2).
    pub fn mlock<M: Machine>(
        &mut self,
        memory: &Memory<M>,
        address: u64,
        length: u64,
        lock: Lock,
    ) -> Result<Range<Page>, Error> {
        if !self.may_lock() {
            return Err(Error::NotPermitted);
        }
        let (start, length) = whole_pages(address, length);
        let pages = start..start + length;
        let added = length.saturating_sub(self.books_of(&pages).locked);
        if !self.has_room_to_lock(added) {
            return Err(Error::OutOfMemory);
        }
        self.set_lock(memory, pages, lock)
    }

    /// Unlocks the pages of `length` bytes from `address`. See munlock(2).
    pub fn munlock<M: Machine>(
        &mut self,
        memory: &Memory<M>,
        address: u64,
        length: u64,
    ) -> Result<(), Error> {
        let (start, length) = whole_pages(address, length);
        self.set_lock(memory, start..start + length, Lock::Free)
            .map(drop)
    }

    /// Locks all areas, or those to come, or both; `None` leaves what there is as it is. See mlockall(2).
    pub fn mlockall(&mut self, current: Option<Lock>, future: Lock) -> Result<(), Error> {
        if !self.may_lock() {
            return Err(Error::NotPermitted);
        }
        if current.is_some() && self.books.mapped > self.limits.locked / PAGE_SIZE {
            return Err(Error::OutOfMemory);
        }
        self.future = future.flags();
        if let Some(lock) = current {
            self.lock_every_area(lock);
        }
        Ok(())
    }

    /// Unlocks all areas, and those to come. See munlockall(2).
    pub fn munlockall(&mut self) {
        self.future = VmFlags::empty();
        self.lock_every_area(Lock::Free);
    }

    /// Whether areas to come are locked.
    pub fn locks_future(&self) -> bool {
        self.future.contains(VmFlags::LOCKED)
    }

    /// Whether anything may be locked at all.
    pub fn may_lock(&self) -> bool {
        self.limits.locked != 0
    }

    /// Whether a new area of `pages` pages with `flags` keeps the space within its limit.
    pub(crate) fn may_add_locked(&self, pages: u64, flags: VmFlags) -> bool {
        !flags.contains(VmFlags::LOCKED) || self.has_room_to_lock(pages)
    }

    fn has_room_to_lock(&self, pages: u64) -> bool {
        self.books.locked.saturating_add(pages) <= self.limits.locked / PAGE_SIZE
    }

    fn set_lock<M: Machine>(
        &mut self,
        memory: &Memory<M>,
        pages: Range<Page>,
        lock: Lock,
    ) -> Result<Range<Page>, Error> {
        if pages.end.number() > page::LAST {
            return Err(Error::Invalid);
        }
        self.reserve(memory, &pages, 2)?;
        let mut at = pages.start;
        while at < pages.end {
            let vma = self.areas.at(at).ok_or(Error::OutOfMemory)?;
            let (piece, old) = (at..vma.end.min(pages.end), vma.flags);
            let new = old.locked(lock.flags());
            at = piece.end;
            if new != old {
                self.reflag(&piece, new)?;
            }
        }
        Ok(pages)
    }

    /// No area is cut, so that nothing can fail.
    fn lock_every_area(&mut self, lock: Lock) {
        let mut at = Page::new(0);
        while let Some(vma) = self.areas.find(at) {
            let (pages, old) = (vma.pages(), vma.flags);
            let new = old.locked(lock.flags());
            at = pages.end;
            if new != old {
                // An area as a whole is not cut, which is all that could be refused.
                let _ = self.reflag(&pages, new);
            }
        }
    }
}

/// The first page and the number of those that `length` bytes from `address` touch. As on Linux a length may wrap around
/// to nothing.
fn whole_pages(address: u64, length: u64) -> (Page, u64) {
    let length = length
        .wrapping_add(address % PAGE_SIZE)
        .wrapping_add(PAGE_SIZE - 1);
    (Page::containing(address), length / PAGE_SIZE)
}

#[cfg(test)]
mod tests {
    use super::Lock;
    use crate::error::Error;
    use crate::page::PAGE_SIZE;
    use crate::testing::{Drawing, FIRST, mapping};
    use crate::vma::VmFlags;

    fn lock(drawing: &mut Drawing, first: u64, count: u64, lock: Lock) -> Result<(), Error> {
        let (address, length) = ((FIRST + first).address(), count * PAGE_SIZE);
        drawing
            .space
            .mlock(&drawing.memory, address, length, lock)
            .map(drop)
    }

    #[test]
    fn a_locked_middle_never_stays_one_with_its_neighbours() {
        //                               0123456789
        let mut drawing = Drawing::of("Wwwwwwww..");
        lock(&mut drawing, 2, 3, Lock::Now).expect("allowed");
        drawing.shows("WwLllWww..");
        lock(&mut drawing, 4, 2, Lock::OnFault).expect("allowed");
        drawing.shows("WwLlOoWw..");
        assert_eq!(drawing.space.locked_pages(), 4);
        let (address, length) = (FIRST.address(), 8 * PAGE_SIZE);
        drawing
            .space
            .munlock(&drawing.memory, address, length)
            .expect("no hole");
        drawing.shows("Wwwwwwww..");
        assert_eq!(drawing.space.locked_pages(), 0);
    }

    #[test]
    fn what_lies_behind_a_hole_is_never_locked() {
        //                               0123456789
        let mut drawing = Drawing::of("Www..Www..");
        let got = lock(&mut drawing, 1, 6, Lock::Now);
        assert_eq!(got, Err(Error::OutOfMemory));
        drawing.shows("WLl..Www..");
        let got = lock(&mut drawing, 3, 4, Lock::Now);
        assert_eq!(got, Err(Error::OutOfMemory), "it begins in the hole");
        drawing.shows("WLl..Www..");
    }

    #[test]
    fn no_limit_counts_a_locked_page_twice() {
        //                               0123456789
        let mut drawing = Drawing::of("Wwwwwwww..");
        drawing.space.limits.locked = 4 * PAGE_SIZE + 17;
        lock(&mut drawing, 0, 3, Lock::Now).expect("within the limit");
        assert_eq!(lock(&mut drawing, 2, 3, Lock::Now), Err(Error::OutOfMemory));
        lock(&mut drawing, 1, 3, Lock::Now).expect("one page more");
        drawing.shows("LlllWwww..");
        let (space, memory) = (&mut drawing.space, &drawing.memory);
        let flags = VmFlags::READ | VmFlags::LOCKED;
        let request = mapping(FIRST + 8..FIRST + 9, crate::mmap::Place::Fixed, flags);
        assert_eq!(space.mmap(memory, request), Err(Error::TryAgain));
        let all = Some(Lock::Now);
        assert_eq!(space.mlockall(all, Lock::Free), Err(Error::OutOfMemory));
        space.limits.locked = 0;
        assert_eq!(space.mlockall(None, Lock::Now), Err(Error::NotPermitted));
        assert_eq!(
            lock(&mut drawing, 0, 1, Lock::Now),
            Err(Error::NotPermitted)
        );
        drawing.shows("LlllWwww..");
    }

    #[test]
    fn no_child_inherits_a_lock() {
        //                               0123456789
        let mut drawing = Drawing::of("Wwww......");
        let space = &mut drawing.space;
        space
            .mlockall(Some(Lock::Now), Lock::OnFault)
            .expect("no limit");
        drawing.map("    --    ", 'w').expect("free");
        drawing.shows("LlllOo....");
        let child = drawing.space.fork(&drawing.memory).expect("memory is left");
        assert_eq!((child.locked_pages(), child.locks_future()), (0, false));
        child.check(&drawing.memory).expect("the books are right");
        child.destroy(&drawing.memory);
        drawing.space.munlockall();
        drawing.map("      --  ", 'w').expect("free");
        drawing.shows("Wwwwwwww..");
    }

    #[test]
    fn a_page_is_locked_with_its_first_byte() {
        //                               0123456789
        let mut drawing = Drawing::of("Wwww......");
        let (space, memory) = (&mut drawing.space, &drawing.memory);
        let last = (FIRST + 1).address() - 1;
        space.mlock(memory, last, 2, Lock::OnFault).expect("there");
        drawing.shows("OoWw......");
        lock(&mut drawing, 1, 1, Lock::Now).expect("there");
        drawing.shows("OLWw......");
    }

    #[test]
    fn what_is_to_come_is_never_locked_by_an_older_wish() {
        //                               0123456789
        let mut drawing = Drawing::of("W.........");
        drawing.space.limits.locked = 2 * PAGE_SIZE;
        let space = &mut drawing.space;
        space.mlockall(None, Lock::Now).expect("allowed");
        drawing.map("  --      ", 'w').expect("within the limit");
        let more = drawing.map("     -    ", 'w');
        assert_eq!(more, Err(Error::TryAgain));
        drawing.shows("W.Ll......");
        drawing
            .space
            .mlockall(Some(Lock::OnFault), Lock::Free)
            .expect_err("three pages");
        drawing.space.limits.locked = u64::MAX;
        let space = &mut drawing.space;
        space
            .mlockall(Some(Lock::OnFault), Lock::Free)
            .expect("allowed");
        drawing.map("     -    ", 'w').expect("nobody locks it");
        drawing.shows("O.Oo.W....");
        drawing.space.mlockall(None, Lock::Now).expect("allowed");
        drawing.space.munlockall();
        drawing.map("       -  ", 'w').expect("nobody locks it");
        drawing.shows("W.Ww.W.W..");
        //                               0123456789
        let mut drawing = Drawing::of("WwRWwNXx..");
        let space = &mut drawing.space;
        space
            .mlockall(Some(Lock::Now), Lock::Free)
            .expect("allowed");
        assert_eq!(space.locked_pages(), 8, "each area, however short");
        space.munlockall();
        drawing.shows("WwRWwNXx..");
    }

    #[test]
    fn a_length_that_wraps_around_locks_nothing() {
        let mut drawing = Drawing::of("Ww........");
        let start = FIRST.address();
        assert!(
            drawing
                .space
                .mlock(&drawing.memory, start, u64::MAX, Lock::Now)
                .is_ok()
        );
        let beyond = drawing
            .space
            .mlock(&drawing.memory, start, u64::MAX - 8191, Lock::Now);
        assert_eq!(beyond, Err(Error::Invalid));
        drawing.shows("Ww........");
    }
}
