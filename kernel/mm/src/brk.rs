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
        if address > USER_END.address() || address - self.layout.heap_start > self.limits.data {
            return Err(Error::OutOfMemory);
        }
        let (old, new) = (page_behind(self.brk), page_behind(address));
        if new < old {
            if self.is_free(&(new..old)) {
                // As on Linux: where the heap was unmapped behind brk's back, it can't be given back.
                return Err(Error::Invalid);
            }
            self.areas.reserve(2)?;
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
            self.may_expand(len) && self.may_add_data(len) && self.areas.len() < MAX_AREAS;
        if !fits || !allowed || len > memory.managed_frames() as u64 {
            return Err(Error::OutOfMemory);
        }
        self.areas.reserve(1)?;
        let flags = VmFlags::READ | VmFlags::WRITE | VmFlags::HEAP;
        self.insert(Vma {
            start: old,
            end: new,
            flags,
            backing: Backing::Anonymous,
        });
        Ok(())
    }
}

/// The first page that a heap ending at byte `address` does not use.
fn page_behind(address: u64) -> Page {
    Page::containing(address + PAGE_SIZE - 1)
}
