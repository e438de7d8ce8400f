//! fsync(2) and its kin: a file's pages, then what its file system knows of it, then the cache of the disk.
use alloc::sync::Arc;
use core::ops::Range;

use abi::Errno;
use mm::PAGE_SIZE;
use mm::page_cache::CachedFile;

use super::{Paged, files, of};
use crate::block;

const ALL: Range<u64> = 0..u64::MAX;

/// Pages that `bytes` are in.
pub(crate) fn pages_of(bytes: &Range<u64>) -> Range<u64> {
    bytes.start / PAGE_SIZE..bytes.end.div_ceil(PAGE_SIZE)
}

/// Has what was stored in `bytes` of a file survive the loss of power; files that lie on no disk never do. That a page of
/// the file itself could not be written is the file's to tell.
pub(crate) fn sync(file: &Arc<CachedFile>, bytes: &Range<u64>) -> Result<(), Errno> {
    let Some(paged) = of(file) else {
        return Ok(());
    };
    paged.write_back(file, &pages_of(bytes));
    paged.owner.settle()?;
    match paged.owner.disk() {
        Some(disk) => write_books(disk),
        None => paged.volume().drive.flush(),
    }
}

/// Has what a file system knows of its files, pages of the disk itself, survive the loss of power.
pub(crate) fn write_books(disk: &Arc<CachedFile>) -> Result<(), Errno> {
    let Some(paged) = of(disk) else {
        return Ok(());
    };
    let mut seen = disk.failures_seen();
    let turn = paged.owner.begin_settling()?;
    paged.write_back(disk, &ALL);
    if disk.has_failed_since(&mut seen) {
        return Err(Errno::EIO);
    }
    paged.volume().drive.flush()?;
    paged.owner.settled(turn);
    Ok(())
}

/// The same for all files at once: sync(2). What fails is told to those who ask for each file.
pub(crate) fn sync_all() {
    write_files();
    files::each(|file| {
        let books = of(file).filter(|paged| !paged.is_in_file_system());
        if books.is_some_and(|paged| paged.volume().drive.is_claimed()) {
            let _ = write_books(file);
        }
    });
    for drive in block::drives().iter().filter(|drive| drive.is_claimed()) {
        let _ = drive.flush();
    }
}

fn write_files() {
    files::each(|file| {
        if let Some(paged) = of(file).filter(|paged| paged.is_in_file_system()) {
            paged.write_back(file, &ALL);
            let _ = paged.owner.settle();
        }
    });
}

impl Paged {
    /// Whether it is a file of a file system, and not a disk.
    pub(super) fn is_in_file_system(&self) -> bool {
        self.owner.disk().is_some()
    }
}
