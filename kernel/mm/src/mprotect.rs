//! `mprotect`: change what may be done with pages, in the areas and in the entries that exist.
//!
//! Rights only ever shrink by surprise: an entry whose area becomes writable stays read-only unless the frame belongs to
//! this space alone or is meant to be shared, and the next store decides by fault. Only that fault finds out, as on Linux,
//! that the other side of a `fork` has gone. PROT_NONE keeps the frame in an entry that the processor does not see.
use core::ops::Range;

use crate::error::Error;
use crate::frame::Use;
use crate::gather::Gather;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::{self, PAGE_SIZE, Page};
use crate::pte::{Leaf, Pte, PteFlags};
use crate::space::AddressSpace;
use crate::sync::atomic::Ordering::{AcqRel, Acquire};
use crate::vma::{VmFlags, Vma};

/// Which pages `mprotect` means beside those named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// None.
    Named,
    /// All below them in an area that grows down (PROT_GROWSDOWN).
    GrowsDown,
    /// All above them in an area that grows up (PROT_GROWSUP), which none does.
    GrowsUp,
}

impl AddressSpace {
    /// Gives the pages of `length` bytes from `address` the rights `access`. Stops with an error at the first hole; what
    /// comes before has changed by then, as on Linux. `fetch` hears of pages that are locked and private and can be
    /// written from now on: they are to be fetched like those of `mlock`, so that stores don't fault. See mprotect(2).
    pub fn mprotect<M: Machine>(
        &mut self,
        memory: &Memory<M>,
        address: u64,
        length: u64,
        access: VmFlags,
        extent: Extent,
        mut fetch: impl FnMut(Range<Page>),
    ) -> Result<(), Error> {
        if !address.is_multiple_of(PAGE_SIZE) {
            return Err(Error::Invalid);
        }
        if length == 0 {
            return Ok(());
        }
        let end = length
            .checked_next_multiple_of(PAGE_SIZE)
            .and_then(|length| address.checked_add(length));
        let end = end.ok_or(Error::OutOfMemory)?;
        let pages = self.extend(Page::containing(address)..Page::containing(end), extent)?;
        self.reserve(memory, &pages, 2)?;
        let mut gather = Gather::new(memory, self.table.root());
        let mut at = pages.start;
        while at < pages.end {
            let vma = self.areas.at(at).ok_or(Error::OutOfMemory)?;
            let (piece, old) = (at..vma.end.min(pages.end), vma.flags);
            let new = (old - VmFlags::ACCESS) | access;
            at = piece.end;
            if !new.agree() {
                return Err(Error::Forbidden);
            }
            if new != old {
                self.protect(&mut gather, &piece, old, new)?;
            }
            if is_fetched(old, new) {
                // Linux fetches before it looks at the next area, which may merge or not for the sake of these pages.
                self.areas.at(piece.start).inspect(|vma| self.identify(vma));
                fetch(piece);
            }
        }
        Ok(())
    }

    fn extend(&self, pages: Range<Page>, extent: Extent) -> Result<Range<Page>, Error> {
        let vma = self.areas.find(pages.start).ok_or(Error::OutOfMemory)?;
        match extent {
            Extent::Named | Extent::GrowsUp if vma.start > pages.start => Err(Error::OutOfMemory),
            Extent::Named => Ok(pages),
            Extent::GrowsUp => Err(Error::Invalid),
            Extent::GrowsDown if vma.start >= pages.end => Err(Error::OutOfMemory),
            Extent::GrowsDown if !vma.flags.contains(VmFlags::GROWS_DOWN) => Err(Error::Invalid),
            Extent::GrowsDown => Ok(vma.start..pages.end),
        }
    }

    /// Gives `piece`, which lies inside one area, the rights in `flags`.
    fn protect<M: Machine>(
        &mut self,
        gather: &mut Gather<'_, M>,
        piece: &Range<Page>,
        old: VmFlags,
        new: VmFlags,
    ) -> Result<(), Error> {
        let memory = gather.memory();
        let new = self.promise_more(memory, piece, old, new)?;
        let len = page::count(piece);
        if let Err(error) = self.reflag(piece, new) {
            memory.uncommit(len * u64::from(gains_promise(old, new)));
            return Err(error);
        }
        memory.uncommit(len * u64::from(gains_promise(new, old)));
        self.protect_entries(gather, piece.clone(), new);
        Ok(())
    }

    /// Checks that `piece` may become what it was not: data, or memory that may be needed. Returns its flags with that
    /// noted. A piece of an anonymous area that can't be written any more, and never had a page of its own, needs no
    /// promise.
    fn promise_more<M: Machine>(
        &self,
        memory: &Memory<M>,
        piece: &Range<Page>,
        old: VmFlags,
        new: VmFlags,
    ) -> Result<VmFlags, Error> {
        let len = page::count(piece);
        let is_new_data = new.is_data() && !old.is_data();
        if is_new_data && !self.may_add_data(len) && self.may_expand(len) {
            return Err(Error::OutOfMemory);
        }
        if !new.contains(VmFlags::WRITE) {
            let is_untouched = self
                .areas
                .at(piece.start)
                .is_some_and(|vma| vma.backing.is_anonymous() && vma.identity().is_none());
            return Ok(if is_untouched {
                new - VmFlags::ACCOUNTED
            } else {
                new
            });
        }
        if old.intersects(VmFlags::WRITE | VmFlags::ACCOUNTED) || !new.is_promise() {
            return Ok(new);
        }
        memory.commit(len, self.books.mapped)?;
        Ok(new | VmFlags::ACCOUNTED)
    }

    fn protect_entries<M: Machine>(
        &self,
        gather: &mut Gather<'_, M>,
        pages: Range<Page>,
        flags: VmFlags,
    ) {
        // There an entry that may not be stored through stands for a clean page: the fault makes both what they are not.
        let notices = self.areas.at(pages.start).is_some_and(Vma::notices_stores);
        let change = |bits| {
            let leaf = Pte::decode(bits).leaf()?;
            let after = reprotect(leaf, flags);
            if notices && !leaf.is_writable() {
                return Some(read_only(after).encode());
            }
            Some(after.encode())
        };
        let memory = gather.memory();
        self.table.each_entry(memory, pages, |page, entry| {
            if entry.fetch_update(AcqRel, Acquire, change).is_ok() {
                gather.changed(page);
            }
        });
    }
}

/// Whether pages that go from flags `old` to `new` are locked private ones that had no use for frames of their own.
fn is_fetched(old: VmFlags, new: VmFlags) -> bool {
    old & (VmFlags::WRITE | VmFlags::SHARED | VmFlags::LOCK) == VmFlags::LOCKED
        && new.contains(VmFlags::WRITE)
}

/// Whether pages become part of what is promised by going from flags `old` to `new`.
fn gains_promise(old: VmFlags, new: VmFlags) -> bool {
    new.contains(VmFlags::ACCOUNTED) && !old.contains(VmFlags::ACCOUNTED)
}

/// The entry that maps `leaf` with the rights of an area with `flags`.
fn reprotect(leaf: Leaf, flags: VmFlags) -> Pte {
    const KEPT: PteFlags = PteFlags::ACCESSED
        .union(PteFlags::DIRTY)
        .union(PteFlags::LAZY)
        .union(PteFlags::EXCLUSIVE);
    let kept = leaf.flags & KEPT;
    let is_ours = flags.contains(VmFlags::SHARED) || leaf.flags.contains(PteFlags::EXCLUSIVE);
    let rights = if is_ours {
        flags.entry_flags()
    } else {
        flags.read_only_entry_flags()
    };
    let leaf = Leaf {
        frame: leaf.frame,
        flags: (rights - PteFlags::ACCESSED) | kept,
    };
    if flags.intersects(VmFlags::ACCESS) {
        Pte::Mapped(leaf)
    } else {
        Pte::Protected(leaf)
    }
}

/// Whether the frame is private memory that nobody else holds, no device either.
pub(crate) fn is_exclusive<M: Machine>(memory: &Memory<M>, leaf: Leaf) -> bool {
    let record = memory.record(leaf.frame);
    record.usage() == Use::Anonymous && record.references() == 1
}

/// The same entry, whose first store must fault.
fn read_only(entry: Pte) -> Pte {
    match entry.leaf() {
        Some(leaf) => entry.with_flags(leaf.flags - PteFlags::WRITABLE),
        None => entry,
    }
}

#[cfg(test)]
mod tests;
