//! A file system in memory: the root, which begins as the boot image's archive, and `/dev`.
//!
//! Regular files are `mm`'s cached files, so `read`, `write` and every mapping see the same pages. A file of the archive
//! differs in one thing: pages that nobody needed yet still lie in the archive (`archived.rs`).
//!
//! Names are only in folders; what was opened or mapped knows the entry by which it was reached (`label.rs`), which is how
//! paths are written. One lock of the volume is held by whatever changes names, each folder's own by whoever looks into it.
mod archived;
mod card;
mod directory;
mod folder;
mod label;
mod moving;
mod open;
mod regular;
mod system;
mod unpack;
mod volume;

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::Ordering::Relaxed;

use abi::Errno;
use abi::general::{S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG};
use mm::page_cache::CachedFile;
use spin::Once;

use super::attributes::Attributes;
use super::gate::Gate;
use super::inode::{self, Change, Directory, Entry, Identity, Inode, Link, New, Whereabouts};
use super::open::{OpenFile, Status};
use super::pipe::Fifo;
use super::place::Place;
use super::{devices, listing};
use crate::lock::{IrqLock, Rank};
pub(super) use archived::complete;
pub(super) use card::Card;
use folder::Folder;
use regular::Regular;
pub(super) use system::Tmpfs;
pub(super) use unpack::{folder_in, unpack};
pub(super) use volume::Volume;

/// What is left of a folder's size for each entry, as Linux counts it.
const ENTRY_SIZE: u64 = 20;

/// An inode.
pub(crate) struct Node {
    volume: Arc<Volume>,
    me: Once<Weak<Node>>,
    card: Arc<Card>,
    attributes: IrqLock<Attributes>,
    content: Content,
}

enum Content {
    Regular(Regular),
    Folder(Gate<Folder>),
    Link(Vec<u8>),
    Fifo(Fifo),
    /// A device's number; of a socket, nothing.
    Special(u64),
}

impl Node {
    /// A new inode without a name.
    fn try_new(volume: &Arc<Volume>, new: &New<'_>) -> Result<Arc<Self>, Errno> {
        let card = Card::new(
            volume.device,
            volume.next_number.fetch_add(1, Relaxed),
            None,
        )?;
        Self::with_card(volume, new, card)
    }

    fn with_card(volume: &Arc<Volume>, new: &New<'_>, card: Card) -> Result<Arc<Self>, Errno> {
        let card = Arc::try_new(card).map_err(|_| Errno::ENOMEM)?;
        let content = match new.mode & S_IFMT {
            S_IFREG => Content::Regular(Regular::try_new(&card)?),
            S_IFDIR => Content::Folder(Gate::new(Folder::default())),
            S_IFLNK => Content::Link(inode::copy(new.target)?),
            S_IFIFO => Content::Fifo(Fifo::new()),
            _ => Content::Special(new.special),
        };
        if let Err(errno) = volume.take_inode() {
            content.release();
            return Err(errno);
        }
        let node = Self {
            volume: volume.clone(),
            me: Once::new(),
            card,
            attributes: IrqLock::new(Rank::Files, Attributes::new(new.mode)),
            content,
        };
        let node = Arc::try_new(node).map_err(|_| Errno::ENOMEM)?;
        node.me.call_once(|| Arc::downgrade(&node));
        Ok(node)
    }

    fn kind(&self) -> u32 {
        self.attributes.lock().mode & S_IFMT
    }

    fn is_folder(&self) -> bool {
        matches!(self.content, Content::Folder(_))
    }

    fn regular(&self) -> Option<&Regular> {
        match &self.content {
            Content::Regular(regular) => Some(regular),
            _ => None,
        }
    }

    fn me(&self) -> Weak<Self> {
        self.me.get().cloned().unwrap_or_default()
    }

    /// Its bytes or entries are others now.
    fn note_change(&self) {
        self.attributes.lock().note_change();
    }

    /// What is said of it, and nothing else, is other now.
    fn note_status_change(&self) {
        self.attributes.lock().note_status_change();
    }

    /// Its bytes or entries were read.
    fn note_access(&self) {
        self.attributes.lock().note_access();
    }

    fn size(&self) -> u64 {
        match &self.content {
            Content::Regular(regular) => regular.pages().size(),
            Content::Folder(folder) => (folder.enter().len() as u64 + 2) * ENTRY_SIZE,
            Content::Link(target) => target.len() as u64,
            Content::Fifo(_) | Content::Special(_) => 0,
        }
    }
}

impl Content {
    /// Gives the pages back.
    fn release(self) {
        if let Self::Regular(mut regular) = self {
            regular.release();
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Content::Regular(regular) = &mut self.content {
            self.volume.note_end(regular, &self.card);
            regular.release();
        }
        self.volume.give_inode_back();
    }
}

impl Inode for Node {
    fn status(&self) -> Status {
        let size = self.size();
        let blocks = self
            .regular()
            .map_or(0, |regular| regular.blocks(&self.card));
        Status {
            device: self.card.device,
            number: self.card.number,
            special: match self.content {
                Content::Special(number) => number,
                _ => 0,
            },
            size,
            blocks,
            ..self.attributes.lock().status()
        }
    }

    fn identity(&self) -> Identity {
        Identity {
            device: self.card.device,
            number: self.card.number,
        }
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn open(self: Arc<Self>, place: &Place, flags: u32) -> Result<Arc<OpenFile>, Errno> {
        match &self.content {
            Content::Regular(_) => open::open(self, place, flags),
            Content::Folder(_) => listing::open(place, flags),
            Content::Fifo(fifo) => fifo.open(place, flags),
            Content::Special(number) => devices::open(self.kind(), *number, place, flags),
            Content::Link(_) => Err(Errno::ELOOP),
        }
    }

    fn directory(&self) -> Option<&dyn Directory> {
        self.is_folder().then_some(self as &dyn Directory)
    }

    fn link(&self) -> Result<Link, Errno> {
        match &self.content {
            Content::Link(target) => inode::copy(target).map(Link::Path),
            _ => Err(Errno::EINVAL),
        }
    }

    fn set_size(&self, size: u64) -> Result<(), Errno> {
        let regular = self.regular().ok_or(Errno::EINVAL)?;
        regular.set_size(&self.card, size)?;
        regular.note_pages(&self.volume);
        self.note_change();
        Ok(())
    }

    fn change(&self, change: Change) -> Result<(), Errno> {
        self.attributes.lock().change(change);
        Ok(())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
        match self.regular() {
            Some(regular) => Ok(regular.read_at(&self.card, offset, buffer)),
            None if self.is_folder() => Err(Errno::EISDIR),
            None => Err(Errno::EINVAL),
        }
    }

    fn write_path(&self, path: &mut Vec<u8>) -> Result<Whereabouts, Errno> {
        self.card.write_path(path)
    }

    fn entry(&self) -> Option<Arc<dyn Entry>> {
        Some(self.card.label())
    }

    fn begin_execution(&self) -> Result<(), Errno> {
        let regular = self.regular().ok_or(Errno::EACCES)?;
        regular.users.deny_writing()
    }

    fn end_execution(&self) {
        if let Some(regular) = self.regular() {
            regular.users.allow_writing();
        }
    }
}

/// The name in its file system of what a cached file belongs to, and where that is; `None` for files of nobody here.
pub(super) fn of_cached(file: &CachedFile) -> Option<&Card> {
    file.owner()?.downcast_ref()
}
