//! Folders: files of entries. An entry is the number of an inode, its own length, the length of a name, a type, the name:
//!
//! ```text
//! byte   0        4          6        7      8
//!        inode    rec_len    length   type   name ...        where entries have no type, the length is bytes 6 and 7
//! ```
//! Entries fill each block to its end and never leave it: what is removed becomes room behind the entry before, or, at the
//! start of a block, an entry of inode 0. An index of names, as ext3 has, looks like such entries and is passed over.
mod add;
mod list;
mod remove;

use alloc::vec::Vec;
use core::ops::ControlFlow;

use crate::bytes::{u16_at, u32_at};
use crate::disk::Disk;
use crate::error::Error;
use crate::inode::{Inode, Kind};
use crate::volume::Volume;

pub(crate) use add::{NewEntry, Room, check_name};
pub use list::Listed;

/// Bytes of an entry before its name.
const HEADER: usize = 8;

/// The longest name.
pub const LONGEST_NAME: usize = 255;

/// An entry in a block, checked: its name is inside of it, and it is inside of the block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    /// Where in the block it begins, and how long it is.
    pub(crate) at: usize,
    pub(crate) length: usize,
    /// The inode; 0 where it names none.
    pub(crate) number: u32,
    pub(crate) kind: Option<Kind>,
    pub(crate) name: &'a [u8],
}

impl Entry<'_> {
    /// How many of its bytes it needs for itself.
    fn used(&self) -> usize {
        if self.number == 0 {
            0
        } else {
            room_for(self.name)
        }
    }

    fn end(&self) -> usize {
        self.at + self.length
    }

    fn is(&self, name: &[u8]) -> bool {
        self.number != 0 && self.name == name
    }
}

/// How many bytes an entry called `name` needs.
fn room_for(name: &[u8]) -> usize {
    (HEADER + name.len()).next_multiple_of(4)
}

/// A block of a folder.
pub(crate) struct FolderBlock {
    /// The byte of the disk at which it begins.
    pub(crate) place: u64,
    pub(crate) bytes: Vec<u8>,
}

/// An entry that was found: what it names, and its block for whoever changes it.
pub(crate) struct Found {
    pub(crate) number: u32,
    pub(crate) block: FolderBlock,
    /// Where in the block it begins.
    pub(crate) at: usize,
}

impl<D: Disk> Volume<D> {
    /// The inode that `name` means in `folder`. `.` and `..` are entries like others.
    pub fn lookup(&self, folder: u32, name: &[u8]) -> Result<u32, Error> {
        let folder = self.folder(folder)?;
        Ok(self.find(&folder, name)?.number)
    }

    /// Whether `folder` has entries but `.` and `..`.
    pub fn is_empty(&self, folder: u32) -> Result<bool, Error> {
        let folder = self.folder(folder)?;
        let mut block = self.folder_block()?;
        let other = self.scan(&folder, 0, &mut block, |_, entry| {
            let is_other = entry.number != 0 && entry.name != b"." && entry.name != b"..";
            if is_other {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        Ok(other.is_none())
    }

    /// The entry called `name`.
    pub(crate) fn find(&self, folder: &Inode, name: &[u8]) -> Result<Found, Error> {
        let mut block = self.folder_block()?;
        let found = self.scan(folder, 0, &mut block, |_, entry| {
            if entry.is(name) {
                ControlFlow::Break((entry.number, entry.at))
            } else {
                ControlFlow::Continue(())
            }
        })?;
        let (number, at) = found.ok_or(Error::NotFound)?;
        Ok(Found { number, block, at })
    }

    /// Room for a block of a folder.
    pub(crate) fn folder_block(&self) -> Result<FolderBlock, Error> {
        let bytes = self.block_buffer()?;
        Ok(FolderBlock { place: 0, bytes })
    }

    /// Zeroes for a block.
    pub(crate) fn block_buffer(&self) -> Result<Vec<u8>, Error> {
        let size = self.geometry.block_size as usize;
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(size)
            .map_err(|_| Error::OutOfMemory)?;
        bytes.resize(size, 0);
        Ok(bytes)
    }

    /// Shows `visit` the entries from block number `first` of `folder` on, each with the number of its block, until it
    /// breaks. Then `block` is that in which it broke.
    pub(crate) fn scan<T>(
        &self,
        folder: &Inode,
        first: u64,
        block: &mut FolderBlock,
        mut visit: impl FnMut(u64, &Entry<'_>) -> ControlFlow<T>,
    ) -> Result<Option<T>, Error> {
        for number in first..self.blocks_of(folder)? {
            self.read_folder_block(folder, number, block)?;
            let mut at = 0;
            while at < block.bytes.len() {
                let entry = self.entry(&block.bytes, at).ok_or_else(|| self.corrupt())?;
                if let ControlFlow::Break(value) = visit(number, &entry) {
                    return Ok(Some(value));
                }
                at = entry.end();
            }
        }
        Ok(None)
    }

    /// How many blocks `folder` has.
    pub(crate) fn blocks_of(&self, folder: &Inode) -> Result<u64, Error> {
        let size = self.geometry.block_size;
        let blocks = folder.size / size;
        if folder.size.is_multiple_of(size) && blocks <= self.geometry.blocks {
            Ok(blocks)
        } else {
            Err(self.corrupt())
        }
    }

    fn read_folder_block(
        &self,
        folder: &Inode,
        number: u64,
        block: &mut FolderBlock,
    ) -> Result<(), Error> {
        let size = self.geometry.block_size;
        let run = self.run(folder, number * size, size)?;
        block.place = run.at.ok_or_else(|| self.corrupt())?;
        self.disk.read(block.place, &mut block.bytes)
    }

    /// The entry that begins at `at`; `None` where none can.
    pub(crate) fn entry<'a>(&self, block: &'a [u8], at: usize) -> Option<Entry<'a>> {
        let bytes = block.get(at..)?;
        let header = bytes.first_chunk::<HEADER>()?;
        let (number, length) = (u32_at(header, 0), usize::from(u16_at(header, 4)));
        let (name, kind) = if self.geometry.has_filetype {
            (header[6].into(), Kind::of_entry(header[7]))
        } else {
            (usize::from(u16_at(header, 6)), None)
        };
        let name = bytes.get(HEADER..HEADER + name)?;
        let holds = length.is_multiple_of(4)
            && length >= room_for(name).max(HEADER + 4)
            && length <= bytes.len()
            && name.len() <= LONGEST_NAME
            && number <= self.geometry.inodes;
        holds.then_some(Entry {
            at,
            length,
            number,
            kind,
            name,
        })
    }
}
