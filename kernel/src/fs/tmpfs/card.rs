//! What is known of an inode where there are only its pages: its number, the entry by which it was last reached, and what
//! the archive has of it.
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use abi::Errno;
use spin::Once;

use super::archived::Archived;
use super::{Node, Volume};
use crate::fs::inode::{self, Name, Whereabouts};
use crate::lock::{IrqLock, Rank};

/// An inode's card. Its pages hold it too, and may live longer than the inode.
pub(crate) struct Card {
    /// As `st_dev`.
    pub(crate) device: u64,
    /// As `st_ino`.
    pub(crate) number: u64,
    entry: IrqLock<Entry>,
    /// The volume, once the inode is gone and mappings still show the file.
    orphan_of: Once<Arc<Volume>>,
    pub(super) archived: Option<Archived>,
}

/// The entry by which an inode was last reached.
#[derive(Clone)]
struct Entry {
    parent: Weak<Node>,
    /// `None` for a root, and for what never had a name.
    name: Option<Name>,
    whereabouts: Whereabouts,
    /// The parent, of what has no name any more: `..` still leads there, and so does the path that it had.
    kept: Option<Arc<Node>>,
}

impl Card {
    pub(super) fn new(device: u64, number: u64, archived: Option<Archived>) -> Self {
        Self {
            device,
            number,
            entry: IrqLock::new(
                Rank::Files,
                Entry {
                    parent: Weak::new(),
                    name: None,
                    whereabouts: Whereabouts::There,
                    kept: None,
                },
            ),
            orphan_of: Once::new(),
            archived,
        }
    }

    /// Its inode is gone, and mappings still show the file.
    pub(super) fn note_orphan(&self, volume: Arc<Volume>) {
        self.orphan_of.call_once(|| volume);
    }

    /// It was reached, or made, by the entry `name` of `parent`.
    pub(super) fn note_entry(&self, parent: Weak<Node>, name: Name) {
        let entry = Entry {
            parent,
            name: Some(name),
            whereabouts: Whereabouts::There,
            kept: None,
        };
        let old = core::mem::replace(&mut *self.entry.lock(), entry);
        drop(old);
    }

    /// That entry, where it is the one that it was last reached by, has been removed.
    pub(super) fn note_removal(&self, parent: &Weak<Node>, name: &[u8]) {
        let mut entry = self.entry.lock();
        let is_it = entry
            .name
            .as_ref()
            .is_some_and(|own| own.as_slice() == name);
        if is_it && entry.parent.ptr_eq(parent) {
            entry.whereabouts = Whereabouts::Removed;
        }
    }

    /// It has no name: what shows it shall say so under this one.
    pub(super) fn note_unnamed(&self, parent: Weak<Node>, name: Name) {
        self.note_entry(parent, name);
        self.entry.lock().whereabouts = Whereabouts::Removed;
        self.keep_parent();
    }

    /// Its last name is gone: the folder that it was in stays as long as it does.
    pub(super) fn keep_parent(&self) {
        let parent = self.parent();
        let old = core::mem::replace(&mut self.entry.lock().kept, parent);
        drop(old);
    }

    /// The folder that it is in, or was in.
    pub(super) fn parent(&self) -> Option<Arc<Node>> {
        let parent = self.entry.lock().parent.clone();
        parent.upgrade()
    }

    /// Adds its path from the volume's root to `path`.
    pub(crate) fn write_path(&self, path: &mut Vec<u8>) -> Result<Whereabouts, Errno> {
        let entry = || self.entry.lock().clone();
        let first = entry();
        let mut names: Vec<Name> = Vec::new();
        let (mut name, mut parent) = (first.name, first.parent.upgrade());
        while let Some(part) = name {
            names.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            names.push(part);
            let Some(folder) = parent else { break };
            let above = folder.card.entry.lock().clone();
            (name, parent) = (above.name, above.parent.upgrade());
        }
        for name in names.iter().rev() {
            inode::extend(path, b"/")?;
            inode::extend(path, name)?;
        }
        Ok(first.whereabouts)
    }
}

impl Drop for Card {
    /// Lets go of removed folders that only each other kept, one after another: as deep as they once were, a stack is not.
    fn drop(&mut self) {
        if let Some(volume) = self.orphan_of.get() {
            volume.orphans.fetch_sub(1, Relaxed);
        }
        let mut next = self.entry.lock().kept.take();
        while let Some(folder) = next {
            let last = Arc::into_inner(folder);
            next = last.and_then(|folder| folder.card.entry.lock().kept.take());
        }
    }
}
