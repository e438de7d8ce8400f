//! An open regular file.
use alloc::sync::Arc;
use core::ops::Range;

use abi::Errno;
use abi::general::{O_ACCMODE, O_RDONLY};
use mm::page_cache::CachedFile;

use super::regular::Regular;
use super::{Node, direct};
use crate::fs::buffers::Buffers;
use crate::fs::gate::Turn;
use crate::fs::inode::Inode;
use crate::fs::mount::Mount;
use crate::fs::open::{Allocation, Kind, MAX_SIZE, OpenFile, Order, Status, Step};
use crate::fs::paged::{self, Reader, flusher};
use crate::fs::place::Place;

/// A regular file that somebody opened.
struct Opened {
    node: Arc<Node>,
    mount: Arc<Mount>,
    flags: u32,
    reader: Reader,
}

/// Opens `node`, which is a regular file.
pub(super) fn open(node: Arc<Node>, place: &Place, flags: u32) -> Result<Arc<OpenFile>, Errno> {
    let regular = node.regular().ok_or(Errno::EINVAL)?;
    if is_writer(flags) {
        regular.users.begin_writing()?;
    }
    let opened = Opened {
        node,
        mount: place.mount.clone(),
        flags,
        reader: Reader::new(),
    };
    OpenFile::at(place, opened, flags)
}

fn is_writer(flags: u32) -> bool {
    flags & O_ACCMODE != O_RDONLY
}

impl Opened {
    fn regular(&self) -> &Regular {
        let is = "only regular files are opened as such";
        self.node.regular().expect(is)
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if is_writer(self.flags) {
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
        self.reader.read(self.regular().pages(), at, into)
    }

    fn read_direct(&self, at: u64, into: &mut Buffers<'_>) -> Result<Step, Errno> {
        if self.mount.notes_access() {
            self.node.note_access();
        }
        paged::direct::read(self.regular().pages(), at, into)?;
        Ok(Step::Done)
    }

    fn write_direct(&self, at: u64, from: &mut Buffers<'_>) -> Result<Step, Errno> {
        if at >= MAX_SIZE && from.left() > 0 {
            return Err(Errno::EFBIG);
        }
        from.limit(MAX_SIZE - at);
        direct::write(self.regular(), &self.node.card, at, from)?;
        Ok(Step::Done)
    }

    fn writers_turn(&self) -> Option<Turn<'_, ()>> {
        Some(self.node.card.writing.enter())
    }

    fn write(&self, at: u64, from: &mut Buffers<'_>) -> Result<Step, Errno> {
        if from.left() == 0 {
            return Ok(Step::Done);
        }
        if at >= MAX_SIZE {
            return Err(Errno::EFBIG);
        }
        flusher::balance()?;
        let most = from.left().min(MAX_SIZE - at) as usize;
        self.regular().write(&self.node.card, at, most, from)
    }

    fn reader(&self) -> Option<&Reader> {
        Some(&self.reader)
    }

    fn pages(&self) -> Option<&Arc<CachedFile>> {
        Some(self.regular().pages())
    }

    fn set_size(&self, size: u64) -> Result<(), Errno> {
        self.node.set_size(size)
    }

    /// As Linux's ext2 answers, which has no such thing.
    fn allocate(&self, _bytes: Range<u64>, _how: Allocation) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }
}
