//! What is known of an inode where there are only its pages: its number and volume, what the disk said of it last, and the
//! entry by which it was last reached.
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use abi::Errno;
use mm::PAGE_SIZE;
use mm::page_cache::CachedFile;

use super::Node;
use super::volume::Volume;
use crate::block::{self, Parts, SECTOR};
use crate::fs::gate::{Gate, Turn};
use crate::fs::inode::{self, Name, Unnamed, Whereabouts};
use crate::fs::mount;
use crate::fs::paged::Owner;
use crate::lock::{IrqLock, Rank};

/// An inode's card. Its pages hold it too, and may live longer than the inode's [`Node`].
pub(super) struct Card {
    pub(super) volume: Arc<Volume>,
    pub(super) number: u32,
    known: IrqLock<Known>,
    /// Its last name is gone.
    is_removed: AtomicBool,
    /// It never had a name, and may still get one.
    may_be_named: AtomicBool,
    /// Held by a write, which is whole for all other writes, and by what else changes the length, gives pages blocks, or
    /// needs them to stay.
    pub(super) writing: Gate<()>,
    entry: IrqLock<Entry>,
    pub(super) node: IrqLock<Weak<Node>>,
}

/// What the disk said of an inode.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    pub(super) attributes: ext2::Attributes,
    pub(super) links: u16,
    pub(super) sectors: u32,
    pub(super) size: u64,
}

impl From<&ext2::Inode> for Known {
    fn from(inode: &ext2::Inode) -> Self {
        Self {
            attributes: inode.attributes,
            links: inode.links,
            sectors: inode.sectors,
            size: inode.size,
        }
    }
}

/// The entry by which an inode was last reached.
#[derive(Clone, Default)]
struct Entry {
    /// `None` for the root.
    parent: Option<Arc<Node>>,
    /// `None` for the root, and for what never had a name.
    name: Option<Name>,
}

impl Card {
    pub(super) fn new(volume: Arc<Volume>, inode: &ext2::Inode) -> Self {
        Self {
            volume,
            number: inode.number,
            known: IrqLock::new(Rank::Files, inode.into()),
            is_removed: AtomicBool::new(inode.links == 0),
            may_be_named: AtomicBool::new(false),
            writing: Gate::new(()),
            entry: IrqLock::new(Rank::Files, Entry::default()),
            node: IrqLock::new(Rank::Files, Weak::new()),
        }
    }

    pub(super) fn known(&self) -> Known {
        *self.known.lock()
    }

    /// The disk says this now.
    pub(super) fn note(&self, inode: &ext2::Inode) {
        *self.known.lock() = inode.into();
        self.is_removed.store(inode.links == 0, Relaxed);
    }

    /// Whether its last name is gone.
    pub(super) fn is_removed(&self) -> bool {
        self.is_removed.load(Relaxed)
    }

    /// It was made without a name; whether it may get one.
    pub(super) fn note_unnamed(&self, later: Unnamed) {
        self.may_be_named.store(later == Unnamed::Linkable, Relaxed);
    }

    /// `ENOENT` where it may have no more names.
    pub(super) fn check_linkable(&self) -> Result<(), Errno> {
        if self.is_removed() && !self.may_be_named.swap(false, Relaxed) {
            Err(Errno::ENOENT)
        } else {
            Ok(())
        }
    }

    /// It was reached, or made, by the entry `name` of `parent`.
    pub(super) fn note_entry(&self, parent: Arc<Node>, name: Name) {
        let entry = Entry {
            parent: Some(parent),
            name: Some(name),
        };
        let old = core::mem::replace(&mut *self.entry.lock(), entry);
        drop(old);
    }

    /// The folder that it is in, or was in.
    pub(super) fn parent(&self) -> Option<Arc<Node>> {
        self.entry.lock().parent.clone()
    }

    /// Adds its path from the volume's root to `path`.
    pub(super) fn write_within(&self, path: &mut Vec<u8>) -> Result<Whereabouts, Errno> {
        let mut names: Vec<Name> = Vec::new();
        let mut entry = self.entry.lock().clone();
        while let Some(name) = entry.name.take() {
            names.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            names.push(name);
            let Some(parent) = entry.parent.take() else {
                break;
            };
            let above = parent.card.entry.lock().clone();
            entry = above;
        }
        for name in names.iter().rev() {
            inode::extend(path, b"/")?;
            inode::extend(path, name)?;
        }
        Ok(if self.is_removed() {
            Whereabouts::Removed
        } else {
            Whereabouts::There
        })
    }
}

impl Owner for Card {
    fn volume(&self) -> &block::Volume {
        self.volume.disk()
    }

    fn locate(&self, index: u64, parts: &mut Parts) -> Result<(), Errno> {
        let start = index * PAGE_SIZE;
        self.volume.with(|volume| {
            let mut done = 0;
            while done < PAGE_SIZE {
                let run = volume.map(self.number, start + done, PAGE_SIZE - done)?;
                let length = run.length.clamp(1, PAGE_SIZE - done);
                if let Some(at) = run.at {
                    let pushed = parts.push(done, length, at / SECTOR);
                    pushed.map_err(|_| ext2::Error::Corrupt)?;
                }
                done += length;
            }
            Ok(())
        })
    }

    fn places_stay(&self) -> Option<Turn<'_, ()>> {
        Some(self.writing.enter())
    }

    fn make_room(&self, file: &Arc<CachedFile>, index: u64) -> Result<(), Errno> {
        let _writing = self.writing.enter();
        super::regular::make_room(self, file, index)
    }

    fn disk(&self) -> Option<&Arc<CachedFile>> {
        Some(self.volume.books())
    }

    fn is_wanted(&self) -> bool {
        !self.is_removed()
    }

    fn identity(&self) -> (u64, u64) {
        (self.volume.device(), self.number.into())
    }

    fn write_path(&self, path: &mut Vec<u8>) -> Result<Whereabouts, Errno> {
        let mounts = mount::all()?;
        let mut mounts = mounts.iter().map(|entry| &entry.mount);
        let device = self.volume.device();
        if let Some(mount) = mounts.find(|mount| mount.system.files.device() == device) {
            mount.write_path(path)?;
        }
        self.write_within(path)
    }
}

impl Drop for Card {
    /// Leaves the volume's table, and has the inode freed if it has no name. Folders that only each other kept go one after
    /// another: as deep as they are, a stack is not.
    fn drop(&mut self) {
        // As long as the table has the card there is room for it among the orphans.
        if self.is_removed() {
            self.volume.note_orphan(self.number);
        }
        self.volume.forget(self.number);
        let mut next = self.entry.lock().parent.take();
        while let Some(folder) = next {
            next = match Arc::into_inner(folder) {
                Some(last) if Arc::strong_count(&last.card) == 1 => {
                    last.card.entry.lock().parent.take()
                }
                _ => None,
            };
        }
    }
}
