//! Room for a new area: the highest or the lowest gap that is wide enough, without a look at narrower ones.
use core::ops::Range;

use super::{Areas, Summary};
use crate::page::{self, Page};

/// From which end a gap is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toward {
    /// The highest gap, and its top.
    High,
    /// The lowest gap, and its bottom.
    Low,
}

impl Areas {
    /// Where `len` pages fit between areas inside `bounds`, clear of the guard gap of the area above.
    ///
    /// The order is Linux's: the outermost gap that is wide enough counts; where its upper neighbour's guard gap is in the
    /// way, the search goes on beyond that (below the guard gap, or above the neighbour). Guard gaps of other areas don't
    /// matter.
    pub(crate) fn find_gap(&self, len: u64, bounds: &Range<Page>, toward: Toward) -> Option<Page> {
        let mut bounds = bounds.clone();
        loop {
            let search = Search {
                len,
                bounds: &bounds,
                toward,
            };
            let start =
                self.gap_below(self.tree.root(), Page::new(0)..Page::new(u64::MAX), &search)?;
            let above = self.find(start);
            let Some(above) = above.filter(|vma| vma.guarded_start() < start + len) else {
                return Some(start);
            };
            bounds = match toward {
                Toward::High => bounds.start..above.guarded_start(),
                Toward::Low => above.end..bounds.end,
            };
        }
    }

    /// Looks in the subtree `at`, whose neighbours on both sides leave `room` to it.
    fn gap_below(&self, mut at: u32, mut room: Range<Page>, search: &Search<'_>) -> Option<Page> {
        while let Some(node) = self.tree.get(at) {
            let vma = node.item();
            let below = (node.left, room.start..vma.start);
            let above = (node.right, vma.end..room.end);
            let (one, other) = match search.toward {
                Toward::High => (above, below),
                Toward::Low => (below, above),
            };
            if self.may_fit(one.0, &one.1, search) {
                let found = self.gap_below(one.0, one.1, search);
                if found.is_some() {
                    return found;
                }
            }
            if !self.may_fit(other.0, &other.1, search) {
                return None;
            }
            (at, room) = other;
        }
        search.place(&room)
    }

    /// Whether a gap wide enough may be in the subtree `at`, or beside it in its `room`.
    #[inline]
    fn may_fit(&self, at: u32, room: &Range<Page>, search: &Search<'_>) -> bool {
        let mut widest = page::count(&page::intersection(room, search.bounds));
        if let Some(node) = self.tree.get(at) {
            let Summary { first, last, gap } = *node.summary();
            let beside = page::count(&(room.start..first)).max(page::count(&(last..room.end)));
            widest = widest.min(gap.max(beside));
        }
        search.len <= widest
    }
}

/// What kind of gap is wanted.
struct Search<'a> {
    len: u64,
    bounds: &'a Range<Page>,
    toward: Toward,
}

impl Search<'_> {
    /// The place of the wanted pages in a gap, if there is room for them.
    fn place(&self, gap: &Range<Page>) -> Option<Page> {
        let gap = page::intersection(gap, self.bounds);
        (page::count(&gap) >= self.len).then(|| match self.toward {
            Toward::High => gap.end - self.len,
            Toward::Low => gap.start,
        })
    }
}
