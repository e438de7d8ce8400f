//! What is said of a file's future use, and of bytes on their way to a disk: `fadvise64`, `readahead`, `sync_file_range`.
//! For files in memory all of it is true already; what makes no sense is refused as on Linux.
use abi::Errno;
use abi::general::{
    POSIX_FADV_NOREUSE, S_IFBLK, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG,
    SYNC_FILE_RANGE_WAIT_AFTER, SYNC_FILE_RANGE_WAIT_BEFORE, SYNC_FILE_RANGE_WRITE,
};

use super::file::{descriptor, readable};
use super::{Answer, Arguments};
use crate::fs::open::OpenFile;

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
        S_IFREG | S_IFBLK | S_IFDIR | S_IFLNK => Ok(0),
        _ => Err(Errno::ESPIPE),
    }
}
