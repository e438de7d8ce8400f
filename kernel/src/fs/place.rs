//! Where something stands: an inode, and the mount by which it was reached.
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;

use super::inode::{self, Entry, Inode, Whereabouts};
use super::mount::{self, Mount, Start};
use super::path;

/// An inode in the tree of all mounts.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) mount: Arc<Mount>,
    pub(crate) inode: Arc<dyn Inode>,
}

impl Place {
    /// Where all paths begin.
    pub(crate) fn root() -> Self {
        mount::root()
    }

    /// The entry called `name`, in the mount that hangs there if one does.
    pub(crate) fn enter(&self, name: &[u8]) -> Result<Self, Errno> {
        let directory = self.inode.directory().ok_or(Errno::ENOTDIR)?;
        path::check_length(name)?;
        let place = Self {
            mount: self.mount.clone(),
            inode: directory.lookup(name)?,
        };
        Ok(place.top())
    }

    /// The root of what hangs here, and on that, and so on; itself where nothing does.
    pub(crate) fn top(self) -> Self {
        mount::over(&self).unwrap_or(self)
    }

    /// The folder above; of the root, the root.
    pub(crate) fn parent(&self) -> Result<Self, Errno> {
        let mut place = self.clone();
        while place.is_mount() {
            match place.mount.on() {
                Some(on) => place = on,
                None => return Ok(place.top()),
            }
        }
        let directory = place.inode.directory().ok_or(Errno::ENOTDIR)?;
        Ok(match directory.parent() {
            Some(inode) => Self { inode, ..place }.top(),
            None => place.top(),
        })
    }

    /// Whether it is in `mount`.
    pub(crate) fn is_in(&self, mount: &Arc<Mount>) -> bool {
        Arc::ptr_eq(&self.mount, mount)
    }

    /// Whether a mount begins here.
    pub(crate) fn is_mount(&self) -> bool {
        self.inode.identity() == self.mount.root.identity()
    }

    /// The path from the root; `ENOENT` for what has been removed. What no path from there leads to is said to be so.
    pub(crate) fn path_if_there(&self) -> Result<Vec<u8>, Errno> {
        let mut path = Vec::new();
        match self.write_path(&mut path, |path| self.write_within(path))? {
            (_, Whereabouts::Removed) => Err(Errno::ENOENT),
            (Start::Root, _) => Ok(path),
            (Start::Elsewhere, _) => {
                let mut whole = inode::copy(b"(unreachable)")?;
                inode::extend(&mut whole, &path)?;
                Ok(whole)
            }
        }
    }

    /// The path from the root, which says so where it has been removed.
    pub(crate) fn path(&self) -> Result<Vec<u8>, Errno> {
        self.shown(|path| self.write_within(path))
    }

    /// The same by the entry that led here.
    pub(crate) fn path_by(&self, entry: &dyn Entry) -> Result<Vec<u8>, Errno> {
        self.shown(|path| self.write_entry(entry, path))
    }

    fn shown(
        &self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<Whereabouts, Errno>,
    ) -> Result<Vec<u8>, Errno> {
        let mut path = Vec::new();
        let (_, whereabouts) = self.write_path(&mut path, write)?;
        if whereabouts == Whereabouts::Removed {
            inode::extend(&mut path, b" (deleted)")?;
        }
        Ok(path)
    }

    fn write_path(
        &self,
        path: &mut Vec<u8>,
        write: impl FnOnce(&mut Vec<u8>) -> Result<Whereabouts, Errno>,
    ) -> Result<(Start, Whereabouts), Errno> {
        let start = self.mount.write_path(path)?;
        let whereabouts = write(path)?;
        if path.is_empty() {
            inode::extend(path, b"/")?;
        }
        Ok((start, whereabouts))
    }
}
