//! Where something stands: an inode, and the mount by which it was reached.
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;

use super::inode::{self, Inode, Whereabouts};
use super::mount::{self, Mount};

/// An inode in the tree of all mounts.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) mount: &'static Mount,
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
        let place = Self {
            mount: self.mount,
            inode: directory.lookup(name)?,
        };
        Ok(mount::on(&place).unwrap_or(place))
    }

    /// The folder above; of the root, the root.
    pub(crate) fn parent(&self) -> Result<Self, Errno> {
        let mut place = self.clone();
        loop {
            let directory = place.inode.directory().ok_or(Errno::ENOTDIR)?;
            if let Some(inode) = directory.parent() {
                return Ok(Self { inode, ..place });
            }
            match place.mount.on() {
                Some(on) => place = on,
                None => return Ok(place),
            }
        }
    }

    /// Whether it is in `mount`.
    pub(crate) fn is_in(&self, mount: &Mount) -> bool {
        core::ptr::eq(self.mount, mount)
    }

    /// Whether a mount begins here.
    pub(crate) fn is_mount(&self) -> bool {
        same(&self.inode, &self.mount.root)
    }

    /// The path from the root; `ENOENT` for what has been removed.
    pub(crate) fn path_if_there(&self) -> Result<Vec<u8>, Errno> {
        match self.write_path()? {
            (path, Whereabouts::There) => Ok(path),
            (_, Whereabouts::Removed) => Err(Errno::ENOENT),
        }
    }

    /// The path from the root, which says so where it has been removed.
    pub(crate) fn path(&self) -> Result<Vec<u8>, Errno> {
        let (mut path, whereabouts) = self.write_path()?;
        if whereabouts == Whereabouts::Removed {
            inode::extend(&mut path, b" (deleted)")?;
        }
        Ok(path)
    }

    fn write_path(&self) -> Result<(Vec<u8>, Whereabouts), Errno> {
        let mut path = self.mount.path()?;
        let whereabouts = self.inode.write_path(&mut path)?;
        if path.is_empty() {
            inode::extend(&mut path, b"/")?;
        }
        Ok((path, whereabouts))
    }
}

/// Whether both are one inode.
pub(crate) fn same(one: &Arc<dyn Inode>, other: &Arc<dyn Inode>) -> bool {
    core::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
}
