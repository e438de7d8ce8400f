//! The end of a space: everything it held goes back.
//!
//! The same steps as `munmap` of everything; no CPU uses the tables any more, so the shootdown has nobody to reach.
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::Page;
use crate::space::{AddressSpace, USER_END};

impl AddressSpace {
    /// Gives up areas, frames and tables. The space must not be active on any CPU.
    pub fn destroy<M: Machine>(mut self, memory: &Memory<M>) {
        self.unmap(memory, &(Page::new(0)..USER_END));
        self.table.destroy(memory);
    }
}
