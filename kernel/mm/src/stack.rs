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
        let (start, end) = (vma.start, vma.end);
        if start <= page {
            // Another thread was first.
            return Ok(());
        }
        if !vma.flags.contains(VmFlags::GROWS_DOWN) {
            return Err(Error::BadAddress);
        }
        let grown = start - page;
        if page < USER_START || !self.keeps_guard_gap(page) {
            return Err(Error::OutOfMemory);
        }
        let too_tall = page::count(&(page..end)) > self.limits.stack / PAGE_SIZE;
        if too_tall || !self.may_expand(grown) || grown > memory.managed_frames() as u64 {
            return Err(Error::OutOfMemory);
        }
        self.areas.update(start, |vma| vma.start = page);
        self.mapped += grown;
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
