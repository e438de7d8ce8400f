//! What a volume lies on: the only door to the outside.
//!
//! Addresses are bytes, because what is below buffers whole pages anyway. All that goes through here is the file system's
//! own: superblock, descriptors, bitmaps, inodes, folders, index blocks, long links. Bytes of files go their own way, to
//! where [`Volume::map`](crate::Volume::map) says.
use core::ops::Range;

use crate::Error;

/// A disk, or a part of one, behind a buffer. Each call may wait.
pub trait Disk {
    /// Fills `bytes` with what is at byte `at`.
    fn read(&self, at: u64, bytes: &mut [u8]) -> Result<(), Error>;

    /// Puts `bytes` at byte `at`; they need not reach the medium before [`Disk::write_through`] or a sync.
    fn write(&self, at: u64, bytes: &[u8]) -> Result<(), Error>;

    /// As `write`, but on the medium before anything that is written later.
    ///
    /// It is asked for where the wrong order would cost bytes that were synced long before: when a file gets an index
    /// block, and when it loses some. Whoever only writes gets what Linux's ext2 has: after a power cut e2fsck may find
    /// an index block that is old data, and give up the file.
    fn write_through(&self, at: u64, bytes: &[u8]) -> Result<(), Error> {
        self.write(at, bytes)
    }

    /// The blocks in these bytes were the file system's own and are given back: what is buffered of them must not be
    /// written any more, because a file may get them next.
    fn forget(&self, _at: u64, _length: u64) {}

    /// Nothing points to these blocks any more, but on the medium something may still. Whoever gives one of them to another
    /// file before a sync lets a power cut leave it to both.
    fn freed(&self, _blocks: Range<u64>) -> Result<(), Error> {
        Ok(())
    }

    /// Sets those bits whose blocks nobody may get yet; bit 0 is for block `first`.
    fn withhold(&self, _first: u64, _bits: &mut [u8]) {}

    /// Has all that was withheld up to now become anybody's, for no other block is free; false where nothing was.
    fn settle(&self) -> Result<bool, Error> {
        Ok(false)
    }
}

impl<D: Disk + ?Sized> Disk for &D {
    fn read(&self, at: u64, bytes: &mut [u8]) -> Result<(), Error> {
        (**self).read(at, bytes)
    }

    fn write(&self, at: u64, bytes: &[u8]) -> Result<(), Error> {
        (**self).write(at, bytes)
    }

    fn write_through(&self, at: u64, bytes: &[u8]) -> Result<(), Error> {
        (**self).write_through(at, bytes)
    }

    fn forget(&self, at: u64, length: u64) {
        (**self).forget(at, length);
    }

    fn freed(&self, blocks: Range<u64>) -> Result<(), Error> {
        (**self).freed(blocks)
    }

    fn withhold(&self, first: u64, bits: &mut [u8]) {
        (**self).withhold(first, bits);
    }

    fn settle(&self) -> Result<bool, Error> {
        (**self).settle()
    }
}
