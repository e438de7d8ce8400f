//! Frames on their way out: taken from the page table, not yet free, because a TLB may still lead to them.
//!
//! Freeing a frame before every CPU has forgotten it hands a stranger's memory to the program. So whoever clears entries
//! collects the frames here, one shootdown covers many of them, and only then are they freed. The store is fixed in size
//! because unmapping must not fail.
use core::ops::Range;

use crate::frame::{Frame, Use};
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::{self, Page};
use crate::pte::Leaf;

/// Frames that one shootdown covers at most.
const CAPACITY: usize = 128;

/// Frames waiting for the shootdown that makes them free. Dropping it performs both.
pub(crate) struct Gather<'m, M: Machine> {
    memory: &'m Memory<M>,
    root: Frame,
    pages: Range<Page>,
    frames: [Option<Frame>; CAPACITY],
    len: usize,
    has_tables: bool,
    /// How many frames of one use left the space and are on its books still: pages next to each other are of one kind, and
    /// the books are everybody's.
    gone: (Use, u32),
}

impl<'m, M: Machine> Gather<'m, M> {
    pub(crate) fn new(memory: &'m Memory<M>, root: Frame) -> Self {
        Self {
            memory,
            root,
            pages: NOTHING,
            frames: [None; CAPACITY],
            len: 0,
            has_tables: false,
            gone: (Use::Anonymous, 0),
        }
    }

    pub(crate) fn memory(&self) -> &'m Memory<M> {
        self.memory
    }

    /// The entry of `page` was taken away or lost rights.
    pub(crate) fn changed(&mut self, page: Page) {
        self.pages = self.pages.start.min(page)..self.pages.end.max(page + 1);
    }

    /// The entry of `page` was taken away, and with it a hold on `frame`.
    pub(crate) fn frame(&mut self, frame: Frame, page: Page) {
        self.changed(page);
        self.push(frame);
    }

    /// The entry of `page` held `leaf` and was emptied.
    pub(crate) fn emptied(&mut self, leaf: Leaf, page: Page) {
        self.count(self.memory.record(leaf.frame).usage());
        match self.memory.drop_mapping(leaf) {
            Some(frame) => self.frame(frame, page),
            None => self.changed(page),
        }
    }

    fn count(&mut self, usage: Use) {
        if self.gone.0 != usage {
            self.keep_books(usage);
        }
        self.gone.1 += 1;
    }

    /// Writes down what is gone; what goes next is used for `usage`.
    fn keep_books(&mut self, usage: Use) {
        let (gone, count) = core::mem::replace(&mut self.gone, (usage, 0));
        self.memory.uncount_resident(self.root, gone, count);
    }

    /// The table `frame` was unlinked; it served `pages`.
    pub(crate) fn table(&mut self, frame: Frame, pages: Range<Page>) {
        self.changed(pages.start);
        self.changed(pages.end - 1);
        self.push(frame);
        self.has_tables = true;
    }

    fn push(&mut self, frame: Frame) {
        if self.len == CAPACITY {
            self.release();
        }
        self.frames[self.len] = Some(frame);
        self.len += 1;
    }

    /// Shoots down what changed so far and frees what was collected.
    pub(crate) fn release(&mut self) {
        self.keep_books(self.gone.0);
        if page::count(&self.pages) != 0 {
            self.memory.machine.shootdown(self.root, self.pages.clone());
            self.pages = NOTHING;
        }
        if core::mem::take(&mut self.has_tables) {
            // Who walks the reverse map may have come into a table before it was unlinked.
            drop(self.memory.families.keep_walks_out());
        }
        for frame in self.frames[..self.len].iter_mut().filter_map(Option::take) {
            self.memory.put(frame);
        }
        self.len = 0;
    }
}

impl<M: Machine> Drop for Gather<'_, M> {
    fn drop(&mut self) {
        self.release();
    }
}

/// The empty range that any page extends.
const NOTHING: Range<Page> = Page::new(u64::MAX)..Page::new(0);
