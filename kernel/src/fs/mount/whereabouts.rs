//! Where mounts hang, and the paths that lead there.
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;

use super::{Mount, table};
use crate::fs::inode::{self, Entry, Whereabouts};
use crate::fs::place::Place;

/// Whether a path begins at the root of all, or at that of a mount which hangs nowhere any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    Root,
    Elsewhere,
}

impl Mount {
    /// What it hangs on; `None` for the first of all, and for one that hangs nowhere any more.
    pub(crate) fn on(self: &Arc<Self>) -> Option<Place> {
        table::place_of(self)
    }

    /// Whether it is in the tree.
    pub(crate) fn is_attached(self: &Arc<Self>) -> bool {
        table::is_attached(self)
    }

    /// Gives it other options. `EBUSY` where it is to be read only and somebody writes.
    pub(crate) fn set_options(&self, options: u32) -> Result<(), Errno> {
        table::set_options(self, options)
    }

    /// Adds the path that leads to it to `path`: nothing for the first.
    pub(crate) fn write_path(self: &Arc<Self>, path: &mut Vec<u8>) -> Result<Start, Errno> {
        let mut above: Vec<Place> = Vec::new();
        let mut top = self.clone();
        while let Some(on) = top.on() {
            top = on.mount.clone();
            above.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            above.push(on);
        }
        for place in above.iter().rev() {
            place.write_within(path)?;
        }
        Ok(if top.is_attached() {
            Start::Root
        } else {
            Start::Elsewhere
        })
    }
}

impl Place {
    /// Adds the path that leads here from the root of its mount.
    pub(crate) fn write_within(&self, path: &mut Vec<u8>) -> Result<Whereabouts, Errno> {
        let start = path.len();
        let whereabouts = self.inode.write_path(path)?;
        self.leave_out_root(path, start)?;
        Ok(whereabouts)
    }

    /// The same by the entry that led here.
    pub(crate) fn write_entry(
        &self,
        entry: &dyn Entry,
        path: &mut Vec<u8>,
    ) -> Result<Whereabouts, Errno> {
        let start = path.len();
        let whereabouts = entry.write_path(path)?;
        self.leave_out_root(path, start)?;
        Ok(whereabouts)
    }

    /// Takes out of `path`, from `start` on, what leads to the root of the mount.
    fn leave_out_root(&self, path: &mut Vec<u8>, start: usize) -> Result<(), Errno> {
        let mount = &self.mount;
        if mount.root.identity() != mount.system.files.root().identity() {
            let mut skipped = Vec::new();
            mount.root.write_path(&mut skipped)?;
            if path[start..].starts_with(&skipped) {
                path.drain(start..start + skipped.len());
            }
        }
        Ok(())
    }

    /// The path that leads here from the root of its file system: what `mountinfo` says of a mount's root.
    pub(crate) fn path_in_system(&self) -> Result<Vec<u8>, Errno> {
        let mut path = Vec::new();
        self.inode.write_path(&mut path)?;
        if path.is_empty() {
            inode::extend(&mut path, b"/")?;
        }
        Ok(path)
    }
}
