//! A file system as a whole, as mounting knows it: what it is called, where it begins, how full it is, and how it ends.
//!
//! Several mounts may show one; the last of them, and of what was opened through them, ends it.
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering::SeqCst};

use abi::Errno;

use super::inode::Inode;

/// What a kind of file system answers.
pub(crate) trait FileSystem: Send + Sync {
    /// What proc(5) and mount(2) call its kind.
    fn kind(&self) -> &'static str;

    /// What statfs(2) calls its kind.
    fn magic(&self) -> u32;

    /// As `st_dev`.
    fn device(&self) -> u64;

    /// Where it begins.
    fn root(&self) -> Arc<dyn Inode>;

    /// What statfs(2) counts.
    fn room(&self) -> Room {
        Room::default()
    }

    /// Adds to what proc(5) says of it, a comma before each word.
    fn write_options(&self, _out: &mut dyn fmt::Write) -> fmt::Result {
        Ok(())
    }

    /// Takes other options, and says whether it may be changed from here on: MS_REMOUNT.
    fn remount(&self, _options: &[u8], _access: Access) -> Result<(), Errno> {
        Ok(())
    }

    /// Whether a mapping shows one of its files. May wait.
    fn is_mapped(&self) -> bool {
        false
    }

    /// Brings what is in memory to where it belongs. May wait.
    fn sync(&self) -> Result<(), Errno> {
        Ok(())
    }

    /// Nobody uses it any more.
    fn close(&self) {}
}

/// Whether a file system, or what a mount shows of one, may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// What statfs(2) says of a file system; all of it 0 where there is nothing to count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) block_size: u64,
    pub(crate) blocks: u64,
    pub(crate) free: u64,
    /// Of the free ones, those that are not kept for the superuser.
    pub(crate) available: u64,
    pub(crate) inodes: u64,
    pub(crate) free_inodes: u64,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            block_size: mm::PAGE_SIZE,
            blocks: 0,
            free: 0,
            available: 0,
            inodes: 0,
            free_inodes: 0,
        }
    }
}

/// A file system, and how it was mounted.
pub(crate) struct System {
    pub(crate) files: Arc<dyn FileSystem>,
    /// What mount(2) was told that it comes from.
    pub(crate) source: Vec<u8>,
    is_read_only: AtomicBool,
}

impl System {
    pub(crate) fn try_new(
        files: Arc<dyn FileSystem>,
        source: Vec<u8>,
        access: Access,
    ) -> Result<Arc<Self>, Errno> {
        let system = Self {
            files,
            source,
            is_read_only: AtomicBool::new(access == Access::Read),
        };
        Arc::try_new(system).map_err(|_| Errno::ENOMEM)
    }

    /// Whether it may be changed.
    pub(crate) fn access(&self) -> Access {
        if self.is_read_only.load(SeqCst) {
            Access::Read
        } else {
            Access::Write
        }
    }

    /// Says so from here on, and what was said before.
    pub(crate) fn set_access(&self, access: Access) {
        self.is_read_only.store(access == Access::Read, SeqCst);
    }
}

/// The last mount is gone, and the last file that was opened through it.
impl Drop for System {
    fn drop(&mut self) {
        self.files.close();
    }
}

/// A file system that the kernel makes up, with nothing to count and nothing to end.
pub(super) struct MadeUp {
    pub(super) kind: &'static str,
    pub(super) magic: u32,
    pub(super) root: Arc<dyn Inode>,
}

impl FileSystem for MadeUp {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn magic(&self) -> u32 {
        self.magic
    }

    fn device(&self) -> u64 {
        self.root.identity().device
    }

    fn root(&self) -> Arc<dyn Inode> {
        self.root.clone()
    }
}
