//! What is known of an inode where there are only its pages: its number, the entry by which it was last reached, and what
//! the archive has of it.
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use abi::Errno;
use spin::Once;

use super::archived::Archived;
use super::label::Label;
use super::{Node, Volume};
use crate::fs::inode::{Entry, Whereabouts};
use crate::lock::{IrqLock, Rank};

/// An inode's card. Its pages hold it too, and may live longer than the inode.
pub(crate) struct Card {
    /// As `st_dev`.
    pub(crate) device: u64,
    /// As `st_ino`.
    pub(crate) number: u64,
    label: IrqLock<Arc<Label>>,
    /// The volume, once the inode is gone and mappings still show the file.
    orphan_of: Once<Arc<Volume>>,
    pub(super) archived: Option<Archived>,
}

impl Card {
    pub(super) fn new(device: u64, number: u64, archived: Option<Archived>) -> Result<Self, Errno> {
        Ok(Self {
            device,
            number,
            label: IrqLock::new(Rank::Files, Label::blank()?),
            orphan_of: Once::new(),
            archived,
        })
    }

    /// Its inode is gone, and mappings still show the file.
    pub(super) fn note_orphan(&self, volume: Arc<Volume>) {
        self.orphan_of.call_once(|| volume);
    }

    /// It was reached, or made, by this entry.
    pub(super) fn note_entry(&self, label: Arc<Label>) {
        let old = core::mem::replace(&mut *self.label.lock(), label);
        drop(old);
    }

    /// The entry by which it was last reached.
    pub(super) fn label(&self) -> Arc<Label> {
        self.label.lock().clone()
    }

    /// The folder that it is in, or was in.
    pub(super) fn parent(&self) -> Option<Arc<Node>> {
        self.label().parent()
    }

    /// Adds its path from the volume's root to `path`.
    pub(crate) fn write_path(&self, path: &mut Vec<u8>) -> Result<Whereabouts, Errno> {
        self.label().write_path(path)
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        if let Some(volume) = self.orphan_of.get() {
            volume.orphans.fetch_sub(1, Relaxed);
        }
    }
}
