//! `fork`: a second space with the same areas, which shares every private frame until one side writes.
//!
//! Both sides' entries become read-only; the reference count of the frame says how many share it, and the first store
//! on either side copies (see `fault/cow.rs`); what a device may be filling is copied at once (see `pin.rs`). Pages of
//! files that were only read need no entry: they can fault again. So can whole areas in which nothing was stored.
use crate::areas::Areas;
use crate::error::OutOfMemory;
use crate::frame::Use;
use crate::gather::Gather;
use crate::identity::Heirs;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::Page;
use crate::page_table::{PageTable, exchange};
use crate::pte::{Leaf, Pte, PteFlags};
use crate::space::AddressSpace;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::vma::{VmFlags, Vma};

impl AddressSpace {
    /// A copy of the space. On failure the space is as it was, but for entries that a store will find read-only.
    pub fn fork<M: Machine>(&mut self, memory: &Memory<M>) -> Result<Self, OutOfMemory> {
        let mut heirs = Heirs::default();
        let areas = self.areas.try_clone(|vma| {
            vma.flags -= VmFlags::LOCK;
            heirs.adopt(vma);
        })?;
        let table = PageTable::new(memory)?;
        let mut child = Self::with_parts(areas, table, self.layout, self.brk, self.limits);
        child.family = self.family;
        child.identities = heirs.into_identities();
        child.lazy = self.lazy;
        child.stack_start = self.stack_start;
        child.leave_out(&self.areas);
        let shared = child
            .promise_all(memory, self.books.mapped)
            .and_then(|()| self.adopt(memory, &child))
            .and_then(|()| self.share_with(memory, &child));
        match shared {
            Ok(()) => Ok(child),
            Err(OutOfMemory) => {
                child.destroy(memory);
                Err(OutOfMemory)
            }
        }
    }

    /// Removes those of the parent's areas that no child gets (MADV_DONTFORK).
    fn leave_out(&mut self, parents: &Areas) {
        let kept_back = |vma: &&Vma| vma.flags.contains(VmFlags::DONT_FORK);
        for vma in parents.iter().filter(kept_back) {
            self.areas.remove(vma.start);
            self.books.remove(vma.len(), vma.flags - VmFlags::LOCK);
        }
        self.books.peak = self.books.mapped;
    }

    /// Promises each area what it was promised in the parent; on failure, none. Linux asks in the parent's name, whose
    /// areas are `mapped` pages: more than the child's where some are left out.
    fn promise_all<M: Machine>(
        &mut self,
        memory: &Memory<M>,
        mapped: u64,
    ) -> Result<(), OutOfMemory> {
        let wanted = core::mem::take(&mut self.books.promised);
        let mut promised = 0;
        for vma in self.areas.iter() {
            let pages = vma.promised();
            if memory.commit(pages, mapped).is_err() {
                memory.uncommit(promised);
                return Err(OutOfMemory);
            }
            promised += pages;
        }
        self.books.promised = wanted;
        Ok(())
    }

    /// Takes the child into the family: walks find its entries from the first on.
    fn adopt<M: Machine>(&self, memory: &Memory<M>, child: &Self) -> Result<(), OutOfMemory> {
        let [parent, child] = [self, child].map(|space| space.table.root());
        memory.families.join(memory, parent, child)
    }

    /// Fills the child's tables. The gather's shootdown at the end comes on failure too: entries have lost rights.
    fn share_with<M: Machine>(&self, memory: &Memory<M>, child: &Self) -> Result<(), OutOfMemory> {
        for vma in child.areas.iter() {
            // The seals allow it: the parent has the like.
            child.enter(memory, vma).map_err(|_| OutOfMemory)?;
        }
        let mut gather = Gather::new(memory, self.table.root());
        let left_out = VmFlags::SHARED | VmFlags::DONT_FORK | VmFlags::WIPE_ON_FORK;
        // Where nothing was ever stored the child's own faults bring all of it, as on Linux, where programs can count them.
        let copied = |vma: &&Vma| !vma.flags.intersects(left_out) && !vma.identity().is_none();
        for vma in self.areas.iter().filter(copied) {
            // Who cuts the file short could come by the child too early and by the parent too late.
            let _books = vma.file().map(|file| file.mappings.lock());
            for (first, entries) in self.table.stretches(memory, vma.pages()) {
                child.share_entries(&mut gather, vma, entries, first)?;
            }
        }
        Ok(())
    }

    /// Takes over what one of the parent's tables holds from page `first` on. The child's table is made when needed.
    fn share_entries<M: Machine>(
        &self,
        gather: &mut Gather<'_, M>,
        vma: &Vma,
        entries: &[AtomicU64],
        first: Page,
    ) -> Result<(), OutOfMemory> {
        let memory = gather.memory();
        let mut own: Option<&[AtomicU64]> = None;
        let mut shared = 0;
        let mut ended = Ok(());
        for (number, entry) in entries.iter().enumerate() {
            let Some(leaf) = Pte::decode(entry.load(Relaxed)).leaf() else {
                continue;
            };
            if memory.record(leaf.frame).usage().is_cached() {
                continue;
            }
            let own = match own {
                Some(own) => own,
                None => *own.insert(self.table.entries_or_create(memory, first, entries.len())?),
            };
            let page = first + number as u64;
            let is_ours = leaf.flags.contains(PteFlags::EXCLUSIVE);
            if is_ours && memory.record(leaf.frame).pins() > 0 {
                match self.copy_pinned(memory, entry, &own[number], vma.home(page)) {
                    Ok(copied) => shared += copied,
                    Err(error) => {
                        ended = Err(error);
                        break;
                    }
                }
                continue;
            }
            if leaf.is_writable() {
                gather.changed(page);
            }
            shared += share_leaf(memory, entry, &own[number]);
        }
        // Nobody can ask for the child's count yet.
        memory.count_resident(self.table.root(), Use::Anonymous, shared);
        ended
    }
}

impl AddressSpace {
    /// Gives this space, the child, a copy of what `entry` leads to and a device may be filling: that is for the parent,
    /// who keeps frame and right. The copy is from some moment before the device is done. Returns how many frames that is.
    fn copy_pinned<M: Machine>(
        &self,
        memory: &Memory<M>,
        entry: &AtomicU64,
        own: &AtomicU64,
        home: u64,
    ) -> Result<u32, OutOfMemory> {
        let bits = entry.load(Acquire);
        let pte = Pte::decode(bits);
        let Some(leaf) = pte.leaf() else {
            return Ok(0);
        };
        let frame = memory.allocate_uncleared(Use::Anonymous)?;
        // Whoever finds the entry by the reverse map may take the frame away meanwhile.
        if !memory.hold_if(leaf.frame, || entry.load(Acquire) == bits) {
            memory.put(frame);
            return Ok(0);
        }
        memory.machine.copy(leaf.frame, frame);
        memory.put(leaf.frame);
        let flags = leaf.flags - (PteFlags::WRITABLE | PteFlags::EXCLUSIVE);
        let copy = Leaf { frame, flags };
        memory.mapped(copy);
        self.note_home(memory, frame, home);
        own.store(pte.with_leaf(copy).encode(), Release);
        Ok(1)
    }
}

/// Gives the child what `entry` leads to. Returns how many frames that is: none or one.
#[inline]
fn share_leaf<M: Machine>(memory: &Memory<M>, entry: &AtomicU64, own: &AtomicU64) -> u32 {
    let mut before = entry.load(Acquire);
    while let Some(leaf) = Pte::decode(before).leaf() {
        let bits = before & !(PteFlags::WRITABLE | PteFlags::EXCLUSIVE).bits();
        let share = || exchange(entry, before, bits);
        // Whoever finds the entry by the reverse map may take the frame away: it is ours where it was held before the
        // entry was changed. What the processor noted until then goes to both sides.
        let is_zero = leaf.frame == memory.zero_frame();
        if (is_zero && share()) || (!is_zero && memory.hold_if(leaf.frame, share)) {
            memory.mapped(leaf);
            own.store(bits, Release);
            return u32::from(!is_zero);
        }
        before = entry.load(Acquire);
    }
    0
}

#[cfg(test)]
mod tests {
    use crate::error::OutOfMemory;
    use crate::fault::{Access, Path};
    use crate::memory::Memory;
    use crate::space::AddressSpace;
    use crate::testing::{Drawing, FIRST, TestMachine, path};

    fn write(memory: &Memory<TestMachine>, space: &AddressSpace, byte: u8) -> Path {
        let address = FIRST.address();
        let path = path(space.handle_fault(memory, address, Access::Write));
        let written = space.write_remote(memory, address, &[byte]);
        assert_eq!(written.ok(), Some(1));
        path
    }

    fn read(memory: &Memory<TestMachine>, space: &AddressSpace) -> u8 {
        let mut byte = [0];
        let read = space.read_remote(memory, FIRST.address(), &mut byte);
        assert_eq!(read.ok(), Some(1));
        byte[0]
    }

    #[test]
    fn the_parent_page_survives_the_childs_write() {
        let mut parent = Drawing::of("Ww........");
        let memory = &parent.memory;
        assert_eq!(write(memory, &parent.space, 1), Path::ZeroWrite);
        let child = parent.space.fork(memory).expect("memory is left");
        assert_eq!(write(memory, &child, 2), Path::CowCopy);
        assert_eq!(read(memory, &parent.space), 1);
        // The child has a frame of its own by now, so the parent's is the parent's alone.
        assert_eq!(write(memory, &parent.space, 3), Path::CowReuse);
        assert_eq!(read(memory, &child), 2);
        child.destroy(memory);
        parent.shows("Ww........");
    }

    #[test]
    fn a_grandchild_never_frees_what_others_hold() {
        let mut parent = Drawing::of("Ww........");
        let memory = &parent.memory;
        write(memory, &parent.space, 1);
        let mut child = parent.space.fork(memory).expect("memory is left");
        let grandchild = child.fork(memory).expect("memory is left");
        child.destroy(memory);
        assert_eq!(write(memory, &grandchild, 2), Path::CowCopy);
        assert_eq!(read(memory, &parent.space), 1);
        grandchild.destroy(memory);
        assert_eq!(write(memory, &parent.space, 3), Path::CowReuse);
        parent.shows("Ww........");
    }

    #[test]
    fn no_child_gets_entries_where_nothing_was_stored() {
        //                              0123456789
        let mut parent = Drawing::of("WwRr......");
        for page in [0, 2] {
            assert_eq!(parent.fault(page, Access::Read), Path::ZeroRead);
        }
        let memory = &parent.memory;
        let inherited = |child: &AddressSpace| {
            [0, 2].map(|page| {
                let entry = child.table.entry(memory, FIRST + page);
                entry.is_some_and(|entry| entry.load(super::Relaxed) != 0)
            })
        };
        let child = parent.space.fork(memory).expect("memory is left");
        assert_eq!(inherited(&child), [false, false]);
        child.destroy(memory);
        // One store, and all of its area is worth copying.
        assert_eq!(parent.fault(1, Access::Write), Path::ZeroWrite);
        let child = parent.space.fork(memory).expect("memory is left");
        assert_eq!(inherited(&child), [true, false]);
        child.destroy(memory);
        parent.shows("WwRr......");
    }

    #[test]
    fn a_fork_without_memory_never_keeps_any() {
        let mut parent = Drawing::of("Wwww......");
        for page in 0..4 {
            assert_eq!(parent.fault(page, Access::Write), Path::ZeroWrite);
        }
        let memory = &parent.memory;
        let mut hoard: alloc::vec::Vec<_> =
            core::iter::from_fn(|| memory.allocate(0).ok()).collect();
        // The child's root and three tables.
        for free in 0..4 {
            assert_eq!(memory.free_frames(), free);
            assert_eq!(parent.space.fork(memory).err(), Some(OutOfMemory));
            assert_eq!(memory.free_frames(), free);
            hoard.pop().into_iter().for_each(|frame| memory.free(frame));
        }
        let child = parent.space.fork(memory).expect("four frames are enough");
        child.destroy(memory);
        hoard.into_iter().for_each(|frame| memory.free(frame));
        parent.shows("Wwww......");
    }
}
