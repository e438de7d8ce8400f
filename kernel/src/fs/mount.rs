//! Which file systems there are, and on which folder each hangs. The table is made once, at boot.
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use spin::Once;

use super::inode::{self, Inode};
use super::place::{self, Place};

/// A file system in its place.
pub(crate) struct Mount {
    /// What proc(5) calls its kind.
    pub(crate) kind: &'static str,
    /// What statfs(2) calls its kind.
    pub(crate) magic: u32,
    pub(crate) root: Arc<dyn Inode>,
    /// The folder of the first file system that it covers, by name; `None` for the first itself.
    name: Option<&'static [u8]>,
    covered: Option<Arc<dyn Inode>>,
}

static MOUNTS: Once<Vec<Mount>> = Once::new();

impl Mount {
    /// A mount that covers folder `name` of the first one.
    pub(super) fn new(
        kind: &'static str,
        magic: u32,
        root: Arc<dyn Inode>,
        on: Option<(&'static [u8], Arc<dyn Inode>)>,
    ) -> Self {
        let (name, covered) = on.unzip();
        Self {
            kind,
            magic,
            root,
            name,
            covered,
        }
    }

    /// What it covers.
    pub(crate) fn on(&self) -> Option<Place> {
        let inode = self.covered.clone()?;
        Some(Place {
            mount: &all()[0],
            inode,
        })
    }

    /// The path that leads to it; nothing for the first.
    pub(crate) fn path(&self) -> Result<Vec<u8>, Errno> {
        let mut path = Vec::new();
        if let Some(name) = self.name {
            inode::extend(&mut path, b"/")?;
            inode::extend(&mut path, name)?;
        }
        Ok(path)
    }

    /// What proc(5) says of how it is mounted.
    pub(crate) fn options(&self) -> &'static str {
        if self.covered.is_none() {
            "rw"
        } else {
            "rw,relatime"
        }
    }

    /// The name of the folder that it covers; nothing for the first.
    pub(crate) fn name(&self) -> &'static [u8] {
        self.name.unwrap_or_default()
    }
}

/// Makes the table, the root first. Once.
pub(super) fn init(mounts: Vec<Mount>) {
    MOUNTS.call_once(|| mounts);
}

/// All mounts, the root first.
pub(crate) fn all() -> &'static [Mount] {
    MOUNTS
        .get()
        .expect("file systems are mounted before the first process")
}

/// The root of all.
pub(super) fn root() -> Place {
    let mount = &all()[0];
    Place {
        mount,
        inode: mount.root.clone(),
    }
}

/// The root of what covers `place`, if anything does.
pub(super) fn on(place: &Place) -> Option<Place> {
    if !place.is_in(&all()[0]) {
        return None;
    }
    let covers = |mount: &&Mount| {
        let covered = mount.covered.as_ref();
        covered.is_some_and(|covered| place::same(covered, &place.inode))
    };
    let mount = all().iter().find(covers)?;
    Some(Place {
        mount,
        inode: mount.root.clone(),
    })
}
