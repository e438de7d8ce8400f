//! A group's descriptor: where its bitmaps and inodes are, and how much of them is free.
use core::ops::Range;

use crate::bytes::{put_u16, u16_at, u32_at};
use crate::disk::Disk;
use crate::error::Error;
use crate::geometry::DESCRIPTOR;
use crate::volume::Volume;

/// `ext2_group_desc`, checked: the bitmaps and inodes are inside of the group.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) block_bitmap: u64,
    pub(crate) inode_bitmap: u64,
    pub(crate) inode_table: u64,
    pub(crate) free_blocks: u16,
    pub(crate) free_inodes: u16,
    pub(crate) folders: u16,
}

impl Group {
    fn parse(bytes: &[u8; DESCRIPTOR as usize]) -> Self {
        Self {
            block_bitmap: u32_at(bytes, 0).into(),
            inode_bitmap: u32_at(bytes, 4).into(),
            inode_table: u32_at(bytes, 8).into(),
            free_blocks: u16_at(bytes, 12),
            free_inodes: u16_at(bytes, 14),
            folders: u16_at(bytes, 16),
        }
    }
}

impl<D: Disk> Volume<D> {
    /// The descriptor of `group`.
    pub(crate) fn group(&self, group: u64) -> Result<Group, Error> {
        let mut bytes = [0; DESCRIPTOR as usize];
        let at = self.geometry.descriptor_at(group);
        self.disk.read(at, &mut bytes)?;
        let descriptor = Group::parse(&bytes);
        if self.is_inside(group, &descriptor) {
            Ok(descriptor)
        } else {
            Err(self.corrupt())
        }
    }

    /// Writes the counts of `group`, which are all that changes.
    pub(crate) fn write_counts(&self, group: u64, counts: &Group) -> Result<(), Error> {
        let mut bytes = [0; 6];
        put_u16(&mut bytes, 0, counts.free_blocks);
        put_u16(&mut bytes, 2, counts.free_inodes);
        put_u16(&mut bytes, 4, counts.folders);
        self.disk
            .write(self.geometry.descriptor_at(group) + 12, &bytes)
    }

    /// Looks at all descriptors once, so that a damaged volume is refused before anything depends on it.
    pub(crate) fn check_descriptors(&self) -> Result<(), Error> {
        (0..self.geometry.groups).try_for_each(|group| self.group(group).map(drop))
    }

    fn is_inside(&self, group: u64, descriptor: &Group) -> bool {
        let start = self.geometry.start_of(group);
        let blocks = start..start + self.geometry.blocks_in(group);
        let holds = |part: Range<u64>| blocks.start <= part.start && part.end <= blocks.end;
        self.owned(descriptor).into_iter().all(holds)
    }

    /// The blocks of its group that are the file system's own, beside copies of superblock and descriptors.
    pub(crate) fn owned(&self, descriptor: &Group) -> [Range<u64>; 3] {
        let table = descriptor.inode_table;
        [
            descriptor.block_bitmap..descriptor.block_bitmap + 1,
            descriptor.inode_bitmap..descriptor.inode_bitmap + 1,
            table..table + self.geometry.inode_blocks(),
        ]
    }
}
