//! The tree's shape: insertion and removal that keep siblings' heights within one of each other, and summaries fresh.
//!
//! On the way back to the top a change stops mattering soon, in a large tree after a few levels: a node whose height and
//! summary are what they were has nothing to say to those above it.
use core::cmp::Ordering;

use super::{Item, NIL, Node, Tree};

/// A subtree after a change below its top.
#[derive(Clone, Copy)]
pub(super) struct Changed {
    /// Its top now.
    pub(super) top: u32,
    /// Whether the node above has to look at it.
    is_news: bool,
}

impl Changed {
    const fn news(top: u32) -> Self {
        Self { top, is_news: true }
    }
}

/// What a node is to know of what stands below it.
pub(super) struct Below<S> {
    /// The heights of the subtrees.
    left: u32,
    right: u32,
    pub(super) summary: S,
}

impl<S> Below<S> {
    /// The node's own height.
    pub(super) fn height(&self) -> u32 {
        1 + self.left.max(self.right)
    }
}

/// Which child.
#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

impl<T: Item> Tree<T> {
    fn height(&self, at: u32) -> u32 {
        self.get(at).map_or(0, |node| node.height)
    }

    fn children(&self, at: u32) -> (u32, u32) {
        let node = self.node(at);
        (node.left, node.right)
    }

    /// What `at` should know of its subtree, from what its children know.
    #[inline(always)]
    pub(super) fn below(&self, at: u32) -> Below<T::Summary> {
        let node = self.node(at);
        let (left, right) = (self.get(node.left), self.get(node.right));
        let height = |node: Option<&Node<T>>| node.map_or(0, |node| node.height);
        let (below, above) = (left.map(Node::summary), right.map(Node::summary));
        Below {
            left: height(left),
            right: height(right),
            summary: node.item().summarise(below, above),
        }
    }

    fn summarise(&mut self, at: u32) -> bool {
        let below = self.below(at);
        self.note(at, &below)
    }

    /// Whether that is news to `at`, which knows it now.
    fn note(&mut self, at: u32, below: &Below<T::Summary>) -> bool {
        let node = self.node_mut(at);
        let height = below.height();
        let is_news = node.height != height || *node.summary() != below.summary;
        node.height = height;
        if let Some(content) = &mut node.content {
            content.summary = below.summary;
        }
        is_news
    }

    pub(super) fn insert_below(&mut self, at: u32, new: u32, key: T::Key) -> Changed {
        let Some(node) = self.get(at) else {
            return Changed::news(new);
        };
        if key.cmp(&node.item().key()).is_lt() {
            let left = self.insert_below(node.left, new, key);
            self.look_at(at, Side::Left, left)
        } else {
            let right = self.insert_below(node.right, new, key);
            self.look_at(at, Side::Right, right)
        }
    }

    /// The subtree without the item at `key`, and the node that held it, or [`NIL`].
    pub(super) fn remove_below(&mut self, at: u32, key: T::Key) -> (Changed, u32) {
        let Some(node) = self.get(at) else {
            return (Changed::news(NIL), NIL);
        };
        let (left, right) = (node.left, node.right);
        match key.cmp(&node.item().key()) {
            Ordering::Less => {
                let (left, gone) = self.remove_below(left, key);
                return (self.look_at(at, Side::Left, left), gone);
            }
            Ordering::Greater => {
                let (right, gone) = self.remove_below(right, key);
                return (self.look_at(at, Side::Right, right), gone);
            }
            Ordering::Equal => {}
        }
        if left == NIL || right == NIL {
            return (Changed::news(if left == NIL { right } else { left }), at);
        }
        let (rest, next) = self.remove_lowest(right);
        let node = self.node_mut(next);
        (node.left, node.right) = (left, rest.top);
        (Changed::news(self.balance(next).top), at)
    }

    fn remove_lowest(&mut self, at: u32) -> (Changed, u32) {
        let (left, right) = self.children(at);
        if left == NIL {
            return (Changed::news(right), at);
        }
        let (left, lowest) = self.remove_lowest(left);
        (self.look_at(at, Side::Left, left), lowest)
    }

    /// Whether the top of the subtree at `at` knows something else after the change.
    pub(super) fn update_below(
        &mut self,
        at: u32,
        key: T::Key,
        change: impl FnOnce(&mut T),
    ) -> bool {
        let Some(node) = self.get(at) else {
            return false;
        };
        let (here, left, right) = (node.item().key(), node.left, node.right);
        let is_news = if key < here {
            self.update_below(left, key, change)
        } else if here < key {
            self.update_below(right, key, change)
        } else {
            self.change(at, change);
            true
        };
        is_news && self.summarise(at)
    }

    fn change(&mut self, at: u32, change: impl FnOnce(&mut T)) {
        if let Some(content) = &mut self.node_mut(at).content {
            change(&mut content.item);
        }
    }

    /// Takes a child back after a change below it.
    fn look_at(&mut self, at: u32, side: Side, child: Changed) -> Changed {
        if !child.is_news {
            return Changed { top: at, ..child };
        }
        let node = self.node_mut(at);
        match side {
            Side::Left => node.left = child.top,
            Side::Right => node.right = child.top,
        }
        self.balance(at)
    }

    /// Restores the height rule at `at`, whose children keep it. Of a change in a large tree this is most of the cost, once
    /// for each level: what is rare is elsewhere.
    fn balance(&mut self, at: u32) -> Changed {
        let below = self.below(at);
        if below.left.abs_diff(below.right) > 1 {
            let higher = match below.left > below.right {
                true => Side::Left,
                false => Side::Right,
            };
            return Changed::news(self.turn(at, higher));
        }
        let is_news = self.note(at, &below);
        Changed { top: at, is_news }
    }

    /// Puts the child of `at` that is too high on top, or that one's inner child: the top then.
    #[cold]
    fn turn(&mut self, at: u32, higher: Side) -> u32 {
        let (left, right) = self.children(at);
        match higher {
            Side::Left => {
                let (outer, inner) = self.children(left);
                if self.height(outer) < self.height(inner) {
                    let raised = self.rotate_left(left);
                    self.node_mut(at).left = raised;
                }
                self.rotate_right(at)
            }
            Side::Right => {
                let (inner, outer) = self.children(right);
                if self.height(outer) < self.height(inner) {
                    let raised = self.rotate_right(right);
                    self.node_mut(at).right = raised;
                }
                self.rotate_left(at)
            }
        }
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
}
