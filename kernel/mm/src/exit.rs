//! The end of a space: everything it held goes back.
//!
//! The same steps as `munmap` of everything; no CPU uses the tables any more, so the shootdown has nobody to reach.
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::Page;
use crate::space::AddressSpace;

impl AddressSpace {
    /// Gives up areas, frames and tables. The space must not be active on any CPU.
    pub fn destroy<M: Machine>(mut self, memory: &Memory<M>) {
        let everything = Page::new(0)..self.table.user_end();
        memory.families.leave(memory, self.table.root());
        self.empty(memory, &everything.clone(), everything);
        memory.uncommit(self.books.promised);
        self.areas.into_iter().for_each(|vma| vma.release(memory));
        self.table.destroy(memory);
    }
}
