//! An address space: its areas, its page tables, and what the two add up to.
//!
//! Faults take `&AddressSpace` and run side by side; whatever changes areas takes `&mut`. The verbs (`mmap`, `munmap`,
//! `fork` …) stand in files of their own and are built from the few private steps here: split, merge, account.
use core::ops::Range;

use crate::areas::Areas;
use crate::books::Books;
use crate::error::{Error, OutOfMemory};
use crate::frame::Use;
use crate::identity::Identities;
use crate::machine::Machine;
use crate::memory::{COUNTED, Memory};
use crate::page::{self, PAGE_SIZE, Page};
use crate::page_table::PageTable;
use crate::sync::atomic::Ordering::Relaxed;
use crate::vma::{VmFlags, Vma};

/// The page behind the last that ring 3 may map: Linux's `TASK_SIZE` with 4 levels.
pub const USER_END: Page = Page::new((1 << 35) - 1);

/// The lowest page that may be mapped: Linux's default `vm.mmap_min_addr`, 64 KiB.
pub const USER_START: Page = Page::new(16);

/// The most areas a space may have: Linux's default `vm.max_map_count`.
pub const MAX_AREAS: usize = 65_530;

/// Where the parts of a space go, decided at `execve`.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// `mmap` looks for room below this page first.
    pub mmap_base: Page,
    /// ... and from this one up where nothing was found below.
    pub bottom_up_base: Page,
    /// The address at which the heap of `brk` begins.
    pub heap_start: u64,
    /// Bytes of the program's data, which RLIMIT_DATA counts beside the heap.
    pub data_size: u64,
}

/// How much a space may hold; in bytes, `u64::MAX` for no limit. See getrlimit(2).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// RLIMIT_AS.
    pub address_space: u64,
    /// RLIMIT_DATA.
    pub data: u64,
    /// The highest that it may be set to: as on Linux this is what counts where it is 0, but for the heap.
    pub data_hard: u64,
    /// RLIMIT_STACK.
    pub stack: u64,
    /// RLIMIT_MEMLOCK; no limit for whoever has CAP_IPC_LOCK.
    pub locked: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            address_space: u64::MAX,
            data: u64::MAX,
            data_hard: u64::MAX,
            stack: 8 << 20,
            locked: u64::MAX,
        }
    }
}

/// The memory of a process.
#[derive(Debug)]
pub struct AddressSpace {
    pub(crate) areas: Areas,
    pub(crate) table: PageTable,
    pub(crate) layout: Layout,
    /// End of the heap, in bytes.
    pub(crate) brk: u64,
    /// Ring 3's first stack pointer: what tells the stack's area from others.
    pub(crate) stack_start: u64,
    /// What may be asked for.
    pub limits: Limits,
    /// What the areas add up to.
    pub(crate) books: Books,
    /// How areas to come are locked: see `mlockall`.
    pub(crate) future: VmFlags,
    /// Pages that MADV_FREE gave up, at most: no more are worth looking for.
    pub(crate) lazy: u64,
    /// What areas are told apart by.
    pub(crate) identities: Identities,
    /// Who may map the same private pages: see `families.rs`.
    pub(crate) family: u32,
}

impl AddressSpace {
    /// A space without areas.
    pub fn new<M: Machine>(
        memory: &Memory<M>,
        layout: Layout,
        limits: Limits,
    ) -> Result<Self, OutOfMemory> {
        let table = PageTable::new(memory)?;
        let family = memory.families.found(memory, table.root());
        let mut space = Self::with_parts(Areas::new(), table, layout, layout.heap_start, limits);
        match family {
            Ok(family) => space.family = family,
            Err(OutOfMemory) => {
                space.destroy(memory);
                return Err(OutOfMemory);
            }
        }
        Ok(space)
    }

    pub(crate) fn with_parts(
        areas: Areas,
        table: PageTable,
        layout: Layout,
        brk: u64,
        limits: Limits,
    ) -> Self {
        let mut books = Books::default();
        for vma in areas.iter() {
            books.add(vma.len(), vma.flags);
        }
        Self {
            areas,
            table,
            layout,
            brk,
            stack_start: 0,
            limits,
            books,
            future: VmFlags::empty(),
            lazy: 0,
            identities: Identities::new(0),
            family: 0,
        }
    }

    /// The space's areas.
    pub fn areas(&self) -> &Areas {
        &self.areas
    }

    /// The space's page tables.
    pub fn table(&self) -> &PageTable {
        &self.table
    }

    /// The first area whose end is above `address`, a byte address.
    pub fn find_vma(&self, address: u64) -> Option<&Vma> {
        self.areas.find(Page::containing(address))
    }

    /// Pages of all areas together: the size of the address space.
    pub fn mapped_pages(&self) -> u64 {
        self.books.mapped
    }

    /// Pages of areas that are locked.
    pub fn locked_pages(&self) -> u64 {
        self.books.locked
    }

    /// Pages in memory that belong to this space's areas, the zero page not counted.
    pub fn resident_pages<M: Machine>(&self, memory: &Memory<M>) -> u64 {
        let counts = COUNTED.map(|usage| self.resident_pages_used_for(memory, usage));
        counts.iter().sum()
    }

    /// The same by kind: private memory, pages of files, pages of files that live in memory alone.
    pub fn resident_by_kind<M: Machine>(&self, memory: &Memory<M>) -> [u64; 3] {
        COUNTED.map(|usage| self.resident_pages_used_for(memory, usage))
    }

    /// Those among them that are used for `usage`.
    pub fn resident_pages_used_for<M: Machine>(&self, memory: &Memory<M>, usage: Use) -> u64 {
        let count = memory.record(self.table.root()).resident(usage);
        count.map_or(0, |count| count.load(Relaxed).into())
    }

    /// Where the heap begins: decided late by `execve`, once the program's segments are known.
    pub fn set_heap_start(&mut self, address: u64) {
        self.layout.heap_start = address;
        self.brk = address;
    }

    /// How many bytes of data the program has: decided with [`Self::set_heap_start`].
    pub fn set_data_size(&mut self, bytes: u64) {
        self.layout.data_size = bytes;
    }

    /// Where the stack begins: decided late by `execve`, once it is filled.
    pub fn set_stack_start(&mut self, address: u64) {
        self.stack_start = address;
    }

    /// Where the stack began.
    pub fn stack_start(&self) -> u64 {
        self.stack_start
    }

    /// Where the heap begins and ends, in bytes.
    pub fn heap(&self) -> Range<u64> {
        self.layout.heap_start..self.brk
    }

    /// Whether `pages` more pages keep the space within its limit of address space.
    pub(crate) fn may_expand(&self, pages: u64) -> bool {
        self.books.mapped.saturating_add(pages) <= self.limits.address_space / PAGE_SIZE
    }

    /// Whether `pages` more of private writable memory keep the space within RLIMIT_DATA.
    pub(crate) fn may_add_data(&self, pages: u64) -> bool {
        let limit = match self.limits.data {
            0 => self.limits.data_hard,
            soft => soft,
        };
        limit == u64::MAX || self.books.data.saturating_add(pages) <= limit / PAGE_SIZE
    }

    /// How many of the two ends of `pages` lie inside an area: the cuts that changing the range takes.
    pub(crate) fn cuts(&self, pages: &Range<Page>) -> usize {
        let inside = |page| self.areas.at(page).is_some_and(|vma| vma.start < page);
        usize::from(inside(pages.start)) + usize::from(inside(pages.end))
    }

    /// Adds an area where none is, joined with its neighbours where that can't be told. Room must have been reserved, and
    /// the area been entered with its file.
    pub(crate) fn insert(&mut self, vma: Vma) {
        let pages = vma.pages();
        self.books.add(vma.len(), vma.flags);
        self.areas.insert(vma);
        self.merge_at(pages.start);
        self.merge_at(pages.end);
    }

    /// Cuts the area that holds `page` in two, unless one begins there. Room must have been reserved, in the file's books
    /// too.
    pub(crate) fn split_at(&mut self, page: Page) {
        let Some(vma) = self.areas.at(page).filter(|vma| vma.start < page) else {
            return;
        };
        let (start, upper) = (vma.start, vma.slice(page..vma.end));
        self.cut_mapping(vma, page);
        self.areas.update(start, |vma| vma.end = page);
        self.areas.insert(upper);
    }

    /// Gives `piece`, which lies inside one area, the flags `flags`. Room for two splits must have been reserved.
    pub(crate) fn reflag(&mut self, piece: &Range<Page>, flags: VmFlags) -> Result<(), Error> {
        if self.areas.len() + self.cuts(piece) > MAX_AREAS {
            return Err(Error::OutOfMemory);
        }
        self.split_at(piece.start);
        self.split_at(piece.end);
        let Some(vma) = self.areas.at(piece.start) else {
            return Ok(());
        };
        let old = vma.flags;
        if (old ^ flags).contains(VmFlags::LOCKED) {
            self.reflag_mapping(vma, flags);
        }
        self.books.remove(page::count(piece), old);
        self.books.add(page::count(piece), flags);
        self.areas.update(piece.start, |vma| vma.flags = flags);
        self.merge_at(piece.start);
        self.merge_at(piece.end);
        Ok(())
    }

    /// Joins the areas that touch at `page`, if they may be.
    pub(crate) fn merge_at(&mut self, page: Page) {
        self.merge_at_if(page, Vma::can_merge);
    }

    /// Joins the areas that touch at `page`, lower and upper, where `may_merge` says so.
    pub(crate) fn merge_at_if(&mut self, page: Page, may_merge: impl Fn(&Vma, &Vma) -> bool) {
        let touching = self.areas.touching(page);
        let Some((lower, upper)) = touching.filter(|(lower, upper)| may_merge(lower, upper)) else {
            return;
        };
        let start = lower.start;
        self.join_mappings(lower, upper);
        if let Some(upper) = self.areas.remove(page) {
            self.areas.update(start, |lower| lower.take_in(&upper));
        }
    }

    /// The free pages around `pages`: up to the area below and the area above, or the ends of the user half.
    pub(crate) fn hole_around(&self, pages: &Range<Page>) -> Range<Page> {
        let start = self
            .areas
            .before(pages.start)
            .map_or(Page::new(0), |vma| vma.end);
        let end = self
            .areas
            .find(pages.end)
            .map_or(self.table.user_end(), |vma| vma.start);
        start..end
    }

    /// Whether `pages` touch no area.
    pub(crate) fn is_free(&self, pages: &Range<Page>) -> bool {
        self.areas
            .find(pages.start)
            .is_none_or(|vma| pages.end <= vma.start)
    }

    /// Like [`Self::is_free`], with the guard gap of the area above respected.
    pub(crate) fn is_free_guarded(&self, pages: &Range<Page>) -> bool {
        self.areas
            .find(pages.start)
            .is_none_or(|vma| pages.end <= vma.guarded_start())
    }
}

/// The pages that `length` bytes from `address`, a page's first byte, touch. `None` where they pass the user half.
pub(crate) fn user_pages(address: u64, length: u64) -> Option<Range<Page>> {
    let end = address.checked_add(length)?.checked_add(PAGE_SIZE - 1)?;
    let pages = Page::containing(address)..Page::containing(end);
    (pages.end <= USER_END && page::count(&pages) > 0).then_some(pages)
}
