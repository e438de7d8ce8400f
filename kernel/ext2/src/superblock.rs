//! The superblock: mounting, leaving, and what it counts.
//!
//! As in Linux's ext2, a volume that is mounted for writing is not valid until it is left in order, and one that was not
//! valid before stays so until e2fsck has seen it. Only the first superblock is written; the copies are e2fsck's.
use crate::bytes::{put_u16, put_u32, u16_at, u32_at};
use crate::disk::Disk;
use crate::error::Error;
use crate::geometry::{Geometry, LARGE_FILE, SUPERBLOCK, SUPERBLOCK_BYTES};
use crate::volume::{Access, Volume};

/// `s_state`: left in order; known to be damaged.
const VALID: u16 = 1;
const DAMAGED: u16 = 2;

/// After so many mounts Linux's ext2 advises a check where the superblock has no number.
const USUAL_MOUNTS: u16 = 20;

/// Fields that are written, by what Linux calls them.
const S_FREE_BLOCKS_COUNT: u64 = 12;
const S_FREE_INODES_COUNT: u64 = 16;
const S_MTIME: usize = 44;
const S_WTIME: usize = 48;
const S_MNT_COUNT: usize = 52;
const S_MAX_MNT_COUNT: usize = 54;
const S_STATE: usize = 58;
const S_ERRORS: usize = 60;
const S_REV_LEVEL: usize = 76;
const S_FIRST_INO: usize = 84;
const S_INODE_SIZE: usize = 88;
const S_FEATURE_RO_COMPAT: usize = 100;

/// The condition that a volume was mounted in, for a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// In order.
    Clean,
    /// It was not left in order: e2fsck should be run.
    Unchecked,
    /// It is known to be damaged: e2fsck should be run.
    Damaged,
}

/// What the volume says shall be done when damage is found. To end the kernel, as Linux may, is not offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDamage {
    /// Go on.
    Continue,
    /// Write no more.
    RemountReadOnly,
}

/// What statfs(2) says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Bytes of a block.
    pub block_size: u64,
    /// Blocks without superblocks, descriptors, bitmaps and inodes.
    pub blocks: u64,
    /// Blocks that nobody has.
    pub free_blocks: u64,
    /// Without those that are reserved for root.
    pub available_blocks: u64,
    /// Inodes, reserved ones included.
    pub inodes: u64,
    /// Inodes that nobody has.
    pub free_inodes: u64,
    /// `f_fsid`.
    pub id: u64,
}

/// Which of the superblock's counts.
#[derive(Clone, Copy)]
pub(crate) enum Count {
    FreeBlocks,
    FreeInodes,
}

impl<D: Disk> Volume<D> {
    /// Mounts what is on the first `length` bytes of `disk`, at time `now` (seconds since 1970).
    pub fn mount(disk: D, length: u64, access: Access, now: u32) -> Result<Self, Error> {
        let bytes = read(&disk)?;
        let geometry = Geometry::parse(&bytes, length)?;
        let mut volume = Self {
            disk,
            geometry,
            access: Access::ReadOnly,
            state: u16_at(&bytes, S_STATE),
        };
        volume.check_descriptors()?;
        volume.remount(access, now)?;
        Ok(volume)
    }

    /// Changes what may be done. Before it becomes read-only the caller writes what files have.
    pub fn remount(&mut self, access: Access, now: u32) -> Result<(), Error> {
        match (self.access, access) {
            (Access::ReadOnly, Access::ReadWrite) if self.geometry.unknown_ro_compat == 0 => {
                self.state = self.begin_writing(now)?;
                self.access = Access::ReadWrite;
            }
            (Access::ReadWrite, Access::ReadOnly) => {
                self.end_writing(now)?;
                self.access = Access::ReadOnly;
            }
            _ => {}
        }
        Ok(())
    }

    /// Leaves the volume in order. The caller has written what files have, and syncs the disk afterwards.
    pub fn unmount(mut self, now: u32) -> Result<(), Error> {
        self.remount(Access::ReadOnly, now)
    }

    /// What it was like when it was mounted.
    pub fn condition(&self) -> Condition {
        if self.state & DAMAGED != 0 {
            Condition::Damaged
        } else if self.state & VALID == 0 {
            Condition::Unchecked
        } else {
            Condition::Clean
        }
    }

    /// What shall be done about [`Error::Corrupt`].
    pub fn on_damage(&self) -> Result<OnDamage, Error> {
        match u16_at(&read(&self.disk)?, S_ERRORS) {
            2 | 3 => Ok(OnDamage::RemountReadOnly),
            _ => Ok(OnDamage::Continue),
        }
    }

    /// What statfs(2) says.
    pub fn statistics(&self) -> Result<Statistics, Error> {
        let geometry = &self.geometry;
        let per_group = 2 + geometry.inode_blocks();
        let taken: u64 = (0..geometry.groups)
            .map(|group| geometry.copies_in(group) + per_group)
            .sum();
        let free_blocks = self.count(Count::FreeBlocks)?.into();
        let id = |half: usize| {
            let low = u32_at(&geometry.uuid, half * 8);
            u64::from(low) | u64::from(u32_at(&geometry.uuid, half * 8 + 4)) << 32
        };
        Ok(Statistics {
            block_size: geometry.block_size,
            blocks: geometry.blocks.saturating_sub(geometry.first_block + taken),
            free_blocks,
            available_blocks: free_blocks.saturating_sub(geometry.reserved_blocks),
            inodes: geometry.inodes.into(),
            free_inodes: self.count(Count::FreeInodes)?.into(),
            id: id(0) ^ id(1),
        })
    }

    /// Says in the superblock that it is written to, and returns the state that it had.
    fn begin_writing(&self, now: u32) -> Result<u16, Error> {
        let mut bytes = read(&self.disk)?;
        let state = u16_at(&bytes, S_STATE);
        put_u16(&mut bytes, S_STATE, state & !VALID);
        if u16_at(&bytes, S_MAX_MNT_COUNT) == 0 {
            put_u16(&mut bytes, S_MAX_MNT_COUNT, USUAL_MOUNTS);
        }
        let mounts = u16_at(&bytes, S_MNT_COUNT).wrapping_add(1);
        put_u16(&mut bytes, S_MNT_COUNT, mounts);
        put_u32(&mut bytes, S_MTIME, now);
        put_u32(&mut bytes, S_WTIME, now);
        self.disk.write(SUPERBLOCK, &bytes)?;
        Ok(state)
    }

    /// Gives the superblock the state that it had, with the damage that was found meanwhile.
    fn end_writing(&self, now: u32) -> Result<(), Error> {
        let mut bytes = read(&self.disk)?;
        let state = self.state | u16_at(&bytes, S_STATE) & DAMAGED;
        put_u16(&mut bytes, S_STATE, state);
        put_u32(&mut bytes, S_WTIME, now);
        self.disk.write(SUPERBLOCK, &bytes)
    }

    /// The error for what contradicts itself, after it was noted for e2fsck.
    #[cold]
    pub(crate) fn corrupt(&self) -> Error {
        if self.access == Access::ReadWrite {
            // Best effort: the error itself is told in any case.
            let _ = self.note_damage();
        }
        Error::Corrupt
    }

    fn note_damage(&self) -> Result<(), Error> {
        let mut bytes = [0; 2];
        let at = SUPERBLOCK + S_STATE as u64;
        self.disk.read(at, &mut bytes)?;
        let state = u16::from_le_bytes(bytes) | DAMAGED;
        self.disk.write(at, &state.to_le_bytes())
    }

    pub(crate) fn count(&self, which: Count) -> Result<u32, Error> {
        let mut bytes = [0; 4];
        self.disk.read(which.at(), &mut bytes)?;
        Ok(u32_at(&bytes, 0))
    }

    /// Adds `change` to a count, which stays a count whatever it was.
    pub(crate) fn change_count(&self, which: Count, change: i64) -> Result<(), Error> {
        let sum = i64::from(self.count(which)?) + change;
        let sum = sum.clamp(0, u32::MAX.into()) as u32;
        self.disk.write(which.at(), &sum.to_le_bytes())
    }

    /// Says that there may be files of 2 GiB and more, which revision 0 has no word for.
    pub(crate) fn allow_large_files(&self) -> Result<(), Error> {
        let mut bytes = read(&self.disk)?;
        let features = u32_at(&bytes, S_FEATURE_RO_COMPAT);
        if features & LARGE_FILE != 0 {
            return Ok(());
        }
        if u32_at(&bytes, S_REV_LEVEL) == 0 {
            put_u32(&mut bytes, S_REV_LEVEL, 1);
            put_u32(&mut bytes, S_FIRST_INO, self.geometry.first_inode);
            put_u16(&mut bytes, S_INODE_SIZE, self.geometry.inode_size as u16);
        }
        put_u32(&mut bytes, S_FEATURE_RO_COMPAT, features | LARGE_FILE);
        self.disk.write(SUPERBLOCK, &bytes)
    }
}

impl Count {
    /// The byte at which it stands.
    fn at(self) -> u64 {
        SUPERBLOCK
            + match self {
                Self::FreeBlocks => S_FREE_BLOCKS_COUNT,
                Self::FreeInodes => S_FREE_INODES_COUNT,
            }
    }
}

fn read<D: Disk>(disk: &D) -> Result<[u8; SUPERBLOCK_BYTES], Error> {
    let mut bytes = [0; SUPERBLOCK_BYTES];
    disk.read(SUPERBLOCK, &mut bytes)?;
    Ok(bytes)
}
