//! Files whose pages lie on a disk: a disk itself, and those of a file system.
//!
//! The owner of such a file says where each page lies; all else is here, and the same for all of them: reading ahead and
//! waiting (`read.rs`), writing back (`writeback.rs`, `sync.rs`, and `flusher.rs` for what nobody asks for), going past the
//! cache (`direct.rs`), giving way when memory fills (`pressure.rs`). No lock is held while an owner is asked, for it may
//! have to read the disk first. It is asked by the flusher too, and by whoever waits for memory: so it may wait for gates,
//! but for none whose holder touches the memory of ring 3, waits for memory, or has a file synchronised.
pub(crate) mod bytes;
pub(crate) mod direct;
mod files;
pub(crate) mod flusher;
mod pressure;
mod read;
mod sync;
mod writeback;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::AtomicBool;

use abi::Errno;
use mm::PAGE_SIZE;
use mm::page_cache::{CachedFile, ReadResult};

use super::gate::Turn;
use super::inode::Whereabouts;
use crate::block::{Parts, Volume, Window};
use crate::lock::IrqLock;
pub(crate) use files::{close, collect, collect_left_over, open};
pub(crate) use pressure::give_back;
pub(crate) use read::Reader;
pub(super) use read::{complete, read_on, read_soon, wait_for_page};
pub(crate) use sync::{pages_of, sync, sync_all, write_books};

/// Whose a file is: what its file system knows of it.
pub(crate) trait Owner: Send + Sync {
    /// What it lies on.
    fn volume(&self) -> &Volume;

    /// Where page `index` lies; nowhere, if it is a hole or behind the end. May wait, but to the end, whoever dies
    /// meanwhile: never `EINTR`. The page is being read or written meanwhile, so whoever cuts the file waits before he
    /// gives its places to others.
    fn locate(&self, index: u64, parts: &mut Parts) -> Result<(), Errno>;

    /// Held while nobody may give places of the file to others; `None` where nobody ever does. May wait, for those who
    /// write.
    fn places_stay(&self) -> Option<Turn<'_, ()>> {
        None
    }

    /// Finds places for all of page `index` that the file reaches to, and says so to its pages (`CachedFile::back`): a
    /// program stores to a hole. `ENOSPC` where there are none. May wait.
    fn make_room(&self, _file: &Arc<CachedFile>, _index: u64) -> Result<(), Errno> {
        Err(Errno::EIO)
    }

    /// Brings what the file system knows of the file, beside its pages, to the pages of the disk. May wait.
    fn settle(&self) -> Result<(), Errno> {
        Ok(())
    }

    /// The pages of the disk, which hold what the file system knows; `None` where the file is the disk.
    fn disk(&self) -> Option<&Arc<CachedFile>> {
        None
    }

    /// A page could not be written. Called where nobody may wait.
    fn note_failure(&self) {}

    /// All that it knows of its files is about to be written: a number for [`Owner::settled`]. `EIO` where some of it never
    /// was.
    fn begin_settling(&self) -> Result<u64, Errno> {
        Ok(0)
    }

    /// What `begin_settling` gave this number to is on the medium.
    fn settled(&self, _turn: u64) {}

    /// Whether anybody could read the file again who has it open no more. What is dirty of one that was removed is written
    /// no more once it is closed.
    fn is_wanted(&self) -> bool {
        true
    }

    /// Whether the file may become longer. Of one that never does the last page needs no place behind the end.
    fn may_grow(&self) -> bool {
        true
    }

    /// Device and inode, as `st_dev` and `st_ino`.
    fn identity(&self) -> (u64, u64);

    /// What it is called, or was: for those who see it mapped.
    fn write_path(&self, path: &mut Vec<u8>) -> Result<Whereabouts, Errno>;
}

/// What is known of a cached file whose pages lie on a disk.
pub(crate) struct Paged {
    owner: Arc<dyn Owner>,
    /// How far faults read ahead.
    faults: IrqLock<Window>,
    /// When the flusher first found it dirty, in nanoseconds since boot.
    dirty_since: IrqLock<Option<u64>>,
    /// Somebody closed it, and nobody has opened it since: others may have it still.
    is_closed: AtomicBool,
}

/// What is known of a file; `None` where its pages lie on no disk.
pub(crate) fn of(file: &CachedFile) -> Option<&Paged> {
    file.owner()?.downcast_ref()
}

/// A page of `file` could not be written, and is about to say so.
pub(crate) fn note_failure(file: &CachedFile) {
    if let Some(paged) = of(file) {
        paged.owner.note_failure();
    }
}

impl Paged {
    /// Whose it is.
    pub(crate) fn owner(&self) -> &dyn Owner {
        &*self.owner
    }

    fn volume(&self) -> &Volume {
        self.owner.volume()
    }

    /// When it was first found dirty, as of `now`; `None` where it is clean.
    fn note_dirty(&self, file: &CachedFile, now: u64) -> Option<u64> {
        let mut since = self.dirty_since.lock();
        *since = (file.dirty_pages() > 0).then(|| since.unwrap_or(now));
        *since
    }

    /// Where page `index` lies.
    fn locate(&self, index: u64) -> Result<Parts, Errno> {
        let mut parts = Parts::new();
        self.owner.locate(index, &mut parts)?;
        self.volume().check(parts)
    }

    /// What a page of `file` is that was read from these parts.
    fn result(&self, file: &CachedFile, index: u64, parts: &Parts) -> ReadResult {
        let left = file.size().saturating_sub(index * PAGE_SIZE);
        let needed = if self.owner.may_grow() {
            PAGE_SIZE
        } else {
            left.min(PAGE_SIZE)
        };
        if parts.covered() >= needed {
            ReadResult::Filled
        } else {
            ReadResult::Hole
        }
    }
}
