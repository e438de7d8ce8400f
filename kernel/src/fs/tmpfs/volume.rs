//! A file system in memory as a whole: its numbers, and how much it holds and may hold.
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use abi::Errno;
use abi::general::S_IFDIR;

use super::Node;
use super::card::Card;
use super::regular::Regular;
use super::system::Limits;
use crate::arch::memory::memory;
use crate::fs::gate::Gate;
use crate::fs::inode::New;
use crate::fs::system::Room;
use crate::lock::{IrqLock, Rank};

/// A file system.
pub(crate) struct Volume {
    /// As `st_dev`.
    pub(super) device: u64,
    pub(super) next_number: AtomicU64,
    pub(super) inodes: AtomicU64,
    /// Pages of its files, as far as calls noted them: what stores into mappings made is noted by the next call.
    pub(super) pages: AtomicU64,
    pub(super) limits: IrqLock<Limits>,
    /// Mapped files whose inode is gone.
    pub(super) orphans: AtomicU64,
    /// Held by what changes names.
    pub(super) names: Gate<()>,
}

impl Volume {
    /// A volume with an empty root.
    pub(in crate::fs) fn try_new(device: u64, mode: u32) -> Result<Arc<Node>, Errno> {
        let volume = Self {
            device,
            next_number: AtomicU64::new(1),
            inodes: AtomicU64::new(0),
            pages: AtomicU64::new(0),
            limits: IrqLock::new(Rank::Files, Limits::USUAL),
            orphans: AtomicU64::new(0),
            names: Gate::new(()),
        };
        let volume = Arc::try_new(volume).map_err(|_| Errno::ENOMEM)?;
        let root = Node::try_new(
            &volume,
            &New {
                mode: S_IFDIR | mode,
                target: &[],
                special: 0,
            },
        )?;
        root.attributes.lock().links = 2;
        Ok(root)
    }

    pub(super) fn set_limits(&self, limits: Limits) {
        *self.limits.lock() = limits;
    }

    /// As many inodes as Linux lets a tmpfs have: one for every second frame.
    pub(super) fn most_inodes(&self) -> u64 {
        let limit = self.limits.lock().inodes;
        limit.unwrap_or(memory().managed_frames() as u64 / 2)
    }

    /// As many pages as all volumes may have. Memory files and shared memory count too, wherever they come from.
    pub(super) fn most_pages() -> u64 {
        memory().managed_frames() as u64 / 2
    }

    /// Whether `pages` more may be taken.
    pub(super) fn check_room(&self, pages: u64) -> Result<(), Errno> {
        let used = memory().frames_used_for(mm::frame::Use::Shared) as u64;
        let own = self.pages.load(Relaxed);
        let limit = self.limits.lock().pages;
        let is_full = limit.is_some_and(|limit| own + pages > limit);
        if is_full || used + pages > Self::most_pages() {
            Err(Errno::ENOSPC)
        } else {
            Ok(())
        }
    }

    /// Counts one inode more, or one more name of one.
    pub(super) fn take_inode(&self) -> Result<(), Errno> {
        let most = self.most_inodes();
        let more = |inodes| (inodes < most).then_some(inodes + 1);
        let taken = self.inodes.fetch_update(Relaxed, Relaxed, more);
        taken.map(drop).map_err(|_| Errno::ENOSPC)
    }

    pub(super) fn give_inode_back(&self) {
        self.inodes.fetch_sub(1, Relaxed);
    }

    /// An inode goes; who maps its file keeps that.
    pub(super) fn note_end(self: &Arc<Self>, regular: &Regular, card: &Card) {
        regular.forget_pages(self);
        if regular.is_mapped() {
            self.orphans.fetch_add(1, Relaxed);
            card.note_orphan(self.clone());
        }
    }

    /// What there is, and what is left of it.
    pub(super) fn room(&self) -> Room {
        let (blocks, used) = match self.limits.lock().pages {
            Some(pages) => (pages, self.pages.load(Relaxed)),
            None => {
                let used = memory().frames_used_for(mm::frame::Use::Shared);
                (Self::most_pages(), used as u64)
            }
        };
        let free = blocks.saturating_sub(used);
        let inodes = self.most_inodes();
        Room {
            blocks,
            free,
            available: free,
            inodes,
            free_inodes: inodes.saturating_sub(self.inodes.load(Relaxed)),
            ..Room::default()
        }
    }
}
