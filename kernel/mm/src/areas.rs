//! The ordered set of a space's areas: a balanced tree that finds an area, and a free gap, in logarithmic time.
//!
//! An AVL tree whose nodes stand in one vector and link by index: room can be reserved before a change begins, so that
//! the change itself can't fail, and `fork` copies the vector instead of building a tree. Each node knows of its subtree
//! the first page it occupies (guard gap included), the last, and the widest gap between two areas; from these the
//! highest or lowest gap of a wanted width is found by descending, without a look at areas that can't border one.
use alloc::vec::Vec;
use core::ops::Range;

use crate::error::OutOfMemory;
use crate::page::{self, Page};
use crate::vma::Vma;

const NIL: u32 = u32::MAX;

/// From which end a gap is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toward {
    /// The highest gap, and its top.
    High,
    /// The lowest gap, and its bottom.
    Low,
}

/// Areas by address, none overlapping another.
#[derive(Debug)]
pub struct Areas {
    nodes: Vec<Node>,
    root: u32,
    /// Unused nodes, linked through `left`.
    vacant: u32,
    vacancies: usize,
}

#[derive(Clone, Debug)]
struct Node {
    /// `None` in an unused node.
    vma: Option<Vma>,
    left: u32,
    right: u32,
    summary: Summary,
}

/// What a node knows of the subtree below and with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Summary {
    height: u32,
    /// Lowest page that an area of the subtree keeps for itself, its guard gap included.
    first: Page,
    /// The page behind the subtree's last.
    last: Page,
    /// Widest gap between neighbours in the subtree, in pages.
    gap: u64,
}

impl Areas {
    pub(crate) const fn new() -> Self {
        Self {
            nodes: Vec::new(),
            root: NIL,
            vacant: NIL,
            vacancies: 0,
        }
    }

    /// How many areas there are.
    pub fn len(&self) -> usize {
        self.nodes.len() - self.vacancies
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.root == NIL
    }

    /// The first area that ends above `page`: the one that holds it, or the next one up.
    #[inline]
    pub fn find(&self, page: Page) -> Option<&Vma> {
        let (mut at, mut best) = (self.root, None);
        while let Some(node) = self.nodes.get(at as usize) {
            let Some(vma) = &node.vma else { break };
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
        let (mut at, mut best) = (self.root, None);
        while let Some(node) = self.nodes.get(at as usize) {
            let Some(vma) = &node.vma else { break };
            if vma.end <= page {
                best = Some(vma);
                at = node.right;
            } else {
                at = node.left;
            }
        }
        best
    }

    /// The areas in order of address, from the first that ends above `page`.
    pub fn iter_from(&self, page: Page) -> impl Iterator<Item = &Vma> {
        core::iter::successors(self.find(page), |vma| self.find(vma.end))
    }

    /// All areas in order of address.
    pub fn iter(&self) -> impl Iterator<Item = &Vma> {
        self.iter_from(Page::new(0))
    }

    /// Makes sure that `count` insertions will find room.
    pub(crate) fn reserve(&mut self, count: usize) -> Result<(), OutOfMemory> {
        let missing = count.saturating_sub(self.vacancies);
        self.nodes.try_reserve(missing)?;
        for _ in 0..missing {
            self.nodes.push(Node::vacant(self.vacant));
            self.vacant = self.nodes.len() as u32 - 1;
            self.vacancies += 1;
        }
        Ok(())
    }

    /// A copy of the same shape.
    pub(crate) fn try_clone(&self) -> Result<Self, OutOfMemory> {
        let mut nodes = Vec::new();
        nodes.try_reserve_exact(self.nodes.len())?;
        nodes.extend(self.nodes.iter().cloned());
        Ok(Self { nodes, ..*self })
    }

    /// Adds an area that overlaps no other. Room must have been reserved.
    pub(crate) fn insert(&mut self, vma: Vma) {
        let new = self.vacant;
        self.vacant = self.node(new).left;
        self.vacancies -= 1;
        let start = vma.start;
        *self.node_mut(new) = Node {
            vma: Some(vma),
            ..Node::vacant(NIL)
        };
        self.summarise(new);
        self.root = self.insert_below(self.root, new, start);
    }

    /// Takes out the area that starts at `start`.
    pub(crate) fn remove(&mut self, start: Page) -> Option<Vma> {
        self.at(start).filter(|vma| vma.start == start)?;
        let (root, gone) = self.remove_below(self.root, start);
        self.root = root;
        let vma = self.node_mut(gone).vma.take();
        self.node_mut(gone).left = self.vacant;
        self.vacant = gone;
        self.vacancies += 1;
        vma
    }

    /// Changes the area that starts at `start` without moving it past a neighbour.
    pub(crate) fn update(&mut self, start: Page, change: impl FnOnce(&mut Vma)) {
        self.update_below(self.root, start, change);
    }

    /// Where `len` pages fit between areas inside `bounds`.
    pub(crate) fn find_gap(&self, len: u64, bounds: &Range<Page>, toward: Toward) -> Option<Page> {
        let search = Search {
            len,
            bounds,
            toward,
        };
        self.gap_below(self.root, Page::new(0)..Page::new(u64::MAX), &search)
    }

    fn node(&self, at: u32) -> &Node {
        &self.nodes[at as usize]
    }

    fn node_mut(&mut self, at: u32) -> &mut Node {
        &mut self.nodes[at as usize]
    }

    fn area(&self, at: u32) -> &Vma {
        self.node(at)
            .vma
            .as_ref()
            .expect("a node in the tree has an area")
    }

    fn height(&self, at: u32) -> u32 {
        if at == NIL {
            0
        } else {
            self.node(at).summary.height
        }
    }

    /// What `at` should know of its subtree, from what its children know.
    fn summary(&self, at: u32) -> Summary {
        let node = self.node(at);
        let vma = self.area(at);
        let (start, end) = (vma.guarded_start(), vma.end);
        let (mut first, mut last, mut gap) = (start, end, 0);
        if node.left != NIL {
            let below = &self.node(node.left).summary;
            first = below.first.min(start);
            gap = below.gap.max(page::count(&(below.last..start)));
        }
        if node.right != NIL {
            let above = &self.node(node.right).summary;
            last = above.last;
            gap = gap.max(above.gap).max(page::count(&(end..above.first)));
        }
        let height = 1 + self.height(node.left).max(self.height(node.right));
        Summary {
            height,
            first,
            last,
            gap,
        }
    }

    fn summarise(&mut self, at: u32) {
        self.node_mut(at).summary = self.summary(at);
    }

    fn insert_below(&mut self, at: u32, new: u32, start: Page) -> u32 {
        if at == NIL {
            return new;
        }
        if start < self.area(at).start {
            let left = self.insert_below(self.node(at).left, new, start);
            self.node_mut(at).left = left;
        } else {
            let right = self.insert_below(self.node(at).right, new, start);
            self.node_mut(at).right = right;
        }
        self.balance(at)
    }

    /// The subtree without the area at `start`, and the node that held it.
    fn remove_below(&mut self, at: u32, start: Page) -> (u32, u32) {
        let here = self.area(at).start;
        let (left, right) = (self.node(at).left, self.node(at).right);
        if start < here {
            let (rest, gone) = self.remove_below(left, start);
            self.node_mut(at).left = rest;
            return (self.balance(at), gone);
        }
        if here < start {
            let (rest, gone) = self.remove_below(right, start);
            self.node_mut(at).right = rest;
            return (self.balance(at), gone);
        }
        if left == NIL || right == NIL {
            return (if left == NIL { right } else { left }, at);
        }
        let (rest, next) = self.remove_lowest(right);
        let node = self.node_mut(next);
        (node.left, node.right) = (left, rest);
        (self.balance(next), at)
    }

    fn remove_lowest(&mut self, at: u32) -> (u32, u32) {
        let (left, right) = (self.node(at).left, self.node(at).right);
        if left == NIL {
            return (right, at);
        }
        let (rest, lowest) = self.remove_lowest(left);
        self.node_mut(at).left = rest;
        (self.balance(at), lowest)
    }

    fn update_below(&mut self, at: u32, start: Page, change: impl FnOnce(&mut Vma)) {
        if at == NIL {
            return;
        }
        let here = self.area(at).start;
        if start < here {
            self.update_below(self.node(at).left, start, change);
        } else if here < start {
            self.update_below(self.node(at).right, start, change);
        } else if let Some(vma) = &mut self.node_mut(at).vma {
            change(vma);
        }
        self.summarise(at);
    }

    /// Restores the height rule at `at`, whose children keep it, and returns the subtree's new top.
    fn balance(&mut self, at: u32) -> u32 {
        let (left, right) = (self.node(at).left, self.node(at).right);
        if self.height(left) > self.height(right) + 1 {
            if self.height(self.node(left).left) < self.height(self.node(left).right) {
                let raised = self.rotate_left(left);
                self.node_mut(at).left = raised;
            }
            return self.rotate_right(at);
        }
        if self.height(right) > self.height(left) + 1 {
            if self.height(self.node(right).right) < self.height(self.node(right).left) {
                let raised = self.rotate_right(right);
                self.node_mut(at).right = raised;
            }
            return self.rotate_left(at);
        }
        self.summarise(at);
        at
    }

    fn rotate_left(&mut self, at: u32) -> u32 {
        let top = self.node(at).right;
        self.node_mut(at).right = self.node(top).left;
        self.node_mut(top).left = at;
        self.summarise(at);
        self.summarise(top);
        top
    }

    fn rotate_right(&mut self, at: u32) -> u32 {
        let top = self.node(at).left;
        self.node_mut(at).left = self.node(top).right;
        self.node_mut(top).right = at;
        self.summarise(at);
        self.summarise(top);
        top
    }

    /// Looks in the subtree `at`, whose neighbours on both sides leave `room` to it.
    fn gap_below(&self, at: u32, room: Range<Page>, search: &Search<'_>) -> Option<Page> {
        if page::count(&page::intersection(&room, search.bounds)) < search.len {
            return None;
        }
        if at == NIL {
            return Some(search.place(&page::intersection(&room, search.bounds)));
        }
        let node = self.node(at);
        let Summary {
            first, last, gap, ..
        } = node.summary;
        if gap
            .max(page::count(&(room.start..first)))
            .max(page::count(&(last..room.end)))
            < search.len
        {
            return None;
        }
        let vma = self.area(at);
        let below = (node.left, room.start..vma.guarded_start());
        let above = (node.right, vma.end..room.end);
        let (one, other) = match search.toward {
            Toward::High => (above, below),
            Toward::Low => (below, above),
        };
        self.gap_below(one.0, one.1, search)
            .or_else(|| self.gap_below(other.0, other.1, search))
    }

    /// Checks order, balance and summaries; the first contradiction, in words.
    pub(crate) fn check(&self) -> Result<(), alloc::string::String> {
        let mut before: Option<&Vma> = None;
        let mut count = 0;
        for vma in self.iter() {
            if vma.start >= vma.end {
                return Err(alloc::format!(
                    "the area at page {:#x} is empty",
                    vma.start.number()
                ));
            }
            if before.is_some_and(|before| before.end > vma.start) {
                return Err(alloc::format!(
                    "the area at page {:#x} begins inside its neighbour",
                    vma.start.number()
                ));
            }
            before = Some(vma);
            count += 1;
        }
        if count != self.len() {
            return Err(alloc::format!(
                "{count} areas in the tree, {} on the books",
                self.len()
            ));
        }
        self.check_below(self.root).map(|_| ())
    }

    fn check_below(&self, at: u32) -> Result<u32, alloc::string::String> {
        if at == NIL {
            return Ok(0);
        }
        let node = self.node(at);
        let (left, right) = (self.check_below(node.left)?, self.check_below(node.right)?);
        if node.summary != self.summary(at) || left.abs_diff(right) > 1 {
            return Err(alloc::format!(
                "the summary of the area at page {:#x} is stale",
                self.area(at).start.number()
            ));
        }
        Ok(1 + left.max(right))
    }
}

impl Node {
    const fn vacant(next: u32) -> Self {
        let summary = Summary {
            height: 1,
            first: Page::new(0),
            last: Page::new(0),
            gap: 0,
        };
        Self {
            vma: None,
            left: next,
            right: NIL,
            summary,
        }
    }
}

/// What kind of gap is wanted.
struct Search<'a> {
    len: u64,
    bounds: &'a Range<Page>,
    toward: Toward,
}

impl Search<'_> {
    /// The place of the wanted pages in a gap that has room for them.
    fn place(&self, gap: &Range<Page>) -> Page {
        match self.toward {
            Toward::High => gap.end - self.len,
            Toward::Low => gap.start,
        }
    }
}
