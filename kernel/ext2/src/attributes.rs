//! Extended attributes: not understood, but their block goes when the last inode goes that shares it.
use crate::bytes::u32_at;
use crate::disk::Disk;
use crate::error::Error;
use crate::inode::Inode;
use crate::volume::Volume;

/// What a block of attributes begins with: `h_magic`, `h_refcount`.
const MAGIC: u32 = 0xea02_0000;
const REFERENCES: u64 = 4;

impl<D: Disk> Volume<D> {
    /// Takes the block of its attributes from `inode`, if it has one.
    pub(crate) fn release_attributes(&self, inode: &mut Inode) -> Result<(), Error> {
        if inode.attribute_block == 0 {
            return Ok(());
        }
        let block = self.checked(inode.attribute_block)?;
        let mut header = [0; 8];
        self.disk.read(self.byte_of(block), &mut header)?;
        let references = u32_at(&header, REFERENCES as usize);
        if u32_at(&header, 0) != MAGIC || references == 0 {
            return Err(self.corrupt());
        }
        inode.attribute_block = 0;
        let sectors = self.geometry.block_size as u32 / 512;
        inode.sectors = inode.sectors.saturating_sub(sectors);
        self.write_inode(inode)?;
        if references > 1 {
            let left = (references - 1).to_le_bytes();
            return self.disk.write(self.byte_of(block) + REFERENCES, &left);
        }
        self.disk
            .forget(self.byte_of(block), self.geometry.block_size);
        self.give_back(block..block + 1)
    }
}
