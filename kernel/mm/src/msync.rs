//! `msync`: everything that was stored in a range reaches its file.
//!
//! Private pages never do, so for them only the order of refusals is left, which programs can tell.
use bitflags::bitflags;

use crate::error::Error;
use crate::page::{PAGE_SIZE, Page};
use crate::space::AddressSpace;
use crate::vma::{VmFlags, Vma};

bitflags! {
    /// How to synchronise, by Linux's numbers.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Sync: u32 {
        /// MS_ASYNC: soon.
        const ASYNC = 1;
        /// MS_INVALIDATE: other mappings shall see it too, which they do anyway.
        const INVALIDATE = 2;
        /// MS_SYNC: now.
        const SYNC = 4;
    }
}

/// The byte behind the last page that `length` bytes from `address` touch, `None` where there is none. As on Linux the
/// highest lengths round up to 0.
pub fn end(address: u64, length: u64) -> Option<u64> {
    address.checked_add(length.wrapping_add(PAGE_SIZE - 1) & !(PAGE_SIZE - 1))
}

impl AddressSpace {
    /// Writes back what was stored in `length` bytes from `address`. A hole is an error, after the rest was done. See
    /// msync(2).
    pub fn msync(&self, address: u64, length: u64, how: Sync) -> Result<(), Error> {
        if !address.is_multiple_of(PAGE_SIZE) || how.contains(Sync::ASYNC | Sync::SYNC) {
            return Err(Error::Invalid);
        }
        let end = end(address, length).ok_or(Error::OutOfMemory)?;
        let (mut at, end) = (Page::containing(address), Page::containing(end));
        let mut answer = Ok(());
        while at < end {
            let vma = self.areas.find(at).ok_or(Error::OutOfMemory)?;
            if at < vma.start {
                answer = Err(Error::OutOfMemory);
            }
            if how == Sync::ASYNC && answer.is_err() || vma.start >= end {
                return answer;
            }
            if how.contains(Sync::INVALIDATE) && vma.flags.contains(VmFlags::LOCKED) {
                return Err(Error::Busy);
            }
            at = vma.end;
        }
        answer
    }

    /// The first locked page from page `at` on. What lies before it is written even where it is in the way of the rest.
    pub fn first_locked(&self, at: Page) -> Option<Page> {
        let rest = at..self.table.user_end();
        let is_locked = |vma: &&Vma| vma.flags.contains(VmFlags::LOCKED);
        let vma = self.areas.within(&rest).find(is_locked)?;
        Some(vma.start.max(at))
    }
}

#[cfg(test)]
mod tests {
    use super::Sync;
    use crate::error::Error;
    use crate::mlock::Lock;
    use crate::page::PAGE_SIZE;
    use crate::testing::{Drawing, FIRST};

    #[test]
    fn no_hole_and_no_lock_is_passed_over() {
        //                               0123456789
        let mut drawing = Drawing::of("Ww..Ww....");
        let sync = |drawing: &Drawing, first: u64, count: u64, how| {
            let address = (FIRST + first).address();
            drawing.space.msync(address, count * PAGE_SIZE, how)
        };
        assert_eq!(sync(&drawing, 0, 2, Sync::SYNC), Ok(()));
        for how in [Sync::empty(), Sync::ASYNC, Sync::SYNC] {
            for (first, count) in [(0, 6), (1, 2), (2, 2), (4, 3), (8, 1)] {
                let got = sync(&drawing, first, count, how);
                assert_eq!(got, Err(Error::OutOfMemory), "{first}, {count}");
            }
        }
        let between = drawing
            .space
            .msync(FIRST.address() + 1, PAGE_SIZE, Sync::SYNC);
        assert_eq!(between, Err(Error::Invalid));
        let both = Sync::SYNC | Sync::ASYNC;
        assert_eq!(sync(&drawing, 0, 2, both), Err(Error::Invalid));
        let page = (FIRST + 4).address();
        let locked = drawing
            .space
            .mlock(&drawing.memory, page, PAGE_SIZE, Lock::Now);
        assert!(locked.is_ok());
        assert_eq!(sync(&drawing, 4, 2, Sync::SYNC), Ok(()));
        assert_eq!(sync(&drawing, 0, 6, Sync::INVALIDATE), Err(Error::Busy));
        let first_locked = |first| drawing.space.first_locked(FIRST + first);
        let found = [0, 4, 5].map(first_locked);
        let expected = [Some(FIRST + 4), Some(FIRST + 4), None];
        assert_eq!(found, expected);
    }
}
