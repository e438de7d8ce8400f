//! Names come and go: link, unlink, rmdir; and an inode goes when the caller says that nobody has it open.
//!
//! An inode's count of links is never lower than its entries on the disk: it goes up before an entry is made and down
//! after one is gone. A power cut leaves it too high, which e2fsck corrects.
use crate::create::MOST_LINKS;
use crate::disk::Disk;
use crate::error::Error;
use crate::folder::{NewEntry, check_name};
use crate::inode::{Inode, Kind};
use crate::volume::Volume;

/// What lost a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Its inode.
    pub number: u32,
    /// Names that it still has: with none, [`Volume::free`] is due when nobody has it open.
    pub links: u16,
}

impl<D: Disk> Volume<D> {
    /// Gives inode `number`, which is no folder, another name.
    pub fn link(&self, folder: u32, name: &[u8], number: u32, now: u32) -> Result<(), Error> {
        self.demand_write()?;
        let mut folder = self.folder(folder)?;
        let room = self.room(&folder, name)?;
        let mut inode = self.inode(number)?;
        if inode.kind == Kind::Folder {
            return Err(Error::IsAFolder);
        }
        if inode.links >= MOST_LINKS {
            return Err(Error::TooManyLinks);
        }
        let before = inode.attributes.changed;
        inode.links += 1;
        inode.attributes.changed = now.cast_signed();
        self.write_inode(&inode)?;
        let entry = NewEntry {
            name,
            number,
            kind: inode.kind,
        };
        let added = self.add(&mut folder, room, entry, now);
        if added.is_err() {
            inode.links -= 1;
            inode.attributes.changed = before;
            let _ = self.write_inode(&inode);
        }
        added
    }

    /// Removes entry `name` of `folder`, which names no folder.
    pub fn unlink(&self, folder: u32, name: &[u8], now: u32) -> Result<Removed, Error> {
        self.demand_write()?;
        check_name(name)?;
        let mut folder = self.folder(folder)?;
        let found = self.find(&folder, name)?;
        if self.inode(found.number)?.kind == Kind::Folder {
            return Err(Error::IsAFolder);
        }
        self.remove_entry(&mut folder, &found, now)?;
        self.lose_name(found.number, now)
    }

    /// Removes the empty folder that `name` means in `folder`.
    pub fn remove_folder(&self, folder: u32, name: &[u8], now: u32) -> Result<Removed, Error> {
        self.demand_write()?;
        check_name(name)?;
        let mut folder = self.folder(folder)?;
        let found = self.find(&folder, name)?;
        if self.inode(found.number)?.kind != Kind::Folder {
            return Err(Error::NotAFolder);
        }
        if !self.is_empty(found.number)? {
            return Err(Error::NotEmpty);
        }
        self.remove_entry(&mut folder, &found, now)?;
        let removed = self.lose_name(found.number, now)?;
        self.change_links(folder.number, -1)?;
        Ok(removed)
    }

    /// An entry that named inode `number` is gone; of a folder that was its only one.
    pub(crate) fn lose_name(&self, number: u32, now: u32) -> Result<Removed, Error> {
        let mut inode = self.inode(number)?;
        inode.links = match inode.kind {
            Kind::Folder => 0,
            _ => inode.links.saturating_sub(1),
        };
        inode.attributes.changed = now.cast_signed();
        self.write_inode(&inode)?;
        Ok(Removed {
            number,
            links: inode.links,
        })
    }

    /// Frees inode `number`, which has no name any more and which nobody has open, with all its blocks.
    pub fn free(&self, number: u32, now: u32) -> Result<(), Error> {
        self.demand_write()?;
        let mut inode = self.inode(number)?;
        if inode.links > 0 {
            return Err(Error::Invalid);
        }
        self.discard(&mut inode, now)
    }

    /// The same for an inode at hand: it is marked as deleted, loses its blocks, then its number. Where something is wrong
    /// with its blocks, the others are left to e2fsck, and the inode goes all the same.
    pub(crate) fn discard(&self, inode: &mut Inode, now: u32) -> Result<(), Error> {
        let has_blocks = self.has_blocks(inode);
        // A time that e2fsck does not take for the number of an inode.
        inode.deleted = now.max(self.geometry.inodes);
        inode.size = 0;
        self.write_inode(inode)?;
        let released = if has_blocks {
            self.release_blocks(inode, 0)
        } else {
            Ok(())
        };
        let released = released.and(self.release_attributes(inode));
        self.give_back_inode(inode.number, inode.kind).and(released)
    }
}
