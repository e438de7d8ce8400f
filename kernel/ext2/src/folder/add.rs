//! A new entry: in the room behind another, in a removed one's place, or in a new block.
//!
//! Room is looked for first and filled last, when what the entry names is on its way to the disk. The entry and the one
//! that made room for it are written as one.
use core::ops::ControlFlow;

use super::{FolderBlock, HEADER, LONGEST_NAME, room_for};
use crate::bytes::{put_u16, put_u32};
use crate::disk::Disk;
use crate::error::Error;
use crate::inode::{INDEX, Inode, Kind};
use crate::volume::Volume;

/// Where an entry can go.
pub(crate) enum Room {
    /// Behind what the entry at `at` needs, `used` bytes, in the `length` bytes that it has.
    Here {
        block: FolderBlock,
        at: usize,
        used: usize,
        length: usize,
    },
    /// In a block of its own.
    NewBlock,
}

/// What an entry says.
#[derive(Clone, Copy)]
pub(crate) struct NewEntry<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) number: u32,
    pub(crate) kind: Kind,
}

impl<D: Disk> Volume<D> {
    /// Room in `folder` for an entry called `name`; [`Error::Exists`] where there is one.
    pub(crate) fn room(&self, folder: &Inode, name: &[u8]) -> Result<Room, Error> {
        check_name(name)?;
        if folder.links == 0 {
            return Err(Error::NotFound);
        }
        match self.find(folder, name) {
            Ok(_) => return Err(Error::Exists),
            Err(Error::NotFound) => {}
            Err(error) => return Err(error),
        }
        let mut block = self.folder_block()?;
        let wanted = room_for(name);
        let found = self.scan(folder, 0, &mut block, |_, entry| {
            let used = entry.used();
            if entry.length >= used + wanted {
                ControlFlow::Break((entry.at, used, entry.length))
            } else {
                ControlFlow::Continue(())
            }
        })?;
        Ok(match found {
            Some((at, used, length)) => Room::Here {
                block,
                at,
                used,
                length,
            },
            None => Room::NewBlock,
        })
    }

    /// Fills `room` of `folder` with `new`.
    pub(crate) fn add(
        &self,
        folder: &mut Inode,
        room: Room,
        new: NewEntry<'_>,
        now: u32,
    ) -> Result<(), Error> {
        self.begin_change(folder, now)?;
        match room {
            Room::Here {
                mut block,
                at,
                used,
                length,
            } => {
                if used > 0 {
                    put_u16(&mut block.bytes, at + 4, used as u16);
                }
                self.encode(&mut block.bytes, at + used, length - used, new);
                let changed = at..at + used + room_for(new.name);
                let place = block.place + at as u64;
                self.disk.write(place, &block.bytes[changed])
            }
            Room::NewBlock => {
                let mut bytes = self.block_buffer()?;
                let length = bytes.len();
                self.encode(&mut bytes, 0, length, new);
                let size = folder.size + length as u64;
                self.append_block(folder, &bytes, size)
            }
        }
    }

    /// The first block of folder `number` in `parent`.
    pub(crate) fn first_block_of(
        &self,
        number: u32,
        parent: u32,
    ) -> Result<alloc::vec::Vec<u8>, Error> {
        let mut bytes = self.block_buffer()?;
        let (kind, own) = (Kind::Folder, room_for(b"."));
        let rest = bytes.len() - own;
        self.encode(
            &mut bytes,
            0,
            own,
            NewEntry {
                name: b".",
                number,
                kind,
            },
        );
        self.encode(
            &mut bytes,
            own,
            rest,
            NewEntry {
                name: b"..",
                number: parent,
                kind,
            },
        );
        Ok(bytes)
    }

    /// Writes an entry of `length` bytes to `block`, from byte `at` on.
    fn encode(&self, block: &mut [u8], at: usize, length: usize, new: NewEntry<'_>) {
        put_u32(block, at, new.number);
        put_u16(block, at + 4, length as u16);
        put_u16(block, at + 6, new.name.len() as u16);
        if self.geometry.has_filetype
            && let Some(kind) = block.get_mut(at + 7)
        {
            *kind = new.kind.entry();
        }
        if let Some(place) = block.get_mut(at + HEADER..at + HEADER + new.name.len()) {
            place.copy_from_slice(new.name);
        }
    }

    /// The entries of `folder` are about to change: it is stamped, and an index of their names becomes untrue. All that is
    /// written before the entry, so that whatever fails, an entry is there or not as the caller was told.
    pub(crate) fn begin_change(&self, folder: &mut Inode, now: u32) -> Result<(), Error> {
        folder.flags &= !INDEX;
        folder.touch(now);
        self.write_inode(folder)
    }
}

/// Whether an entry may be made, moved or removed under this name.
pub(crate) fn check_name(name: &[u8]) -> Result<(), Error> {
    match name {
        b"" | b"." | b".." => Err(Error::Invalid),
        name if name.len() > LONGEST_NAME => Err(Error::NameTooLong),
        name if name.iter().any(|byte| matches!(byte, 0 | b'/')) => Err(Error::Invalid),
        _ => Ok(()),
    }
}
