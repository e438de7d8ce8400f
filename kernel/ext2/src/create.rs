//! Something new with a name: the inode first, then the entry.
use crate::disk::Disk;
use crate::error::Error;
use crate::folder::{NewEntry, Room};
use crate::inode::{Attributes, Inode, Kind};
use crate::link::SHORT;
use crate::volume::Volume;

/// The most links that an inode can have.
pub const MOST_LINKS: u16 = 32_000;

/// Flags that what is new gets from its folder, and of them those that make sense for folders and files only.
const INHERITED: u32 = 0x0001_c6cf;
const FOR_FOLDERS: u32 = 0x0001_0000;
const FOR_OTHERS: u32 = 0xc0;

/// What shall be made.
#[derive(Clone, Copy, Debug)]
pub struct New<'a> {
    /// Mode with the type, owner and times.
    pub attributes: Attributes,
    /// Where it leads, if it is a symbolic link.
    pub target: &'a [u8],
    /// Major and minor number, if it is a device.
    pub device: (u32, u32),
}

impl<D: Disk> Volume<D> {
    /// Makes `new` in `folder` under `name`, and returns the number of its inode.
    pub fn create(&self, folder: u32, name: &[u8], new: &New<'_>, now: u32) -> Result<u32, Error> {
        self.demand_write()?;
        let mut folder = self.folder(folder)?;
        let room = self.room(&folder, name)?;
        let kind = Kind::of_mode(new.attributes.mode).ok_or(Error::Invalid)?;
        if kind == Kind::Folder && folder.links >= MOST_LINKS {
            return Err(Error::TooManyLinks);
        }
        let mut inode = self.new_inode(&folder, kind, new)?;
        let entry = NewEntry {
            name,
            number: inode.number,
            kind,
        };
        let made = self
            .fill(&mut inode, folder.number, new)
            .and_then(|()| self.announce(&mut folder, room, entry, now));
        match made {
            Ok(()) => Ok(inode.number),
            Err(error) => {
                inode.links = 0;
                // Should that fail too, e2fsck finds it.
                let _ = self.discard(&mut inode, now);
                Err(error)
            }
        }
    }

    /// Makes a file that has no name, and that `link` may give one. After a power cut e2fsck gives it back, as it does with
    /// what was open when its last name went.
    pub fn create_unnamed(&self, folder: u32, new: &New<'_>) -> Result<u32, Error> {
        self.demand_write()?;
        let folder = self.folder(folder)?;
        if Kind::of_mode(new.attributes.mode) != Some(Kind::File) {
            return Err(Error::Invalid);
        }
        let inode = self.new_inode(&folder, Kind::File, new)?;
        self.write_inode(&inode)?;
        Ok(inode.number)
    }

    fn new_inode(&self, folder: &Inode, kind: Kind, new: &New<'_>) -> Result<Inode, Error> {
        let number = self.take_inode(folder, kind)?;
        let mut inode = Inode::new(number, kind, new.attributes);
        inode.flags = folder.flags & INHERITED;
        match kind {
            Kind::Folder => {}
            Kind::File => inode.flags &= !FOR_FOLDERS,
            _ => inode.flags &= FOR_OTHERS,
        }
        if let Err(error) = self.wipe(&mut inode) {
            let _ = self.give_back_inode(number, kind);
            return Err(error);
        }
        Ok(inode)
    }

    /// Gives the new `inode` what it is to hold, and writes it.
    fn fill(&self, inode: &mut Inode, parent: u32, new: &New<'_>) -> Result<(), Error> {
        inode.links = 1;
        match inode.kind {
            Kind::Folder => {
                inode.links = 2;
                let block = self.first_block_of(inode.number, parent)?;
                return self.append_block(inode, &block, block.len() as u64);
            }
            Kind::Link => return self.fill_link(inode, new.target),
            Kind::CharacterDevice | Kind::BlockDevice => inode.set_device(new.device),
            Kind::File | Kind::Pipe | Kind::Socket => {}
        }
        self.write_inode(inode)
    }

    fn fill_link(&self, inode: &mut Inode, target: &[u8]) -> Result<(), Error> {
        if target.is_empty() {
            return Err(Error::Invalid);
        }
        let length = target.len();
        if length < SHORT {
            let mut bytes = [0; SHORT];
            bytes[..length].copy_from_slice(target);
            for (pointer, word) in inode.pointers.iter_mut().zip(bytes.as_chunks().0) {
                *pointer = u32::from_le_bytes(*word);
            }
            inode.size = length as u64;
            return self.write_inode(inode);
        }
        let mut block = self.block_buffer()?;
        if length >= block.len() {
            return Err(Error::NameTooLong);
        }
        block[..length].copy_from_slice(target);
        self.append_block(inode, &block, length as u64)
    }

    /// Adds the entry for what is new, and counts a folder's `..`.
    fn announce(
        &self,
        folder: &mut Inode,
        room: Room,
        entry: NewEntry<'_>,
        now: u32,
    ) -> Result<(), Error> {
        if entry.kind != Kind::Folder {
            return self.add(folder, room, entry, now);
        }
        folder.links = folder.links.saturating_add(1);
        self.write_inode(folder)?;
        let added = self.add(folder, room, entry, now);
        if added.is_err() {
            // As it was on the disk: what `add` changed of it is not true.
            let _ = self.change_links(folder.number, -1);
        }
        added
    }

    /// Adds `change` to the links of inode `number`.
    pub(crate) fn change_links(&self, number: u32, change: i16) -> Result<Inode, Error> {
        let mut inode = self.inode(number)?;
        inode.links = inode.links.saturating_add_signed(change);
        self.write_inode(&inode)?;
        Ok(inode)
    }
}
