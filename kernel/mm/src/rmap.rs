//! The reverse map of files: from pages of a file to every entry, in every space, that may lead to them.
//!
//! Each file keeps a [`Mapping`] for each area that shows it: a tree ordered by the page of the file at which the area
//! begins, whose nodes know how far the areas below them reach, so that those which overlap a range are found without a
//! look at the others. An area is entered before it can have entries and taken out before its tables go; whoever holds the
//! lock of a file's mappings may therefore read the tables that they name, and changes entries by compare-and-set like
//! everyone else. A fault that was under way meanwhile looks again after it has installed (`fault/mod.rs`).
//!
//! Splitting an area must not fail half-way through `munmap`. So there is room for as many cuts as one change makes in each
//! space that maps the file, and a change makes sure of that before it begins: however many spaces are about to cut areas
//! of a file, there is room for all.
use core::ops::Range;

use crate::error::{Error, OutOfMemory};
use crate::frame::Frame;
use crate::gather::Gather;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::Page;
use crate::page_cache::CachedFile;
use crate::page_table::each_entry;
use crate::pte::{Leaf, Pte, PteFlags};
use crate::space::AddressSpace;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering::{AcqRel, Relaxed, SeqCst};
use crate::tree::{Item, Tree};
use crate::vma::{Backing, VmFlags, Vma};

/// Cuts that one step of a change makes at most: `mremap`, at both ends of the old place and of the new one.
const CUTS: usize = 4;

/// An area of some space, as its file sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// The page of the file that the area's first page shows.
    pub(crate) offset: u64,
    /// The space's top-level table.
    pub(crate) root: Frame,
    /// The area's first page.
    pub(crate) start: Page,
    /// In pages.
    pub(crate) len: u64,
    /// Whether stores reach the file, or would after an `mprotect`.
    pub(crate) may_store: bool,
    /// Whether its pages stay in memory.
    pub(crate) is_locked: bool,
}

/// By place in the file; of areas that begin at the same place by space, address, length and kind. While `mmap` replaces an
/// area by its like, both are in the books, and it does not matter which is which.
type Key = (u64, u32, Page, u64, (bool, bool));

impl Item for Mapping {
    type Key = Key;
    /// The page of the file behind the farthest that any mapping below shows.
    type Summary = u64;

    fn key(&self) -> Key {
        let root = self.root.number();
        let kind = (self.may_store, self.is_locked);
        (self.offset, root, self.start, self.len, kind)
    }

    fn summarise(&self, below: Option<&u64>, above: Option<&u64>) -> u64 {
        let farthest = |end: Option<&u64>| end.copied().unwrap_or(0);
        self.end().max(farthest(below)).max(farthest(above))
    }
}

impl Mapping {
    /// How the file of `vma`, an area of the space with `root`, sees it; `None` for anonymous areas.
    pub(crate) fn of(vma: &Vma, root: Frame) -> Option<(&CachedFile, Self)> {
        let Backing::File { file, offset } = &vma.backing else {
            return None;
        };
        let mapping = Self {
            offset: *offset,
            root,
            start: vma.start,
            len: vma.len(),
            may_store: vma.flags & (VmFlags::SHARED | VmFlags::NEVER_WRITE) == VmFlags::SHARED,
            is_locked: vma.flags.contains(VmFlags::LOCKED),
        };
        Some((file, mapping))
    }

    /// The page of the file behind the last that is shown.
    fn end(&self) -> u64 {
        self.offset.saturating_add(self.len)
    }

    /// The pages of the space that show `range` of the file; possibly none.
    pub(crate) fn pages(&self, range: &Range<u64>) -> Range<Page> {
        let page = |index: u64| self.start + (index.clamp(self.offset, self.end()) - self.offset);
        page(range.start)..page(range.end)
    }
}

/// All areas that show a file.
#[derive(Debug)]
pub(crate) struct Mappings {
    tree: Tree<Mapping>,
    /// No area may store to the file any more: it is sealed.
    denies_writers: bool,
}

impl Mappings {
    pub(crate) const fn new() -> Self {
        Self {
            tree: Tree::new(),
            denies_writers: false,
        }
    }

    /// Makes sure of the room for `more` mappings, and for the cuts of every space that may have some.
    fn reserve(&mut self, more: usize, spaces: usize) -> Result<(), OutOfMemory> {
        self.tree
            .reserve(more + CUTS * spaces.min(self.tree.len() + more))
    }

    /// Takes a mapping out, and gives room back that the others don't need.
    fn remove(&mut self, mapping: &Mapping) {
        self.tree.remove(mapping.key());
        self.tree.shrink(CUTS * self.tree.len());
    }

    /// Lets no area store to the file from now on; [`Error::Busy`] where one may.
    pub(crate) fn deny_writers(&mut self) -> Result<(), Error> {
        if self.iter().any(|mapping| mapping.may_store) {
            return Err(Error::Busy);
        }
        self.denies_writers = true;
        Ok(())
    }

    /// The first mapping behind `after` that shows any of `range`.
    fn next(&self, after: Option<Key>, range: &Range<u64>) -> Option<Mapping> {
        self.next_below(self.tree.root(), after, range)
    }

    fn next_below(&self, at: u32, after: Option<Key>, range: &Range<u64>) -> Option<Mapping> {
        let node = self.tree.get(at)?;
        if *node.summary() <= range.start {
            return None;
        }
        let mapping = node.item();
        let is_behind = after.is_none_or(|after| after < mapping.key());
        if is_behind {
            let lower = self.next_below(node.left, after, range);
            if lower.is_some() {
                return lower;
            }
        }
        if mapping.offset >= range.end {
            return None;
        }
        if is_behind && range.start < mapping.end() {
            return Some(*mapping);
        }
        self.next_below(node.right, after, range)
    }

    /// The mappings in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Mapping> {
        self.over(&(0..u64::MAX))
    }

    /// Those that show any of `range`, in order.
    pub(crate) fn over(&self, range: &Range<u64>) -> impl Iterator<Item = Mapping> {
        let range = range.clone();
        let first = self.next(None, &range);
        core::iter::successors(first, move |last| self.next(Some(last.key()), &range))
    }

    /// Empties every entry of every space that leads to pages `range` of the file.
    pub(crate) fn empty<M: Machine>(&self, memory: &Memory<M>, range: &Range<u64>, copies: Copies) {
        for mapping in self.over(range) {
            mapping.empty(memory, range, copies);
        }
    }

    /// Whether anybody uses page `index`. Who has used it since the last look must use it again to be seen by the next.
    pub(crate) fn usage<M: Machine>(&self, memory: &Memory<M>, index: u64) -> Usage {
        let page = index..index + 1;
        let mut usage = Usage::Idle;
        for mapping in self.over(&page) {
            if mapping.is_locked {
                return Usage::Needed;
            }
            if mapping.rest(memory, &page) {
                usage = Usage::Needed;
            }
        }
        usage
    }

    /// Checks the tree; the first contradiction, in words.
    pub(crate) fn check(&self) -> Result<(), alloc::string::String> {
        self.tree.check()
    }
}

/// Whether a page has to stay in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    /// Nobody has touched it lately.
    Idle,
    /// Somebody has, or has locked it.
    Needed,
}

/// What becomes of private copies when a file's pages are unmapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copies {
    /// They stay: the file only lost a hole.
    Keep,
    /// They go with the pages that they were copied from: the file was cut short.
    Drop,
}

impl CachedFile {
    /// Empties every entry of every space that leads to pages `range` of the file.
    ///
    /// The lock is held throughout: an area that joined its neighbour meanwhile would be overlooked. Interrupts stay on.
    pub(crate) fn unmap<M: Machine>(&self, memory: &Memory<M>, range: &Range<u64>, copies: Copies) {
        self.mappings.lock().empty(memory, range, copies);
    }

    /// Takes up the area that `mapping` describes.
    fn enter(&self, mapping: Mapping, spaces: usize) -> Result<(), Error> {
        let mut mappings = self.mappings.lock();
        if mapping.may_store && mappings.denies_writers {
            return Err(Error::NotPermitted);
        }
        mappings.reserve(1, spaces)?;
        mappings.tree.insert(mapping);
        Ok(())
    }
}

impl Mapping {
    /// Makes the area's entries that lead to pages `range` of the file look as if nobody had used them; whether anybody
    /// had.
    fn rest<M: Machine>(&self, memory: &Memory<M>, range: &Range<u64>) -> bool {
        let mut gather = Gather::new(memory, self.root);
        let mut was_used = false;
        let rested = |bits| {
            let entry = Pte::decode(bits);
            let is_used = |leaf: &Leaf| leaf.flags.contains(PteFlags::ACCESSED);
            let leaf = entry.leaf().filter(is_used)?;
            let is_the_files = memory.record(leaf.frame).usage().is_cached();
            let flags = leaf.flags - PteFlags::ACCESSED;
            is_the_files.then(|| entry.with_flags(flags).encode())
        };
        each_entry(memory, self.root, self.pages(range), |page, entry| {
            if entry.fetch_update(AcqRel, Relaxed, rested).is_ok() {
                gather.changed(page);
                was_used = true;
            }
        });
        was_used
    }

    /// Empties the area's entries that lead to pages `range` of the file.
    fn empty<M: Machine>(&self, memory: &Memory<M>, range: &Range<u64>, copies: Copies) {
        let mut gather = Gather::new(memory, self.root);
        each_entry(memory, self.root, self.pages(range), |page, entry| {
            empty_entry(&mut gather, entry, page, copies);
        });
    }
}

fn empty_entry<M: Machine>(
    gather: &mut Gather<'_, M>,
    entry: &AtomicU64,
    page: Page,
    copies: Copies,
) {
    let memory = gather.memory();
    let goes =
        |leaf: &Leaf| copies == Copies::Drop || memory.record(leaf.frame).usage().is_cached();
    let empty = |bits| Pte::decode(bits).leaf().filter(goes).map(|_| 0);
    if let Ok(before) = entry.fetch_update(SeqCst, Relaxed, empty)
        && let Some(leaf) = Pte::decode(before).leaf()
    {
        gather.emptied(leaf, page);
    }
}

impl AddressSpace {
    /// Enters `vma`, which is about to be this space's, with its file.
    pub(crate) fn enter<M: Machine>(&self, memory: &Memory<M>, vma: &Vma) -> Result<(), Error> {
        match Mapping::of(vma, self.table.root()) {
            Some((file, mapping)) => file.enter(mapping, memory.spaces()),
            None => Ok(()),
        }
    }

    /// Takes `vma` out of its file's books.
    pub(crate) fn withdraw(&self, vma: &Vma) {
        if let Some((file, mapping)) = Mapping::of(vma, self.table.root()) {
            file.mappings.lock().remove(&mapping);
        }
    }

    /// Takes the areas in `pages`, or what was entered of them, out of their files' books: their entries are about to go.
    pub(crate) fn leave(&self, pages: &Range<Page>) {
        for vma in self.areas.within(pages) {
            self.withdraw(vma);
        }
    }

    /// `vma` is about to get the flags `flags`.
    pub(crate) fn reflag_mapping(&self, vma: &Vma, flags: VmFlags) {
        if let Some((file, mapping)) = Mapping::of(vma, self.table.root()) {
            let is_locked = flags.contains(VmFlags::LOCKED);
            let mut mappings = file.mappings.lock();
            mappings.tree.remove(mapping.key());
            mappings.tree.insert(Mapping {
                is_locked,
                ..mapping
            });
        }
    }

    /// Makes room for `count` more areas, and for cuts at both ends of `pages` in the books of the files there.
    pub(crate) fn reserve<M: Machine>(
        &mut self,
        memory: &Memory<M>,
        pages: &Range<Page>,
        count: usize,
    ) -> Result<(), OutOfMemory> {
        self.areas.reserve(count)?;
        if pages.is_empty() {
            return Ok(());
        }
        for end in [pages.start, pages.end] {
            let cut = self.areas.at(end).filter(|vma| vma.start < end);
            if let Some((file, _)) = cut.and_then(|vma| Mapping::of(vma, self.table.root())) {
                file.mappings.lock().reserve(0, memory.spaces())?;
            }
        }
        Ok(())
    }

    /// `vma` is about to end at `end` instead.
    pub(crate) fn stretch_mapping(&self, vma: &Vma, end: Page) {
        if let Some((file, mapping)) = Mapping::of(vma, self.table.root()) {
            let len = end - vma.start;
            let mut mappings = file.mappings.lock();
            mappings.tree.remove(mapping.key());
            mappings.tree.insert(Mapping { len, ..mapping });
        }
    }

    /// `vma` is about to end at `page`, and what is behind that to be an area of its own.
    pub(crate) fn cut_mapping(&self, vma: &Vma, page: Page) {
        if let Some((file, lower)) = Mapping::of(vma, self.table.root()) {
            let len = page - vma.start;
            let upper = Mapping {
                offset: lower.offset + len,
                start: page,
                len: lower.len - len,
                ..lower
            };
            let mut mappings = file.mappings.lock();
            mappings.tree.remove(lower.key());
            mappings.tree.insert(Mapping { len, ..lower });
            mappings.tree.insert(upper);
        }
    }

    /// `lower` is about to take `upper` in, which continues it.
    pub(crate) fn join_mappings(&self, lower: &Vma, upper: &Vma) {
        let root = self.table.root();
        if let Some((file, below)) = Mapping::of(lower, root)
            && let Some((_, above)) = Mapping::of(upper, root)
        {
            let mut mappings = file.mappings.lock();
            mappings.tree.remove(above.key());
            mappings.tree.remove(below.key());
            mappings.tree.insert(Mapping {
                len: below.len + above.len,
                ..below
            });
        }
    }
}
