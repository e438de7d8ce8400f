//! By which entry something was opened: what it is called from then on, whatever else the file is called.
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use mm::OutOfMemory;
use mm::opening::Opening;

use super::inode::Entry;
use super::locks::Description;
use super::open::OpenFile;
use super::place::Place;

/// What an [`Opening`] is known by.
pub(super) struct Reached {
    /// The entry, where its file system knows it.
    pub(super) entry: Option<Arc<dyn Entry>>,
    /// What it is to locks: mappings keep them, as long as they have the opening.
    pub(super) description: Description,
}

impl Reached {
    /// The opening of what stands at `place`, which was reached just now.
    pub(super) fn opening(place: &Place) -> Result<Opening, OutOfMemory> {
        let reached = Arc::try_new(Self {
            entry: place.inode.entry(),
            description: Description::new(),
        });
        Ok(Opening::new(reached.map_err(|_| OutOfMemory)?))
    }
}

impl OpenFile {
    /// The path of the entry by which it was opened.
    pub(super) fn path(&self) -> Option<Result<Vec<u8>, Errno>> {
        let place = self.place.as_ref()?;
        let Reached { entry, .. } = self.opening.get()?;
        Some(place.path_by(entry.as_deref()?))
    }
}
