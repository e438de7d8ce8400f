//! A mounted volume: its disk, its geometry, and the small steps that everything else is made of.
//!
//! Nothing that can change is kept in memory but whether it may be written: each operation reads what it needs from the
//! disk's buffer and puts back what it changed, so there is no second truth that an error could leave behind.
use crate::bytes::u32_at;
use crate::disk::Disk;
use crate::error::Error;
use crate::geometry::Geometry;

/// What may be done with a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Not a byte is written, not even that it was mounted.
    ReadOnly,
    /// All of it.
    ReadWrite,
}

/// A mounted volume.
///
/// All methods take `&self` and expect that the caller lets one in at a time; a lock whose holder may wait serves.
pub struct Volume<D> {
    pub(crate) disk: D,
    pub(crate) geometry: Geometry,
    pub(crate) access: Access,
    /// `s_state` as it was before mounting.
    pub(crate) state: u16,
}

impl<D: Disk> Volume<D> {
    /// Bytes of a block.
    pub fn block_size(&self) -> u64 {
        self.geometry.block_size
    }

    /// What may be done with it: less than was asked for where it has features that are unknown here.
    pub fn access(&self) -> Access {
        self.access
    }

    /// The disk that it lies on.
    pub fn disk(&self) -> &D {
        &self.disk
    }

    /// Refuses to go on where nothing may be written.
    pub(crate) fn demand_write(&self) -> Result<(), Error> {
        match self.access {
            Access::ReadOnly => Err(Error::ReadOnly),
            Access::ReadWrite => Ok(()),
        }
    }

    /// The byte at which `block` begins.
    pub(crate) fn byte_of(&self, block: u64) -> u64 {
        block * self.geometry.block_size
    }

    /// `block` as it stands in a pointer, if it can be one of a file's.
    pub(crate) fn checked(&self, block: u32) -> Result<u64, Error> {
        let number = u64::from(block);
        if number > self.geometry.first_block && number < self.geometry.blocks {
            Ok(number)
        } else {
            Err(self.corrupt())
        }
    }

    /// Word `index` of `block`.
    pub(crate) fn pointer(&self, block: u64, index: u64) -> Result<u32, Error> {
        let mut bytes = [0; 4];
        self.disk
            .read(self.byte_of(block) + index * 4, &mut bytes)?;
        Ok(u32_at(&bytes, 0))
    }

    /// The groups, from that of `first` on and around.
    pub(crate) fn groups_from(&self, first: u64) -> impl Iterator<Item = u64> + use<D> {
        let groups = self.geometry.groups;
        let first = if first < groups { first } else { 0 };
        (first..groups).chain(0..first)
    }
}
