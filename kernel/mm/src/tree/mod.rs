//! A balanced tree whose nodes stand in rows and know something of what lies below them.
//!
//! An AVL tree that links by index: room can be reserved before a change begins, so that the change itself can't fail, and
//! a copy is a copy of the rows. What a node knows of its subtree is the item's business ([`Item::summarise`]): the
//! widest gap between areas, the farthest end of a mapping. The tree keeps that knowledge fresh.
mod balance;
mod nodes;

use alloc::format;
use alloc::string::String;
use core::fmt::Debug;

use crate::error::OutOfMemory;
use nodes::Nodes;

/// No node.
pub(crate) const NIL: u32 = u32::MAX;

/// Unused nodes that are not worth the trouble of giving them back.
const SPARE: usize = 64;

/// What stands in a tree.
pub(crate) trait Item {
    /// Its place in the order. Items with the same must be alike in all that matters.
    type Key: Copy + Ord + Debug;
    /// What a node knows of the items below and with it.
    type Summary: Copy + PartialEq + Debug;

    /// The item's place in the order.
    fn key(&self) -> Self::Key;

    /// What is known of the item and of the subtrees on both sides of it.
    fn summarise(
        &self,
        below: Option<&Self::Summary>,
        above: Option<&Self::Summary>,
    ) -> Self::Summary;
}

/// Items in order of their keys.
#[derive(Debug)]
pub(crate) struct Tree<T: Item> {
    nodes: Nodes<T>,
    root: u32,
    /// Unused nodes, linked through `left`.
    vacant: u32,
    vacancies: usize,
}

/// A place in the tree.
#[derive(Clone, Debug)]
pub(crate) struct Node<T: Item> {
    /// `None` in an unused node.
    content: Option<Content<T>>,
    height: u32,
    /// The subtrees with lower and higher keys.
    pub(crate) left: u32,
    pub(crate) right: u32,
}

#[derive(Clone, Debug)]
struct Content<T: Item> {
    item: T,
    summary: T::Summary,
}

const THERE: &str = "a link leads to a node";
const FULL: &str = "a node in the tree has an item";

impl<T: Item> Node<T> {
    const fn vacant(next: u32) -> Self {
        Self {
            content: None,
            height: 1,
            left: next,
            right: NIL,
        }
    }

    fn content(&self) -> &Content<T> {
        self.content.as_ref().expect(FULL)
    }

    /// The item that stands here.
    pub(crate) fn item(&self) -> &T {
        &self.content().item
    }

    /// What is known of the items here and below.
    pub(crate) fn summary(&self) -> &T::Summary {
        &self.content().summary
    }
}

impl<T: Item> Tree<T> {
    pub(crate) const fn new() -> Self {
        Self {
            nodes: Nodes::new(),
            root: NIL,
            vacant: NIL,
            vacancies: 0,
        }
    }

    /// How many items there are.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len() - self.vacancies
    }

    /// Bytes of the heap that the nodes take.
    pub(crate) fn bytes(&self) -> usize {
        self.nodes.bytes()
    }

    /// The node on top, or [`NIL`].
    pub(crate) fn root(&self) -> u32 {
        self.root
    }

    /// The node at `at`, unless that is [`NIL`].
    #[inline]
    pub(crate) fn get(&self, at: u32) -> Option<&Node<T>> {
        self.nodes.get(at)
    }

    /// The node at `at`, which exists.
    pub(crate) fn node(&self, at: u32) -> &Node<T> {
        self.nodes.get(at).expect(THERE)
    }

    fn node_mut(&mut self, at: u32) -> &mut Node<T> {
        self.nodes.get_mut(at).expect(THERE)
    }

    /// Makes sure that `count` insertions will find room.
    pub(crate) fn reserve(&mut self, count: usize) -> Result<(), OutOfMemory> {
        while self.vacancies < count {
            let next = self.nodes.len() as u32;
            self.nodes.grow(self.vacant)?;
            self.vacant = next;
            self.vacancies += nodes::ROW;
        }
        Ok(())
    }

    /// A copy of the same shape. `change` may alter the copies in what no order and no summary depends on.
    pub(crate) fn try_clone(&self, mut change: impl FnMut(&mut T)) -> Result<Self, OutOfMemory>
    where
        T: Clone,
    {
        let mut nodes = self.nodes.try_clone()?;
        let contents = nodes.iter_mut().filter_map(|node| node.content.as_mut());
        contents.for_each(|content| change(&mut content.item));
        Ok(Self { nodes, ..*self })
    }

    /// The items, in no order.
    pub(crate) fn into_iter(self) -> impl Iterator<Item = T> {
        let contents = self.nodes.into_iter().filter_map(|node| node.content);
        contents.map(|content| content.item)
    }

    /// Adds an item. Room must have been reserved.
    pub(crate) fn insert(&mut self, item: T) {
        let new = self.vacant;
        self.vacant = self.node(new).left;
        self.vacancies -= 1;
        let (key, summary) = (item.key(), item.summarise(None, None));
        *self.node_mut(new) = Node {
            content: Some(Content { item, summary }),
            ..Node::vacant(NIL)
        };
        self.root = self.insert_below(self.root, new, key).top;
    }

    /// Takes out the item with `key`.
    pub(crate) fn remove(&mut self, key: T::Key) -> Option<T> {
        let (changed, gone) = self.remove_below(self.root, key);
        self.root = changed.top;
        let node = self.nodes.get_mut(gone)?;
        let content = node.content.take();
        node.left = self.vacant;
        self.vacant = gone;
        self.vacancies += 1;
        content.map(|content| content.item)
    }

    /// Gives memory back where the items need much less of it than they did; room for `room` more stays.
    pub(crate) fn shrink(&mut self, room: usize) {
        let needed = self.len() + room;
        let is_worth_it = self.len() == 0 || self.nodes.len() > SPARE + 4 * needed;
        let mut smaller = Self::new();
        if !is_worth_it || smaller.reserve(needed).is_err() {
            return;
        }
        for item in core::mem::replace(self, Self::new()).into_iter() {
            smaller.insert(item);
        }
        *self = smaller;
    }

    /// Changes the item with `key`, without moving it past a neighbour.
    pub(crate) fn update(&mut self, key: T::Key, change: impl FnOnce(&mut T)) {
        self.update_below(self.root, key, change);
    }

    /// Checks balance and summaries; the first contradiction, in words. The order is its owner's to check.
    pub(crate) fn check(&self) -> Result<(), String> {
        let (_, count) = self.check_below(self.root)?;
        if count != self.len() {
            return Err(format!(
                "{count} items in the tree, {} on the books",
                self.len()
            ));
        }
        Ok(())
    }

    /// Height and number of items of the subtree at `at`.
    fn check_below(&self, at: u32) -> Result<(u32, usize), String> {
        let Some(node) = self.get(at) else {
            return Ok((0, 0));
        };
        let (left, below) = self.check_below(node.left)?;
        let (right, above) = self.check_below(node.right)?;
        let height = 1 + left.max(right);
        let is_stale = *node.summary() != self.below(at).summary || left.abs_diff(right) > 1;
        if is_stale || node.height != height {
            return Err(format!(
                "the summary of the item at {:x?} is stale",
                node.item().key()
            ));
        }
        Ok((height, below + 1 + above))
    }
}
