//! The ordered set of a space's areas: a balanced tree that finds an area, and a free gap, in logarithmic time.
//!
//! An AVL tree whose nodes stand in one vector and link by index: room can be reserved before a change begins, so that
//! the change itself can't fail, and `fork` copies the vector instead of building a tree. Each node knows of its subtree
//! the first page it occupies (guard gap included), the last, and the widest gap between two areas; from these the
//! highest or lowest gap of a wanted width is found by descending, without a look at areas that can't border one.
mod balance;
mod check;
mod gap;

use alloc::vec::Vec;
use core::ops::Range;

use crate::error::OutOfMemory;
use crate::page::Page;
use crate::vma::Vma;
pub use gap::Toward;

const NIL: u32 = u32::MAX;

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
    /// First page that the subtree's lowest area keeps for itself, its guard gap included.
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

    /// The areas that have pages of `pages`, in order of address.
    pub fn within(&self, pages: &Range<Page>) -> impl Iterator<Item = &Vma> {
        self.iter_from(pages.start)
            .take_while(|vma| vma.start < pages.end)
    }

    /// All areas in order of address.
    pub fn iter(&self) -> impl Iterator<Item = &Vma> {
        self.iter_from(Page::new(0))
    }

    /// The areas, in no order.
    pub(crate) fn into_iter(self) -> impl Iterator<Item = Vma> {
        self.nodes.into_iter().filter_map(|node| node.vma)
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

#[cfg(test)]
mod tests;
