//! Advice that acts on pages: those that may be lost, those that were not used lately, those that can be read again.
//!
//! MADV_FREE leaves a page where it is, clean and with a mark in its entry. A store makes the entry dirty again, by the
//! processor's own hand, and thereby takes the advice back; what is still clean when memory runs out goes. The mark stands
//! in the entry because it is the entry's dirty bit that decides: it moves and is copied with it, and needs no list.
use core::ops::Range;

use crate::frame::Use;
use crate::gather::Gather;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::mprotect::is_exclusive;
use crate::page::Page;
use crate::page_table::exchange;
use crate::pte::{Leaf, Pte, PteFlags};
use crate::space::AddressSpace;
use crate::stats::Counter;
use crate::sync::atomic::Ordering::{AcqRel, Acquire};
use crate::vma::VmFlags;

impl AddressSpace {
    /// MADV_FREE: pages may be lost until they are written again. What others share with this space stays as it is.
    pub(super) fn free_lazily<M: Machine>(
        &mut self,
        gather: &mut Gather<'_, M>,
        pages: Range<Page>,
    ) {
        let memory = gather.memory();
        let used = PteFlags::ACCESSED | PteFlags::DIRTY;
        let (mut marked, mut new) = (0, 0);
        let given_up =
            |leaf: Leaf| is_exclusive(memory, leaf).then_some((leaf.flags - used) | PteFlags::LAZY);
        self.change_leaves(gather, pages, given_up, |leaf| {
            marked += 1;
            new += u64::from(!leaf.flags.contains(PteFlags::LAZY));
        });
        self.lazy += marked;
        memory.stats.add(Counter::pglazyfree, new);
    }

    /// MADV_COLD: pages look as if they had not been used. As on Linux not those that others map, too.
    pub(super) fn cool<M: Machine>(&self, gather: &mut Gather<'_, M>, pages: Range<Page>) {
        let memory = gather.memory();
        let cold = |leaf: Leaf| {
            let is_ours = memory.record(leaf.frame).mappings() == 1;
            is_ours.then_some(leaf.flags - PteFlags::ACCESSED)
        };
        self.change_leaves(gather, pages, cold, |_| {});
    }

    /// MADV_PAGEOUT: pages of files are given up, which can be read again. There is no swap for others: they become cold.
    pub(super) fn page_out<M: Machine>(&self, gather: &mut Gather<'_, M>, pages: Range<Page>) {
        self.cool(gather, pages.clone());
        let memory = gather.memory();
        self.zap_if(gather, pages, |leaf| {
            let is_clean = !leaf.flags.contains(PteFlags::DIRTY);
            let record = memory.record(leaf.frame);
            is_clean && record.usage() == Use::File && record.mappings() == 1
        });
    }

    /// Takes back, now that memory ran out, the pages that MADV_FREE gave up and nobody wrote since; returns how many.
    pub fn reclaim_lazy<M: Machine>(&mut self, memory: &Memory<M>) -> u64 {
        if self.lazy == 0 {
            return 0;
        }
        let mut gather = Gather::new(memory, self.table.root());
        let (mut taken, mut left) = (0, 0);
        for vma in self.areas.iter() {
            if vma.flags.contains(VmFlags::LOCKED) || !vma.backing.is_anonymous() {
                continue;
            }
            taken += self.zap_if(&mut gather, vma.pages(), |leaf| {
                let lazy_or_dirty = leaf.flags & (PteFlags::LAZY | PteFlags::DIRTY);
                let is_lazy = lazy_or_dirty == PteFlags::LAZY;
                let may_go = is_lazy && is_exclusive(memory, leaf);
                left += u64::from(is_lazy && !may_go);
                may_go
            });
        }
        self.lazy = left;
        memory.stats.add(Counter::pglazyfreed, taken);
        taken
    }

    /// Empties the entries of `pages` whose leaf is `wanted`; returns how many.
    fn zap_if<M: Machine>(
        &self,
        gather: &mut Gather<'_, M>,
        pages: Range<Page>,
        mut wanted: impl FnMut(Leaf) -> bool,
    ) -> u64 {
        let mut zapped = 0;
        let memory = gather.memory();
        self.table.each_entry(memory, pages, |page, entry| {
            let before = entry.load(Acquire);
            let leaf = Pte::decode(before).leaf().filter(|&leaf| wanted(leaf));
            // A store that comes in between makes the entry another, and it stays.
            if let Some(leaf) = leaf.filter(|_| exchange(entry, before, 0)) {
                gather.emptied(leaf, page);
                zapped += 1;
            }
        });
        zapped
    }

    /// Gives the entries of `pages` the flags that `change` has for them; `note` hears of each leaf that changed, as it
    /// was.
    fn change_leaves<M: Machine>(
        &self,
        gather: &mut Gather<'_, M>,
        pages: Range<Page>,
        change: impl Fn(Leaf) -> Option<PteFlags>,
        mut note: impl FnMut(Leaf),
    ) {
        let new = |bits| {
            let before = Pte::decode(bits);
            let leaf = before.leaf()?;
            let flags = change(leaf).filter(|&flags| flags != leaf.flags)?;
            Some(before.with_flags(flags).encode())
        };
        let memory = gather.memory();
        self.table.each_entry(memory, pages, |page, entry| {
            let before = entry.fetch_update(AcqRel, Acquire, new).ok();
            if let Some(leaf) = before.and_then(|bits| Pte::decode(bits).leaf()) {
                gather.changed(page);
                note(leaf);
            }
        });
    }
}
