//! The tree's shape: insertion and removal that keep siblings' heights within one of each other, and summaries fresh.
use super::{Areas, NIL, Summary};
use crate::page::{self, Page};
use crate::vma::Vma;

impl Areas {
    fn height(&self, at: u32) -> u32 {
        if at == NIL {
            0
        } else {
            self.node(at).summary.height
        }
    }

    /// What `at` should know of its subtree, from what its children know.
    pub(super) fn summary(&self, at: u32) -> Summary {
        let node = self.node(at);
        let vma = self.area(at);
        let (start, end) = (vma.guarded_start(), vma.end);
        let (mut first, mut last, mut gap) = (start, end, 0);
        if node.left != NIL {
            let below = &self.node(node.left).summary;
            first = below.first;
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

    pub(super) fn summarise(&mut self, at: u32) {
        self.node_mut(at).summary = self.summary(at);
    }

    pub(super) fn insert_below(&mut self, at: u32, new: u32, start: Page) -> u32 {
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
    pub(super) fn remove_below(&mut self, at: u32, start: Page) -> (u32, u32) {
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

    pub(super) fn update_below(&mut self, at: u32, start: Page, change: impl FnOnce(&mut Vma)) {
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
}
