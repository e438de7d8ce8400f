//! Page tables in memory: find the entry of a page, make the tables that lead there, give them up again.
//!
//! Entries are atomics and a fault changes them by compare-and-set, so faults need no lock between each other. Tables
//! are added the same way, and removed only by those who exclude all faults (`&mut AddressSpace`): that is why a
//! reference to an entry, once found, stays good for as long as the space is borrowed.
use core::ops::Range;

use crate::error::OutOfMemory;
use crate::frame::{Frame, Use};
use crate::gather::Gather;
use crate::machine::{Machine, WORDS};
use crate::memory::Memory;
use crate::page::{self, Page};
use crate::pte;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// Binary logarithm of the entries in a table.
const INDEX_BITS: u32 = WORDS.ilog2();

/// How many levels of tables the processor walks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Levels {
    /// 48-bit addresses.
    Four = 4,
    /// 57-bit addresses (LA57).
    Five = 5,
}

/// What [`PageTable::survey`] comes upon.
pub(crate) enum Seen {
    /// A table.
    Table(Frame),
    /// The last-level entry of a page.
    Entry(Page, u64),
}

/// The tables of one address space.
#[derive(Debug)]
pub struct PageTable {
    root: Frame,
    levels: u32,
    /// Tables below the top one.
    tables: AtomicU64,
}

impl PageTable {
    pub(crate) fn new<M: Machine>(memory: &Memory<M>) -> Result<Self, OutOfMemory> {
        Ok(Self {
            root: memory.allocate_root()?,
            levels: memory.levels() as u32,
            tables: AtomicU64::new(0),
        })
    }

    /// The top-level table: what CR3 holds while the space is active.
    pub fn root(&self) -> Frame {
        self.root
    }

    /// Tables below the top one: what Linux counts as a process's page tables.
    pub fn tables(&self) -> u64 {
        self.tables.load(Relaxed)
    }

    /// The page behind the last that the user half of the tables can map; far behind `USER_END` with 5 levels.
    pub(crate) fn user_end(&self) -> Page {
        Page::new(span(self.levels - 1) * WORDS as u64 / 2)
    }

    /// The entry of `page`, where all tables that lead to it exist.
    pub fn entry<'m, M: Machine>(
        &self,
        memory: &'m Memory<M>,
        page: Page,
    ) -> Option<&'m AtomicU64> {
        entry(memory, self.root, page)
    }

    /// The entry of `page`; missing tables are made.
    pub(crate) fn entry_or_create<'m, M: Machine>(
        &self,
        memory: &'m Memory<M>,
        page: Page,
    ) -> Result<&'m AtomicU64, OutOfMemory> {
        let table = self.last_table_or_create(memory, page)?;
        Ok(&memory.machine.words(table)[index(page, 0)])
    }

    fn last_table_or_create<M: Machine>(
        &self,
        memory: &Memory<M>,
        page: Page,
    ) -> Result<Frame, OutOfMemory> {
        let mut table = self.root;
        for level in (1..self.levels).rev() {
            let entry = &memory.machine.words(table)[index(page, level)];
            table = match pte::table(entry.load(Acquire)) {
                Some(next) => next,
                None => self.add_table(memory, entry)?,
            };
        }
        Ok(table)
    }

    /// Hangs a new table into `entry`, or finds the one that another CPU hung there first.
    fn add_table<M: Machine>(
        &self,
        memory: &Memory<M>,
        entry: &AtomicU64,
    ) -> Result<Frame, OutOfMemory> {
        let new = memory.allocate_zeroed(Use::Table)?;
        match entry.compare_exchange(0, pte::to_table(new), AcqRel, Acquire) {
            Ok(_) => {
                self.tables.fetch_add(1, Relaxed);
                Ok(new)
            }
            Err(other) => {
                memory.put(new);
                pte::table(other).ok_or(OutOfMemory)
            }
        }
    }

    /// The entries of `count` pages from `page` on, all in one last-level table, which is made if missing.
    pub(crate) fn entries_or_create<'m, M: Machine>(
        &self,
        memory: &'m Memory<M>,
        page: Page,
        count: usize,
    ) -> Result<&'m [AtomicU64], OutOfMemory> {
        let table = self.last_table_or_create(memory, page)?;
        let first = index(page, 0);
        Ok(&memory.machine.words(table)[first..first + count])
    }

    /// The entries of `pages`, a last-level table at a time: see [`stretches`].
    pub(crate) fn stretches<'m, M: Machine>(
        &self,
        memory: &'m Memory<M>,
        pages: Range<Page>,
    ) -> impl Iterator<Item = (Page, &'m [AtomicU64])> + use<'m, M> {
        stretches(memory, self.root, pages)
    }

    /// Shows the entries of `pages`, one by one: see [`each_entry`].
    pub(crate) fn each_entry<M: Machine>(
        &self,
        memory: &Memory<M>,
        pages: Range<Page>,
        see: impl FnMut(Page, &AtomicU64),
    ) {
        each_entry(memory, self.root, pages, see);
    }

    /// Unlinks the tables that serve `pages`, which were emptied, and beside them only pages of `hole`, in which no entry
    /// is left; `gather` frees them after the flush.
    pub(crate) fn free_tables<M: Machine>(
        &mut self,
        gather: &mut Gather<'_, M>,
        pages: &Range<Page>,
        hole: &Range<Page>,
    ) {
        let freed = free_below(gather, self.root, self.levels - 1, pages, hole);
        *self.tables.get_mut() -= freed;
    }

    /// Gives the top-level table up. Nothing is mapped any more and no CPU walks it.
    pub(crate) fn destroy<M: Machine>(self, memory: &Memory<M>) {
        memory.free_root(self.root);
    }

    /// Shows every table that serves ring 3, the top one first, and every last-level entry that is not empty.
    pub(crate) fn survey<M: Machine>(&self, memory: &Memory<M>, see: &mut impl FnMut(Seen)) {
        see(Seen::Table(self.root));
        let top = self.levels - 1;
        memory.machine.occupied(self.root, |number, bits| {
            if number < WORDS / 2 {
                survey_entry(memory, bits, top, Page::new(number as u64 * span(top)), see);
            }
        });
    }
}

/// The entry of `page` below `root`, where all tables that lead to it exist; they must not go meanwhile.
pub(crate) fn entry<M: Machine>(memory: &Memory<M>, root: Frame, page: Page) -> Option<&AtomicU64> {
    let mut table = root;
    for level in (1..memory.levels() as u32).rev() {
        let entry = &memory.machine.words(table)[index(page, level)];
        table = pte::table(entry.load(Acquire))?;
    }
    Some(&memory.machine.words(table)[index(page, 0)])
}

/// The entries of `pages` below `root`, a last-level table at a time: the first page that it has of the range, and its
/// entries from there on.
///
/// Absent tables are stepped over whole. The tables must not go meanwhile: the caller has the space, or holds the books of
/// a file with an area there.
#[inline]
pub(crate) fn stretches<'m, M: Machine>(
    memory: &'m Memory<M>,
    root: Frame,
    mut pages: Range<Page>,
) -> impl Iterator<Item = (Page, &'m [AtomicU64])> + use<'m, M> {
    core::iter::from_fn(move || {
        let (first, entries) = next_entries(memory, root, &pages)?;
        pages.start = first + entries.len() as u64;
        Some((first, entries))
    })
}

/// Shows the entries of `pages` below `root`, empty ones too, but for those of absent tables.
#[inline]
pub(crate) fn each_entry<M: Machine>(
    memory: &Memory<M>,
    root: Frame,
    pages: Range<Page>,
    mut see: impl FnMut(Page, &AtomicU64),
) {
    for (first, entries) in stretches(memory, root, pages) {
        for (number, entry) in entries.iter().enumerate() {
            see(first + number as u64, entry);
        }
    }
}

/// The first of the stretches of `pages`.
fn next_entries<'m, M: Machine>(
    memory: &'m Memory<M>,
    root: Frame,
    pages: &Range<Page>,
) -> Option<(Page, &'m [AtomicU64])> {
    let mut page = pages.start;
    'restart: while page < pages.end {
        let mut table = root;
        for level in (1..memory.levels() as u32).rev() {
            let entry = &memory.machine.words(table)[index(page, level)];
            let Some(next) = pte::table(entry.load(Acquire)) else {
                page = Page::new((page.number() | (span(level) - 1)) + 1);
                continue 'restart;
            };
            table = next;
        }
        let first = index(page, 0);
        let count = (pages.end - page).min((WORDS - first) as u64) as usize;
        return Some((page, &memory.machine.words(table)[first..first + count]));
    }
    None
}

/// Writes `after` into an entry, unless that is no longer `before`.
pub(crate) fn exchange(entry: &AtomicU64, before: u64, after: u64) -> bool {
    let exchanged = entry.compare_exchange(before, after, AcqRel, Acquire);
    exchanged.is_ok()
}

/// Pages that one entry of a table at `level` covers; level 0 is the last.
#[inline]
fn span(level: u32) -> u64 {
    1 << (INDEX_BITS * level)
}

#[inline]
fn index(page: Page, level: u32) -> usize {
    (page.number() >> (INDEX_BITS * level)) as usize % WORDS
}

/// Frees the tables below `table`, which stands at `level`, that serve any of `pages` and lie inside `hole` as a whole;
/// how many those were.
fn free_below<M: Machine>(
    gather: &mut Gather<'_, M>,
    table: Frame,
    level: u32,
    pages: &Range<Page>,
    hole: &Range<Page>,
) -> u64 {
    let words = gather.memory().machine.words(table);
    let mut page = pages.start;
    let mut freed = 0;
    while page < pages.end {
        let first = Page::new(page.number() & !(span(level) - 1));
        let whole = first..first + span(level);
        let entry = &words[index(page, level)];
        page = whole.end;
        let Some(below) = pte::table(entry.load(Acquire)) else {
            continue;
        };
        if level > 1 {
            let served = page::intersection(pages, &whole);
            freed += free_below(gather, below, level - 1, &served, hole);
        }
        if hole.start <= whole.start && whole.end <= hole.end {
            entry.store(0, Release);
            gather.table(below, whole);
            freed += 1;
        }
    }
    freed
}

/// Shows what the entry `bits` at `level`, whose first page is `page`, holds and leads to.
fn survey_entry<M: Machine>(
    memory: &Memory<M>,
    bits: u64,
    level: u32,
    page: Page,
    see: &mut impl FnMut(Seen),
) {
    if level == 0 {
        return see(Seen::Entry(page, bits));
    }
    if let Some(table) = pte::table(bits) {
        see(Seen::Table(table));
        memory.machine.occupied(table, |number, bits| {
            let page = page + number as u64 * span(level - 1);
            survey_entry(memory, bits, level - 1, page, see);
        });
    }
}

#[cfg(test)]
mod tests;
