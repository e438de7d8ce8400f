//! The ordered set of a space's areas: it finds an area, and a free gap, in logarithmic time.
//!
//! Each node of the [`Tree`] knows of its subtree the first page it occupies, the last, and the widest gap between two
//! areas; from these the highest or lowest gap of a wanted width is found by descending, without a look at areas that
//! can't border one.
mod check;
mod gap;

use core::ops::Range;

use crate::error::OutOfMemory;
use crate::page::{self, Page};
use crate::tree::{Item, Tree};
use crate::vma::Vma;
pub use gap::Toward;

/// Areas by address, none overlapping another.
#[derive(Debug)]
pub struct Areas {
    tree: Tree<Vma>,
}

/// What a node knows of the subtree below and with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    /// The subtree's first page.
    first: Page,
    /// The page behind the subtree's last.
    last: Page,
    /// Widest gap between neighbours in the subtree, in pages.
    gap: u64,
}

impl Item for Vma {
    type Key = Page;
    type Summary = Summary;

    fn key(&self) -> Page {
        self.start
    }

    fn summarise(&self, below: Option<&Summary>, above: Option<&Summary>) -> Summary {
        let (start, end) = (self.start, self.end);
        let (mut first, mut last, mut gap) = (start, end, 0);
        if let Some(below) = below {
            first = below.first;
            gap = below.gap.max(page::count(&(below.last..start)));
        }
        if let Some(above) = above {
            last = above.last;
            gap = gap.max(above.gap).max(page::count(&(end..above.first)));
        }
        Summary { first, last, gap }
    }
}

/// Room for areas that stays: more than any verb reserves.
const ROOM: usize = 32;

impl Areas {
    pub(crate) const fn new() -> Self {
        Self { tree: Tree::new() }
    }

    /// How many areas there are.
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    /// Bytes of the heap that their records take.
    pub fn bytes(&self) -> usize {
        self.tree.bytes()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first area that ends above `page`: the one that holds it, or the next one up.
    #[inline]
    pub fn find(&self, page: Page) -> Option<&Vma> {
        let (mut at, mut best) = (self.tree.root(), None);
        while let Some(node) = self.tree.get(at) {
            let vma = node.item();
            if page < vma.end {
                best = Some(vma);
                if vma.start <= page {
                    break;
                }
                at = node.left;
            } else {
                at = node.right;
            }
        }
        best
    }

    /// The area that holds `page`.
    pub fn at(&self, page: Page) -> Option<&Vma> {
        self.find(page).filter(|vma| vma.start <= page)
    }

    /// The last area that ends at or below `page`.
    pub fn before(&self, page: Page) -> Option<&Vma> {
        let (mut at, mut best) = (self.tree.root(), None);
        while let Some(node) = self.tree.get(at) {
            let vma = node.item();
            if vma.end <= page {
                best = Some(vma);
                at = node.right;
            } else {
                at = node.left;
            }
        }
        best
    }

    /// The areas that end and begin at `page`, if there are two: found on one way down.
    pub(crate) fn touching(&self, page: Page) -> Option<(&Vma, &Vma)> {
        let (mut at, mut lower, mut upper) = (self.tree.root(), None, None);
        while let Some(node) = self.tree.get(at) {
            let vma = node.item();
            if vma.end <= page {
                lower = Some(vma);
                at = node.right;
            } else {
                upper = Some(vma);
                at = node.left;
            }
        }
        let both = lower.zip(upper);
        both.filter(|(lower, upper)| lower.end == page && upper.start == page)
    }

    /// The areas in order of address, from the first that ends above `page`.
    pub fn iter_from(&self, page: Page) -> impl Iterator<Item = &Vma> {
        core::iter::successors(self.find(page), |vma| self.find(vma.end))
    }

    /// The areas that have pages of `pages`, in order of address. Nobody looks for one behind the last.
    pub fn within(&self, pages: &Range<Page>) -> impl Iterator<Item = &Vma> {
        let (mut next, end) = (pages.start, pages.end);
        core::iter::from_fn(move || {
            let vma = (next < end).then(|| self.find(next)).flatten()?;
            next = vma.end;
            (vma.start < end).then_some(vma)
        })
    }

    /// All areas in order of address.
    pub fn iter(&self) -> impl Iterator<Item = &Vma> {
        self.iter_from(Page::new(0))
    }

    /// The areas, in no order.
    pub(crate) fn into_iter(self) -> impl Iterator<Item = Vma> {
        self.tree.into_iter()
    }

    /// Makes sure that `count` insertions will find room.
    pub(crate) fn reserve(&mut self, count: usize) -> Result<(), OutOfMemory> {
        self.tree.reserve(count)
    }

    /// A copy of the same shape. `change` may give the copies other flags.
    pub(crate) fn try_clone(&self, change: impl FnMut(&mut Vma)) -> Result<Self, OutOfMemory> {
        Ok(Self {
            tree: self.tree.try_clone(change)?,
        })
    }

    /// Adds an area that overlaps no other. Room must have been reserved.
    pub(crate) fn insert(&mut self, vma: Vma) {
        self.tree.insert(vma);
    }

    /// Takes out the area that starts at `start`.
    pub(crate) fn remove(&mut self, start: Page) -> Option<Vma> {
        self.tree.remove(start)
    }

    /// Gives memory back where the areas need much less of it than they did, or each fork would copy the room that they
    /// had.
    pub(crate) fn shrink(&mut self) {
        self.tree.shrink(ROOM);
    }

    /// Changes the area that starts at `start` without moving it past a neighbour.
    pub(crate) fn update(&mut self, start: Page, change: impl FnOnce(&mut Vma)) {
        self.tree.update(start, change);
    }
}

#[cfg(test)]
mod tests;
