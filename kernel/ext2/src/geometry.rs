//! What the superblock says once and for all: sizes, and where everything is; checked, so that later sums can't overflow.
use crate::bytes::{u16_at, u32_at};
use crate::error::Error;

/// Where the superblock is, and how much of it means something here.
pub(crate) const SUPERBLOCK: u64 = 1024;
pub(crate) const SUPERBLOCK_BYTES: usize = 264;

/// Bytes of a group's descriptor.
pub(crate) const DESCRIPTOR: u64 = 32;

const MAGIC: u16 = 0xef53;

/// The features of `s_feature_incompat` that are known: entries say their type, descriptors lie with their groups.
const FILETYPE: u32 = 0x2;
const META_BG: u32 = 0x10;

/// Those of `s_feature_ro_compat`: few copies of the superblock, files of 2 GiB and more, a bit that nothing ever used.
const SPARSE_SUPER: u32 = 0x1;
pub(crate) const LARGE_FILE: u32 = 0x2;
const BTREE_DIR: u32 = 0x4;

/// Revision 0 has no fields for these two.
const OLD_INODE_SIZE: u64 = 128;
const OLD_FIRST_INODE: u32 = 11;

/// The fewest blocks of a group that mke2fs makes. With fewer, a small disk could claim millions of groups.
const FEWEST_PER_GROUP: u64 = 256;

/// The sizes and places of a volume. `s_...` is what Linux calls a field of the superblock.
#[derive(Clone, Debug)]
pub(crate) struct Geometry {
    /// 1024, 2048 or 4096 bytes.
    pub(crate) block_size: u64,
    /// How many there are, those before `first_block` included.
    pub(crate) blocks: u64,
    /// The block that the superblock is in, where group 0 begins.
    pub(crate) first_block: u64,
    pub(crate) blocks_per_group: u64,
    pub(crate) groups: u64,
    pub(crate) inodes: u32,
    pub(crate) inodes_per_group: u32,
    pub(crate) inode_size: u64,
    /// The first inode that is not reserved.
    pub(crate) first_inode: u32,
    /// Blocks kept for root.
    pub(crate) reserved_blocks: u64,
    /// Bits that forbid writing.
    pub(crate) unknown_ro_compat: u32,
    /// Whether entries say the type of what they name.
    pub(crate) has_filetype: bool,
    has_sparse_super: bool,
    /// From which block of descriptors on they lie with their groups; past all of them without META_BG.
    first_meta_block: u64,
    pub(crate) uuid: [u8; 16],
}

impl Geometry {
    /// What the bytes of a superblock say of a disk of `length` bytes.
    pub(crate) fn parse(bytes: &[u8; SUPERBLOCK_BYTES], length: u64) -> Result<Self, Error> {
        if u16_at(bytes, 56) != MAGIC {
            return Err(Error::NotExt2);
        }
        let incompat = u32_at(bytes, 96);
        match incompat & !(FILETYPE | META_BG) {
            0 => {}
            unknown => return Err(Error::UnknownFeatures(unknown)),
        }
        let geometry = Self::read(bytes, incompat)?;
        if geometry.holds(u32_at(bytes, 4), length) {
            Ok(geometry)
        } else {
            Err(Error::Corrupt)
        }
    }

    fn read(bytes: &[u8; SUPERBLOCK_BYTES], incompat: u32) -> Result<Self, Error> {
        let block_size = match u32_at(bytes, 24) {
            shift @ 0..=2 => 1024 << shift,
            _ => return Err(Error::Corrupt),
        };
        let (blocks, first_block) = (u32_at(bytes, 4), u32_at(bytes, 20));
        let per_group = u32_at(bytes, 32);
        if per_group == 0 || first_block >= blocks {
            return Err(Error::Corrupt);
        }
        let groups = u64::from(blocks - first_block).div_ceil(u64::from(per_group));
        let is_old = u32_at(bytes, 76) == 0;
        let ro_compat = u32_at(bytes, 100);
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&bytes[104..120]);
        Ok(Self {
            block_size,
            blocks: blocks.into(),
            first_block: first_block.into(),
            blocks_per_group: per_group.into(),
            groups,
            inodes: u32_at(bytes, 0),
            inodes_per_group: u32_at(bytes, 40),
            inode_size: if is_old {
                OLD_INODE_SIZE
            } else {
                u16_at(bytes, 88).into()
            },
            first_inode: if is_old {
                OLD_FIRST_INODE
            } else {
                u32_at(bytes, 84)
            },
            reserved_blocks: u32_at(bytes, 8).into(),
            unknown_ro_compat: ro_compat & !(SPARSE_SUPER | LARGE_FILE | BTREE_DIR),
            has_filetype: incompat & FILETYPE != 0,
            has_sparse_super: ro_compat & SPARSE_SUPER != 0,
            first_meta_block: if incompat & META_BG == 0 {
                u64::MAX
            } else {
                u32_at(bytes, 260).into()
            },
            uuid,
        })
    }

    /// Whether the numbers fit together, and the volume on a disk of `length` bytes.
    fn holds(&self, blocks: u32, length: u64) -> bool {
        let bits = self.block_size * 8;
        let per_group = u64::from(self.inodes_per_group);
        let claimed = u64::from(blocks) * self.block_size;
        claimed <= length
            && self.first_block == u64::from(self.block_size == 1024)
            && (FEWEST_PER_GROUP..=bits).contains(&self.blocks_per_group)
            && self.inode_size.is_power_of_two()
            && (OLD_INODE_SIZE..=self.block_size).contains(&self.inode_size)
            && (1..=bits).contains(&per_group)
            && self.groups * per_group == u64::from(self.inodes)
            && (OLD_FIRST_INODE..=self.inodes).contains(&self.first_inode)
            && self.first_block + 1 + self.descriptor_blocks() <= self.blocks
    }

    fn per_descriptor_block(&self) -> u64 {
        self.block_size / DESCRIPTOR
    }

    /// How many blocks the descriptors of all groups fill.
    fn descriptor_blocks(&self) -> u64 {
        self.groups.div_ceil(self.per_descriptor_block())
    }

    /// The first block of `group`.
    pub(crate) fn start_of(&self, group: u64) -> u64 {
        self.first_block + group * self.blocks_per_group
    }

    /// How many blocks `group` has: the last one may be short.
    pub(crate) fn blocks_in(&self, group: u64) -> u64 {
        self.blocks
            .saturating_sub(self.start_of(group))
            .min(self.blocks_per_group)
    }

    /// The group of `block`.
    pub(crate) fn group_of(&self, block: u64) -> u64 {
        block.saturating_sub(self.first_block) / self.blocks_per_group
    }

    /// Blocks of each group that its inodes fill.
    pub(crate) fn inode_blocks(&self) -> u64 {
        (u64::from(self.inodes_per_group) * self.inode_size).div_ceil(self.block_size)
    }

    /// The byte at which the descriptor of `group` begins.
    pub(crate) fn descriptor_at(&self, group: u64) -> u64 {
        let (block, within) = (
            group / self.per_descriptor_block(),
            group % self.per_descriptor_block(),
        );
        let place = if block < self.first_meta_block {
            self.first_block + 1 + block
        } else {
            let first = block * self.per_descriptor_block();
            self.start_of(first) + u64::from(self.has_superblock(first))
        };
        place * self.block_size + within * DESCRIPTOR
    }

    /// Whether `group` begins with a superblock: all do, or the first two and the powers of 3, 5 and 7.
    pub(crate) fn has_superblock(&self, group: u64) -> bool {
        group <= 1
            || !self.has_sparse_super
            || [3, 5, 7].into_iter().any(|base| is_power(group, base))
    }

    /// Blocks of `group` that superblock and descriptors take.
    pub(crate) fn copies_in(&self, group: u64) -> u64 {
        let per_block = self.per_descriptor_block();
        let superblock = u64::from(self.has_superblock(group));
        if group / per_block < self.first_meta_block {
            return superblock * (1 + self.descriptor_blocks().min(self.first_meta_block));
        }
        // With META_BG: in the first, second and last group of those whose descriptors share a block.
        let within = group % per_block;
        superblock + u64::from(within <= 1 || within == per_block - 1)
    }
}

/// Whether `number` is a power of `base`.
fn is_power(number: u64, base: u64) -> bool {
    let mut power = base;
    while power < number {
        power *= base;
    }
    power == number
}
