//! The tree's shape: insertion and removal that keep siblings' heights within one of each other, and summaries fresh.
use super::{Item, NIL, Tree};

impl<T: Item> Tree<T> {
    fn height(&self, at: u32) -> u32 {
        self.get(at).map_or(0, |node| node.height)
    }

    /// What `at` should know of its subtree, from what its children know.
    pub(super) fn summary(&self, at: u32) -> T::Summary {
        let node = self.node(at);
        let of = |at| self.get(at).map(|node| node.summary());
        node.item().summarise(of(node.left), of(node.right))
    }

    fn summarise(&mut self, at: u32) {
        let summary = self.summary(at);
        let (left, right) = (self.node(at).left, self.node(at).right);
        let height = 1 + self.height(left).max(self.height(right));
        let node = self.node_mut(at);
        node.height = height;
        if let Some(content) = &mut node.content {
            content.summary = summary;
        }
    }

    fn key(&self, at: u32) -> T::Key {
        self.node(at).item().key()
    }

    pub(super) fn insert_below(&mut self, at: u32, new: u32, key: T::Key) -> u32 {
        if at == NIL {
            return new;
        }
        if key < self.key(at) {
            let left = self.insert_below(self.node(at).left, new, key);
            self.node_mut(at).left = left;
        } else {
            let right = self.insert_below(self.node(at).right, new, key);
            self.node_mut(at).right = right;
        }
        self.balance(at)
    }

    /// The subtree without the item at `key`, and the node that held it, or [`NIL`].
    pub(super) fn remove_below(&mut self, at: u32, key: T::Key) -> (u32, u32) {
        if at == NIL {
            return (NIL, NIL);
        }
        let here = self.key(at);
        let (left, right) = (self.node(at).left, self.node(at).right);
        if key < here {
            let (rest, gone) = self.remove_below(left, key);
            self.node_mut(at).left = rest;
            return (self.balance(at), gone);
        }
        if here < key {
            let (rest, gone) = self.remove_below(right, key);
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

    pub(super) fn update_below(&mut self, at: u32, key: T::Key, change: impl FnOnce(&mut T)) {
        if at == NIL {
            return;
        }
        let here = self.key(at);
        if key < here {
            self.update_below(self.node(at).left, key, change);
        } else if here < key {
            self.update_below(self.node(at).right, key, change);
        } else if let Some(content) = &mut self.node_mut(at).content {
            change(&mut content.item);
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
}
