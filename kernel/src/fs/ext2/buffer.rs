//! What a volume knows of itself, buffered: the page cache once more, with a page for each block.
//!
//! Not the pages of the disk: where blocks are smaller than a page, such a page has blocks of files too, whose bytes go
//! another way, and to write it would put old bytes over new ones. So a page here holds one block, at its beginning, and
//! only that is read and written. The price: `/dev/vda` does not show what is not written yet.
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};

use abi::Errno;
use mm::page_cache::CachedFile;
use mm::{PAGE_SIZE, remote};

use super::freed::{Freed, Full};
use crate::arch::memory::memory;
use crate::block::{Parts, SECTOR, Volume};
use crate::fs::inode::{Whereabouts, extend};
use crate::fs::paged::{self, Owner, bytes};

/// Above the numbers of inodes, which have 32 bits: one for each buffer, so that none finds the pages of a volume that was
/// left.
static NUMBERS: AtomicU64 = AtomicU64::new(1 << 32);

/// The pages of a volume's blocks.
pub(super) struct Buffer {
    file: Arc<CachedFile>,
    block_size: u64,
    common: Arc<Common>,
}

/// What the buffer and the owner of its pages share.
struct Common {
    freed: Freed,
    /// A block could not be written. Who goes on from what memory has builds on what the disk lacks, so nothing is changed
    /// any more, and nobody is told that anything is safe.
    has_failed: AtomicBool,
}

impl Common {
    fn check(&self) -> Result<(), Errno> {
        if self.has_failed.load(SeqCst) {
            return Err(Errno::EIO);
        }
        Ok(())
    }
}

/// Whose these pages are.
struct Blocks {
    disk: &'static Volume,
    device: u64,
    block_size: u64,
    number: u64,
    common: Arc<Common>,
}

impl Buffer {
    /// Nothing of `disk` is in memory yet.
    pub(super) fn try_new(
        disk: &'static Volume,
        device: u64,
        block_size: u64,
    ) -> Result<Self, Errno> {
        let common = Common {
            freed: Freed::new(),
            has_failed: AtomicBool::new(false),
        };
        let common = Arc::try_new(common).map_err(|_| Errno::ENOMEM)?;
        let owner = Blocks {
            disk,
            device,
            block_size,
            number: NUMBERS.fetch_add(1, Relaxed),
            common: common.clone(),
        };
        let owner = Arc::try_new(owner).map_err(|_| Errno::ENOMEM)?;
        let size = disk.size() / block_size * PAGE_SIZE;
        Ok(Self {
            file: paged::open(owner, size)?,
            block_size,
            common,
        })
    }

    /// The pages.
    pub(super) fn file(&self) -> &Arc<CachedFile> {
        &self.file
    }

    /// Splits bytes of the disk where blocks end: where each part begins here, and how long it is.
    fn parts(&self, at: u64, length: usize) -> impl Iterator<Item = (u64, usize)> + use<> {
        let size = self.block_size;
        let mut done = 0;
        core::iter::from_fn(move || {
            let left = length - done;
            let at = at + done as u64;
            let part = left.min((size - at % size) as usize);
            done += part;
            (part > 0).then_some((at / size * PAGE_SIZE + at % size, part))
        })
    }

    fn write_part(&self, at: u64, mut bytes: &[u8]) -> Result<(), Errno> {
        let file = &self.file;
        let index = at / PAGE_SIZE;
        self.common.check()?;
        if index >= file.pages() {
            return Err(Errno::EIO);
        }
        while !bytes.is_empty() {
            bytes::bring(file, index)?;
            if !file.is_backed(memory(), index) {
                // The one block of the page has its place.
                file.back(memory(), index);
            }
            let done = file.lend_to_write(memory(), at, bytes.len(), |words, place| {
                remote::write_bytes(words, place.start, &bytes[..place.len()]);
                place.len()
            });
            match done {
                Ok(count) => bytes = &bytes[count..],
                // Memory was needed more elsewhere.
                Err(mm::Error::TryAgain) => {}
                Err(_) => return Err(Errno::ENOMEM),
            }
        }
        Ok(())
    }

    /// Waits until page `index` is not on its way to the disk.
    fn wait_written(&self, index: u64) {
        if let Some(paged) = paged::of(&self.file) {
            let drive = paged.owner().volume().drive;
            drive.wait_out(|| !self.file.is_being_written(memory(), index));
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        paged::close(self.file.clone());
    }
}

fn error(errno: Errno) -> ext2::Error {
    match errno {
        Errno::ENOMEM => ext2::Error::OutOfMemory,
        _ => ext2::Error::Io,
    }
}

impl ext2::Disk for Buffer {
    fn read(&self, at: u64, bytes: &mut [u8]) -> Result<(), ext2::Error> {
        let mut done = 0;
        for (at, length) in self.parts(at, bytes.len()) {
            let part = &mut bytes[done..done + length];
            bytes::read_at(&self.file, at, part).map_err(error)?;
            done += length;
        }
        Ok(())
    }

    fn write(&self, at: u64, bytes: &[u8]) -> Result<(), ext2::Error> {
        let mut done = 0;
        for (at, length) in self.parts(at, bytes.len()) {
            self.write_part(at, &bytes[done..done + length])
                .map_err(error)?;
            done += length;
        }
        Ok(())
    }

    fn write_through(&self, at: u64, bytes: &[u8]) -> Result<(), ext2::Error> {
        self.write(at, bytes)?;
        let Some(paged) = paged::of(&self.file) else {
            return Err(ext2::Error::Io);
        };
        for (at, _) in self.parts(at, bytes.len()) {
            let index = at / PAGE_SIZE;
            // Who has to die waits all the same.
            paged.begin_writing(&self.file, &(index..index + 1));
            self.wait_written(index);
        }
        let written = self.common.check();
        let flushed = written.and_then(|()| paged.owner().volume().drive.flush());
        flushed.map_err(error)
    }

    fn forget(&self, at: u64, length: u64) {
        for (at, _) in self.parts(at, length as usize) {
            // What is on its way arrives before the block can be a file's.
            self.wait_written(at / PAGE_SIZE);
            let _ = self.file.punch_hole(memory(), at..at + PAGE_SIZE);
            self.wait_written(at / PAGE_SIZE);
        }
    }

    fn freed(&self, blocks: Range<u64>) -> Result<(), ext2::Error> {
        match self.common.freed.note(blocks) {
            Ok(()) => Ok(()),
            // Nothing but this has to be withheld then, and not even this.
            Err(Full) => paged::write_books(&self.file).map_err(error),
        }
    }

    fn withhold(&self, first: u64, bits: &mut [u8]) {
        self.common.freed.mark(first, bits);
    }

    fn settle(&self) -> Result<bool, ext2::Error> {
        if self.common.freed.is_empty() {
            return Ok(false);
        }
        paged::write_books(&self.file).map_err(error)?;
        Ok(true)
    }
}

impl Owner for Blocks {
    fn volume(&self) -> &Volume {
        self.disk
    }

    fn locate(&self, index: u64, parts: &mut Parts) -> Result<(), Errno> {
        parts.push(0, self.block_size, index * (self.block_size / SECTOR))
    }

    fn note_failure(&self) {
        if !self.common.has_failed.swap(true, SeqCst) {
            log::error!(
                "ext2: a volume's own block could not be written: nothing of it is changed any more"
            );
        }
    }

    fn begin_settling(&self) -> Result<u64, Errno> {
        self.common.check()?;
        Ok(self.common.freed.begin_settling())
    }

    fn settled(&self, turn: u64) {
        self.common.freed.settled(turn);
    }

    fn may_grow(&self) -> bool {
        false
    }

    fn identity(&self) -> (u64, u64) {
        (self.device, self.number)
    }

    /// Nobody can map it.
    fn write_path(&self, path: &mut Vec<u8>) -> Result<Whereabouts, Errno> {
        extend(path, b"ext2")?;
        Ok(Whereabouts::There)
    }
}
