//! Symbolic links: short ones where an inode has its pointers, others in a block of their own.
use alloc::vec::Vec;

use crate::disk::Disk;
use crate::error::Error;
use crate::inode::{Inode, Kind, POINTERS};
use crate::volume::Volume;

/// Bytes of an inode's pointers; a short link is shorter.
pub(crate) const SHORT: usize = POINTERS * 4;

impl<D: Disk> Volume<D> {
    /// Where link `number` leads.
    pub fn target(&self, number: u32) -> Result<Vec<u8>, Error> {
        let inode = self.inode(number)?;
        if inode.kind != Kind::Link {
            return Err(Error::Invalid);
        }
        let is_short = self.is_short_link(&inode);
        let most = if is_short {
            SHORT as u64
        } else {
            self.geometry.block_size
        };
        if inode.size >= most {
            return Err(self.corrupt());
        }
        let length = inode.size as usize;
        let mut target = Vec::new();
        target
            .try_reserve_exact(length)
            .map_err(|_| Error::OutOfMemory)?;
        if is_short {
            let bytes = inode.pointers.iter().flat_map(|word| word.to_le_bytes());
            target.extend(bytes.take(length));
        } else {
            let run = self.run(&inode, 0, inode.size)?;
            let at = run.at.ok_or_else(|| self.corrupt())?;
            target.resize(length, 0);
            self.disk.read(at, &mut target)?;
        }
        Ok(target)
    }

    /// Whether the target of link `inode` is in the inode: it has no block but that of its attributes.
    pub(crate) fn is_short_link(&self, inode: &Inode) -> bool {
        let attributes = u64::from(inode.attribute_block != 0) * self.geometry.block_size / 512;
        u64::from(inode.sectors) == attributes
    }
}
