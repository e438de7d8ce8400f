//! Open files that are opened once more, by way of `/proc/PID/fd`: a position of its own, and else the same.
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::ops::Range;

use abi::Errno;
use abi::general::{S_IFIFO, S_IFMT};
use mm::page_cache::CachedFile;

use super::buffers::Buffers;
use super::gate::Turn;
use super::inode::{Change, Inode, Whereabouts, extend, extend_number};
use super::memfd::Memfd;
use super::open::{Allocation, Kind, OpenFile, Order, Status, Step, Wakes};
use super::pipe::Pipe;
use super::place::Place;
use crate::block::Volume;

/// An open file that no path leads to, as something that can be opened.
struct Nameless(Arc<OpenFile>);

/// The same file, opened once more.
struct Again(Arc<OpenFile>);

/// Where `file` was opened, or a place from which it can be opened again.
pub(crate) fn place_of(file: Arc<OpenFile>) -> Result<Place, Errno> {
    if let Some(place) = &file.place {
        return Ok(place.clone());
    }
    let inode = Arc::try_new(Nameless(file)).map_err(|_| Errno::ENOMEM)?;
    Ok(Place {
        inode,
        ..Place::root()
    })
}

impl Inode for Nameless {
    fn status(&self) -> Status {
        self.0.kind.status()
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn open(self: Arc<Self>, _place: &Place, flags: u32) -> Result<Arc<OpenFile>, Errno> {
        let file = OpenFile::try_new(Again(self.0.clone()), flags);
        file.map_err(|_| Errno::ENOMEM)
    }

    fn set_size(&self, size: u64) -> Result<(), Errno> {
        self.0.kind.set_size(size)
    }

    fn change(&self, change: Change) -> Result<(), Errno> {
        self.0.kind.change(change)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
        let memfd = self.0.kind.memfd().ok_or(Errno::EINVAL)?;
        let memory = crate::arch::memory::memory();
        Ok(memfd.file().read_at(memory, offset, buffer))
    }

    /// Not a path, but what Linux shows in the place of one.
    fn write_path(&self, path: &mut Vec<u8>) -> Result<Whereabouts, Errno> {
        let status = self.0.kind.status();
        if let Some(memfd) = self.0.kind.memfd() {
            extend(path, b"/memfd:")?;
            extend(path, memfd.file().name().unwrap_or_default())?;
            return Ok(Whereabouts::Removed);
        }
        if status.mode & S_IFMT != S_IFIFO {
            extend(path, b"/dev/console")?;
            return Ok(Whereabouts::There);
        }
        extend(path, b"pipe:[")?;
        extend_number(path, status.number)?;
        extend(path, b"]")?;
        Ok(Whereabouts::There)
    }

    fn begin_execution(&self) -> Result<(), Errno> {
        self.0.kind.memfd().map(drop).ok_or(Errno::EACCES)
    }
}

impl Kind for Again {
    fn status(&self) -> Status {
        self.0.kind.status()
    }

    fn order(&self) -> Order {
        self.0.kind.order()
    }

    fn read(&self, at: u64, into: &mut Buffers<'_>) -> Result<Step, Errno> {
        self.0.kind.read(at, into)
    }

    fn write(&self, at: u64, from: &mut Buffers<'_>) -> Result<Step, Errno> {
        self.0.kind.write(at, from)
    }

    fn wakes(&self) -> Wakes {
        self.0.kind.wakes()
    }

    fn ready(&self) -> u32 {
        self.0.kind.ready()
    }

    fn unread(&self, at: u64) -> Option<u64> {
        self.0.kind.unread(at)
    }

    fn pages(&self) -> Option<&Arc<CachedFile>> {
        self.0.kind.pages()
    }

    fn is_zeroes(&self) -> bool {
        self.0.kind.is_zeroes()
    }

    fn is_regular(&self) -> bool {
        self.0.kind.is_regular()
    }

    fn writers_turn(&self) -> Option<Turn<'_, ()>> {
        self.0.kind.writers_turn()
    }

    fn set_size(&self, size: u64) -> Result<(), Errno> {
        self.0.kind.set_size(size)
    }

    fn change(&self, change: Change) -> Result<(), Errno> {
        self.0.kind.change(change)
    }

    fn allocate(&self, bytes: Range<u64>, how: Allocation) -> Result<(), Errno> {
        self.0.kind.allocate(bytes, how)
    }

    fn memfd(&self) -> Option<&Memfd> {
        self.0.kind.memfd()
    }

    fn volume(&self) -> Option<&Volume> {
        self.0.kind.volume()
    }

    fn pipe(&self) -> Option<&Pipe> {
        self.0.kind.pipe()
    }

    fn is_console(&self) -> bool {
        self.0.kind.is_console()
    }

    fn next_data(&self, at: u64) -> Option<u64> {
        self.0.kind.next_data(at)
    }

    fn next_hole(&self, at: u64) -> Option<u64> {
        self.0.kind.next_hole(at)
    }
}
