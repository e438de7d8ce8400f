//! An open regular file.
use alloc::sync::Arc;
use core::ops::Range;

use abi::Errno;
use abi::general::{O_ACCMODE, O_RDONLY};
use mm::page_cache::CachedFile;

use super::Node;
use super::regular::Regular;
use crate::fs::buffers::Buffers;
use crate::fs::gate::Turn;
use crate::fs::inode::Inode;
use crate::fs::mount::Mount;
use crate::fs::open::{Allocation, Kind, MAX_SIZE, OpenFile, Order, Status, Step};
use crate::fs::place::Place;

/// A regular file that somebody opened.
struct Opened {
    node: Arc<Node>,
    access: Access,
    mount: Arc<Mount>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

/// Opens `node`, which is a regular file.
pub(super) fn open(node: Arc<Node>, place: &Place, flags: u32) -> Result<Arc<OpenFile>, Errno> {
    let access = match flags & O_ACCMODE {
        O_RDONLY => Access::Read,
        _ => Access::Write,
    };
    if access == Access::Write {
        let regular = node.regular().ok_or(Errno::EINVAL)?;
        regular.users.begin_writing()?;
    }
    let mount = place.mount.clone();
    let opened = Opened {
        node,
        access,
        mount,
    };
    OpenFile::at(place, opened, flags)
}

impl Opened {
    fn regular(&self) -> &Regular {
        let is = "only regular files are opened as such";
        self.node.regular().expect(is)
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if self.access == Access::Write {
            self.regular().users.end_writing();
        }
    }
}

impl Kind for Opened {
    fn status(&self) -> Status {
        self.node.status()
    }

    fn order(&self) -> Order {
        Order::Random(self.regular().pages().size())
    }

    fn is_regular(&self) -> bool {
        true
    }

    fn read(&self, at: u64, into: &mut Buffers<'_>) -> Result<Step, Errno> {
        // Once a call is enough.
        if into.moved() == 0 && self.mount.notes_access() {
            self.node.note_access();
        }
        self.regular().read(&self.node.card, at, into)
    }

    fn writers_turn(&self) -> Option<Turn<'_, ()>> {
        Some(self.regular().writing.enter())
    }

    fn write(&self, at: u64, from: &mut Buffers<'_>) -> Result<Step, Errno> {
        if from.left() == 0 {
            return Ok(Step::Done);
        }
        if at >= MAX_SIZE {
            return Err(Errno::EFBIG);
        }
        let most = from.left().min(MAX_SIZE - at) as usize;
        let whose = (&*self.node.volume, &*self.node.card);
        // Linux: also where nothing can be written.
        self.node.note_change();
        self.regular().write(whose, at, most, from)?;
        Ok(Step::More)
    }

    fn pages(&self) -> Option<&Arc<CachedFile>> {
        Some(self.regular().pages())
    }

    fn set_size(&self, size: u64) -> Result<(), Errno> {
        self.node.set_size(size)
    }

    fn allocate(&self, bytes: Range<u64>, how: Allocation) -> Result<(), Errno> {
        let whose = (&*self.node.volume, &*self.node.card);
        let allocated = self.regular().allocate(whose, bytes, how);
        self.regular().note_pages(&self.node.volume);
        allocated?;
        self.node.note_change();
        Ok(())
    }

    fn next_data(&self, at: u64) -> Option<u64> {
        self.regular().next_data(&self.node.card, at)
    }

    fn next_hole(&self, at: u64) -> Option<u64> {
        self.regular().next_hole(&self.node.card, at)
    }
}
