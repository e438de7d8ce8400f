//! What `mlock` keeps in memory: the pages that locked areas show, each counted once however many areas show it.
//!
//! Nothing is kept up to date for it: whoever wants to know (`meminfo`'s Mlocked) walks the locked areas, and marks what it
//! has seen.
use alloc::vec::Vec;

use crate::error::OutOfMemory;
use crate::frame::{Frame, Use};
use crate::machine::Machine;
use crate::memory::Memory;
use crate::pte::Pte;
use crate::space::AddressSpace;
use crate::sync::atomic::Ordering::Acquire;
use crate::vma::VmFlags;

/// Locked pages of the spaces that were added, by use.
#[derive(Debug, Default)]
pub struct Locked {
    /// A bit for each frame; empty until a space has locked areas.
    seen: Vec<u64>,
    anonymous: u64,
    file: u64,
    shared: u64,
}

impl Locked {
    /// Adds what the locked areas of `space` have in memory.
    pub fn add<M: Machine>(
        &mut self,
        memory: &Memory<M>,
        space: &AddressSpace,
    ) -> Result<(), OutOfMemory> {
        if space.locked_pages() == 0 {
            return Ok(());
        }
        self.make_room(memory.machine.mem_map().len())?;
        let areas = space.areas().iter();
        for vma in areas.filter(|vma| vma.flags.contains(VmFlags::LOCKED)) {
            space.table().each_entry(memory, vma.pages(), |_, entry| {
                if let Some(leaf) = Pte::decode(entry.load(Acquire)).leaf() {
                    self.add_frame(memory, leaf.frame);
                }
            });
        }
        Ok(())
    }

    /// How many locked pages are used for `usage`.
    pub fn used(&self, usage: Use) -> u64 {
        match usage {
            Use::Anonymous => self.anonymous,
            Use::File => self.file,
            Use::Shared => self.shared,
            _ => 0,
        }
    }

    /// All of them.
    pub fn pages(&self) -> u64 {
        self.anonymous + self.file + self.shared
    }

    fn make_room(&mut self, frames: usize) -> Result<(), OutOfMemory> {
        let words = frames.div_ceil(u64::BITS as usize);
        let missing = words.saturating_sub(self.seen.len());
        self.seen
            .try_reserve_exact(missing)
            .map_err(|_| OutOfMemory)?;
        self.seen.resize(self.seen.len() + missing, 0);
        Ok(())
    }

    fn add_frame<M: Machine>(&mut self, memory: &Memory<M>, frame: Frame) {
        let (number, bits) = (frame.number() as usize, u64::BITS as usize);
        let Some(word) = self.seen.get_mut(number / bits) else {
            return;
        };
        let bit = 1 << (number % bits);
        let is_new = *word & bit == 0;
        *word |= bit;
        let count = match memory.record(frame).usage() {
            Use::Anonymous => &mut self.anonymous,
            Use::File => &mut self.file,
            Use::Shared => &mut self.shared,
            _ => return,
        };
        *count += u64::from(is_new);
    }
}
