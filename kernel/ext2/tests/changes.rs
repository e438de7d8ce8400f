//! What operations changed since some moment, or tried to: all else must survive whatever happens to them.
use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Content, Node, PAGE};

/// By inode.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    /// New, or has lost a name: nothing is promised.
    pub(crate) removed: BTreeSet<u32>,
    /// Has another name, or one more; what it holds stays.
    pub(crate) moved: BTreeSet<u32>,
    /// Has other attributes.
    pub(crate) attributes: BTreeSet<u32>,
    /// Some of its bytes are others.
    pub(crate) bytes: BTreeMap<u32, Bytes>,
}

/// Bytes of a file that changed.
#[derive(Clone, Debug)]
pub(crate) struct Bytes {
    pub(crate) pages: BTreeSet<u64>,
    /// How long the file was when it was shortest.
    pub(crate) shortest: u64,
}

impl Changes {
    /// The bytes of a file, which has `size`, are about to change.
    pub(crate) fn of(&mut self, number: u32, size: u64) -> &mut Bytes {
        let bytes = self.bytes.entry(number).or_insert(Bytes {
            pages: BTreeSet::new(),
            shortest: size,
        });
        bytes.shortest = bytes.shortest.min(size);
        bytes
    }

    /// Whether its name stays.
    pub(crate) fn keeps_name(&self, number: u32) -> bool {
        !self.removed.contains(&number) && !self.moved.contains(&number)
    }

    /// Whether it is a file that has no block which must be as it was.
    pub(crate) fn leave_nothing_of(&self, number: u32, node: &Node) -> bool {
        let Content::File { pages, .. } = &node.content else {
            return false;
        };
        let stays = |index: &u64| match self.bytes.get(&number) {
            Some(bytes) => *index < bytes.shortest / PAGE && !bytes.pages.contains(index),
            None => true,
        };
        !pages.keys().any(stays)
    }
}
