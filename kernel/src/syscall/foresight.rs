//! What is said of a file's future use, and of bytes on their way to a disk: `fadvise64`, `readahead`, `sync_file_range`.
//! For files in memory all of it is true already; what makes no sense is refused as on Linux.
use core::ops::Range;

use abi::Errno;
use abi::general::{
    POSIX_FADV_NOREUSE, S_IFBLK, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG,
    SYNC_FILE_RANGE_WAIT_AFTER, SYNC_FILE_RANGE_WAIT_BEFORE, SYNC_FILE_RANGE_WRITE,
};

use super::file::{descriptor, readable};
use super::{Answer, Arguments};
use crate::fs::open::{MAX_SIZE, OpenFile};
use crate::fs::paged::{self, pages_of};

fn kind(open: &OpenFile) -> u32 {
    open.kind.status().mode & S_IFMT
}

/// posix_fadvise(2).
pub(super) fn fadvise64([number, _offset, length, advice, ..]: Arguments) -> Answer {
    let open = descriptor(number)?.file;
    if kind(&open) == S_IFIFO {
        return Err(Errno::ESPIPE);
    }
    if (length as i64) < 0 || advice as u32 > POSIX_FADV_NOREUSE {
        return Err(Errno::EINVAL);
    }
    Ok(0)
}

/// readahead(2).
pub(super) fn readahead([number, ..]: Arguments) -> Answer {
    let open = readable(number)?;
    match kind(&open) {
        S_IFREG | S_IFBLK => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

/// sync_file_range(2).
pub(super) fn sync_file_range([number, offset, length, flags, ..]: Arguments) -> Answer {
    const FLAGS: u32 =
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    let open = descriptor(number)?.file;
    let end = offset.wrapping_add(length) as i64;
    if flags as u32 & !FLAGS != 0 || (offset as i64) < 0 || end < offset as i64 {
        return Err(Errno::EINVAL);
    }
    match kind(&open) {
        S_IFREG | S_IFBLK | S_IFDIR | S_IFLNK => {}
        _ => return Err(Errno::ESPIPE),
    }
    let end = if length == 0 { MAX_SIZE } else { end as u64 };
    write_range(&open, &pages_of(&(offset..end)), flags as u32).map(|()| 0)
}

/// Carries out the three steps that `flags` choose from.
fn write_range(open: &OpenFile, pages: &Range<u64>, flags: u32) -> Result<(), Errno> {
    let file = open.kind.pages();
    let Some((file, paged)) = file.and_then(|file| Some((file, paged::of(file)?))) else {
        return Ok(());
    };
    if flags & SYNC_FILE_RANGE_WAIT_BEFORE != 0 {
        paged.wait_written(file, pages);
        open.check_failures()?;
    }
    if flags & SYNC_FILE_RANGE_WRITE != 0 {
        paged.begin_writing(file, pages);
    }
    if flags & SYNC_FILE_RANGE_WAIT_AFTER != 0 {
        paged.wait_written(file, pages);
        open.check_failures()?;
    }
    Ok(())
}
