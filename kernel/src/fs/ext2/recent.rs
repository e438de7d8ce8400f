//! The inodes that somebody had last: as long as they are here their pages stay in memory, should they be wanted again.
use alloc::sync::Arc;

use super::Node;
use crate::lock::{IrqLock, Rank};

/// How many there are.
const MOST: usize = 128;

/// A ring of inodes.
pub(super) struct Recent(IrqLock<Ring>);

struct Ring {
    nodes: [Option<Arc<Node>>; MOST],
    next: usize,
}

impl Recent {
    pub(super) const fn new() -> Self {
        let ring = Ring {
            nodes: [const { None }; MOST],
            next: 0,
        };
        Self(IrqLock::new(Rank::Files, ring))
    }

    /// Keeps `node`, and lets the one go that has been here longest.
    pub(super) fn keep(&self, node: &Arc<Node>) {
        let mut ring = self.0.lock();
        let is_it = |kept: &Arc<Node>| Arc::ptr_eq(kept, node);
        if ring.nodes.iter().flatten().any(is_it) {
            return;
        }
        let next = ring.next;
        let old = ring.nodes[next].replace(node.clone());
        ring.next = (next + 1) % MOST;
        drop(ring);
        drop(old);
    }

    /// Lets go of those that `is_unwanted` says.
    pub(super) fn drop_if(&self, is_unwanted: impl Fn(&Node) -> bool) {
        for place in 0..MOST {
            let mut ring = self.0.lock();
            let node = ring.nodes[place].take_if(|node| is_unwanted(node));
            drop(ring);
            drop(node);
        }
    }
}
