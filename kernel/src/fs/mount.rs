//! What is mounted: file systems in their places, one tree of all of them.
//!
//! A mount hangs on a folder, or a file, of another one, and several may hang on one place: the last covers those before
//! it. Whoever is in a mount holds it ([`Place`]), so that it is busy needs no count of its own. The table says where each
//! hangs, and what is no longer in it is only kept by those who are still inside.
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};

use abi::Errno;
use abi::general::{
    MS_NOATIME, MS_NODEV, MS_NODIRATIME, MS_NOEXEC, MS_NOSUID, MS_NOSYMFOLLOW, MS_RDONLY,
    MS_RELATIME,
};

use super::inode::Inode;
use super::place::Place;
use super::system::{Access, System};
pub(crate) use table::{
    Detach, Grafted, all, attach, below, change_access, detach, is_mountpoint, move_to, systems,
};
pub(super) use table::{init, root, take_all};
pub(crate) use whereabouts::Start;

mod table;
mod whereabouts;

/// What may be said of a mount, by mount(2)'s flags; it is all shown by proc(5) and statfs(2).
pub(crate) const OPTIONS: u32 = MS_RDONLY
    | MS_NOSUID
    | MS_NODEV
    | MS_NOEXEC
    | MS_NOATIME
    | MS_NODIRATIME
    | MS_RELATIME
    | MS_NOSYMFOLLOW;

/// A file system, or a part of one, in its place.
pub(crate) struct Mount {
    pub(crate) system: Arc<System>,
    /// What is seen of the file system: from here on.
    pub(crate) root: Arc<dyn Inode>,
    /// Of [`OPTIONS`].
    options: AtomicU32,
    /// How many change something by way of it, or may: files that are open for writing.
    writers: AtomicUsize,
    /// How many others hang in it.
    children: AtomicUsize,
    /// How often a path went into it.
    entered: AtomicU32,
    /// How often that was when umount2(2) was told to end it where nobody comes: MNT_EXPIRE.
    marked: AtomicU32,
    is_marked: AtomicBool,
}

/// Somebody changes something in a mount, which stays one that can be changed as long.
pub(crate) struct Writer(Arc<Mount>);

impl Mount {
    /// A mount that hangs nowhere yet.
    pub(crate) fn try_new(
        system: Arc<System>,
        root: Arc<dyn Inode>,
        options: u32,
    ) -> Result<Arc<Self>, Errno> {
        let mount = Self {
            system,
            root,
            options: AtomicU32::new(options & OPTIONS),
            writers: AtomicUsize::new(0),
            children: AtomicUsize::new(0),
            entered: AtomicU32::new(0),
            marked: AtomicU32::new(0),
            is_marked: AtomicBool::new(false),
        };
        Arc::try_new(mount).map_err(|_| Errno::ENOMEM)
    }

    /// Of [`OPTIONS`].
    pub(crate) fn options(&self) -> u32 {
        self.options.load(SeqCst)
    }

    /// Whether it was mounted with `option`.
    pub(crate) fn has(&self, option: u32) -> bool {
        self.options() & option != 0
    }

    /// Whether anything can be changed by way of it.
    pub(crate) fn access(&self) -> Access {
        if self.has(MS_RDONLY) {
            Access::Read
        } else {
            self.system.access()
        }
    }

    /// Whether reading is noted as the time of the last access.
    pub(crate) fn notes_access(&self) -> bool {
        !self.has(MS_NOATIME) && self.access() == Access::Write
    }

    /// Begins a change; `EROFS` where there can be none.
    pub(crate) fn begin_writing(self: &Arc<Self>) -> Result<Writer, Errno> {
        self.writers.fetch_add(1, SeqCst);
        let writer = Writer(self.clone());
        match self.access() {
            Access::Write => Ok(writer),
            Access::Read => Err(Errno::EROFS),
        }
    }

    /// The first time, and when a path went into it since, `EAGAIN`: MNT_EXPIRE. The path to it has just gone into it once
    /// more.
    pub(crate) fn expire(&self) -> Result<(), Errno> {
        let entered = self.entered.load(SeqCst);
        let before = self.marked.swap(entered, SeqCst);
        if self.is_marked.swap(true, SeqCst) && entered == before.wrapping_add(1) {
            Ok(())
        } else {
            Err(Errno::EAGAIN)
        }
    }

    fn note_entering(&self) {
        self.entered.fetch_add(1, SeqCst);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.writers.fetch_sub(1, SeqCst);
    }
}

/// The root of what covers `place`, and of what covers that, if anything does.
pub(super) fn over(place: &Place) -> Option<Place> {
    let mut top = None;
    let mut at = place;
    // Most mounts have nothing that hangs in them.
    while at.mount.children.load(SeqCst) > 0 {
        let Some(mount) = table::covering(&at.mount, at.inode.identity()) else {
            break;
        };
        mount.note_entering();
        let inode = mount.root.clone();
        at = top.insert(Place { mount, inode });
    }
    top
}
