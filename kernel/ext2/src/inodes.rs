//! Inodes, taken and given back, and where new ones go.
//!
//! As in Linux's ext2, files go to the group of their folder, and so do folders while there is room; but what is in the
//! root is spread over the groups, since unlike things begin there (Orlov's idea).
use crate::bitmap;
use crate::disk::Disk;
use crate::error::Error;
use crate::group::Group;
use crate::inode::{INODE, Inode, Kind, ROOT};
use crate::superblock::Count;
use crate::volume::Volume;

/// Where in an inode `i_generation` is.
const GENERATION: u64 = 100;

impl<D: Disk> Volume<D> {
    /// Takes an inode for something new in `folder`, and returns its number.
    pub(crate) fn take_inode(&self, folder: &Inode, kind: Kind) -> Result<u32, Error> {
        let (parents, _) = self.place_of(folder.number)?;
        let first = match kind {
            Kind::Folder if folder.number == ROOT => self.emptiest_group()?,
            Kind::Folder => self.roomy_group(parents)?,
            _ => parents,
        };
        for group in self.groups_from(first) {
            let mut descriptor = self.group(group)?;
            if descriptor.free_inodes == 0 {
                continue;
            }
            if let Some(number) = self.take_inode_in(group, &mut descriptor, kind)? {
                return Ok(number);
            }
        }
        Err(Error::NoSpace)
    }

    fn take_inode_in(
        &self,
        group: u64,
        descriptor: &mut Group,
        kind: Kind,
    ) -> Result<Option<u32>, Error> {
        let mut bits = self.block_buffer()?;
        let bitmap_at = self.byte_of(descriptor.inode_bitmap);
        self.disk.read(bitmap_at, &mut bits)?;
        let per_group = u64::from(self.geometry.inodes_per_group);
        let Some(bit) = bitmap::first_clear(&bits, 0..per_group) else {
            return Ok(None);
        };
        let number = (group * per_group + bit + 1) as u32;
        if number < self.geometry.first_inode {
            return Err(self.corrupt());
        }
        bitmap::set(&mut bits, bit..bit + 1);
        let byte = (bit / 8) as usize;
        self.disk.write(bitmap_at + bit / 8, &bits[byte..=byte])?;
        descriptor.free_inodes = descriptor.free_inodes.saturating_sub(1);
        if kind == Kind::Folder {
            descriptor.folders = descriptor.folders.saturating_add(1);
        }
        self.write_counts(group, descriptor)?;
        self.change_count(Count::FreeInodes, -1)?;
        Ok(Some(number))
    }

    /// Gives inode `number` back, which was a `kind`.
    pub(crate) fn give_back_inode(&self, number: u32, kind: Kind) -> Result<(), Error> {
        let (group, index) = self.place_of(number)?;
        let mut descriptor = self.group(group)?;
        let cleared = self.clear_bits(self.byte_of(descriptor.inode_bitmap), index..index + 1)?;
        if cleared == 0 {
            return Err(self.corrupt());
        }
        descriptor.free_inodes = descriptor.free_inodes.saturating_add(1);
        if kind == Kind::Folder {
            descriptor.folders = descriptor.folders.saturating_sub(1);
        }
        self.write_counts(group, &descriptor)?;
        self.change_count(Count::FreeInodes, 1)
    }

    /// Among the groups with as many free inodes and blocks as others have, the one with the fewest folders.
    fn emptiest_group(&self) -> Result<u64, Error> {
        let (inodes, blocks) = self.average()?;
        let mut best = (u16::MAX, 0);
        for group in 0..self.geometry.groups {
            let descriptor = self.group(group)?;
            let has_room = u64::from(descriptor.free_inodes) >= inodes
                && u64::from(descriptor.free_blocks) >= blocks;
            if has_room && descriptor.folders < best.0 {
                best = (descriptor.folders, group);
            }
        }
        Ok(best.1)
    }

    /// The first group from `first` on that has a quarter of the free inodes and blocks that others have.
    fn roomy_group(&self, first: u64) -> Result<u64, Error> {
        let (inodes, blocks) = self.average()?;
        for group in self.groups_from(first) {
            let descriptor = self.group(group)?;
            if u64::from(descriptor.free_inodes) > inodes / 4
                && u64::from(descriptor.free_blocks) > blocks / 4
            {
                return Ok(group);
            }
        }
        Ok(first)
    }

    /// How many free inodes and blocks a group has, on average.
    fn average(&self) -> Result<(u64, u64), Error> {
        let inodes = u64::from(self.count(Count::FreeInodes)?);
        let blocks = u64::from(self.count(Count::FreeBlocks)?);
        let groups = self.geometry.groups;
        Ok((inodes / groups, blocks / groups))
    }

    /// Clears what an inode's place has behind what is used here, and gives it a new generation.
    pub(crate) fn wipe(&self, inode: &mut Inode) -> Result<(), Error> {
        let at = self.inode_at(inode.number)?;
        let mut generation = [0; 4];
        self.disk.read(at + GENERATION, &mut generation)?;
        inode.generation = u32::from_le_bytes(generation).wrapping_add(1);
        let zeroes = [0; 64];
        let rest = at + INODE as u64..at + self.geometry.inode_size;
        for at in rest.step_by(zeroes.len()) {
            self.disk.write(at, &zeroes)?;
        }
        Ok(())
    }
}
