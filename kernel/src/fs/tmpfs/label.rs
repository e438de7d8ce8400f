//! An entry of a folder as those know it who reached something by it: it goes where the entry goes, and says so when that
//! is gone.
//!
//! A file with two names is called by the one that it was opened by, whatever becomes of the other. That is what Linux has
//! dentries for.
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use abi::Errno;

use super::Node;
use crate::fs::inode::{self, Entry, Name, Whereabouts};
use crate::lock::{IrqLock, Rank};

/// An entry's label. The folder has it, whoever opened something by it, and the inode that was last reached by it.
pub(crate) struct Label(IrqLock<Standing>);

#[derive(Clone)]
struct Standing {
    parent: Weak<Node>,
    /// `None` for a root, and for what has no name yet.
    name: Option<Name>,
    whereabouts: Whereabouts,
    /// The parent, of what has been removed: `..` still leads there, and so does the path that it had.
    kept: Option<Arc<Node>>,
}

impl Label {
    /// Of a root, or of what has no name yet.
    pub(super) fn blank() -> Result<Arc<Self>, Errno> {
        Self::standing(Weak::new(), None)
    }

    /// Of the entry `name` of `parent`.
    pub(super) fn try_new(parent: Weak<Node>, name: Name) -> Result<Arc<Self>, Errno> {
        Self::standing(parent, Some(name))
    }

    fn standing(parent: Weak<Node>, name: Option<Name>) -> Result<Arc<Self>, Errno> {
        let standing = Standing {
            parent,
            name,
            whereabouts: Whereabouts::There,
            kept: None,
        };
        let label = Self(IrqLock::new(Rank::Files, standing));
        Arc::try_new(label).map_err(|_| Errno::ENOMEM)
    }

    /// The entry is there now.
    pub(super) fn move_to(&self, parent: Weak<Node>, name: Name) {
        let there = Standing {
            parent,
            name: Some(name),
            whereabouts: Whereabouts::There,
            kept: None,
        };
        let old = core::mem::replace(&mut *self.0.lock(), there);
        drop(old);
    }

    /// The entry is no more. The folder that it was in stays as long as somebody has the label.
    pub(super) fn remove(&self) {
        let parent = self.parent();
        let old = {
            let mut standing = self.0.lock();
            standing.whereabouts = Whereabouts::Removed;
            core::mem::replace(&mut standing.kept, parent)
        };
        drop(old);
    }

    /// The folder that it is in, or was in.
    pub(super) fn parent(&self) -> Option<Arc<Node>> {
        let parent = self.0.lock().parent.clone();
        parent.upgrade()
    }

    fn now(&self) -> Standing {
        self.0.lock().clone()
    }
}

impl Entry for Label {
    fn write_path(&self, path: &mut Vec<u8>) -> Result<Whereabouts, Errno> {
        let first = self.now();
        let mut names: Vec<Name> = Vec::new();
        let (mut name, mut parent) = (first.name, first.parent.upgrade());
        while let Some(part) = name {
            names.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            names.push(part);
            let Some(folder) = parent else { break };
            let above = folder.card.label().now();
            (name, parent) = (above.name, above.parent.upgrade());
        }
        for name in names.iter().rev() {
            inode::extend(path, b"/")?;
            inode::extend(path, name)?;
        }
        Ok(first.whereabouts)
    }
}

impl Drop for Label {
    /// Lets go of removed folders that only each other kept, one after another: as deep as they once were, a stack is not.
    fn drop(&mut self) {
        let mut next = self.0.lock().kept.take();
        while let Some(folder) = next {
            let Some(folder) = Arc::into_inner(folder) else {
                break;
            };
            let label = folder.card.label();
            drop(folder);
            next = Arc::into_inner(label).and_then(|label| label.0.lock().kept.take());
        }
    }
}
