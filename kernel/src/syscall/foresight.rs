//! What is said of a file's future use, and of bytes on their way to a disk: `fadvise64`, `readahead`, `sync_file_range`.
//! For files in memory all of it is true already; what makes no sense is refused as on Linux.
use alloc::sync::Arc;
use core::ops::Range;

use abi::Errno;
use abi::general::{
    POSIX_FADV_DONTNEED, POSIX_FADV_NOREUSE, POSIX_FADV_NORMAL, POSIX_FADV_RANDOM,
    POSIX_FADV_SEQUENTIAL, POSIX_FADV_WILLNEED, S_IFBLK, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT,
    S_IFREG, SYNC_FILE_RANGE_WAIT_AFTER, SYNC_FILE_RANGE_WAIT_BEFORE, SYNC_FILE_RANGE_WRITE,
};

use mm::PAGE_SIZE;
use mm::page_cache::{CachedFile, Pattern};

use super::file::{descriptor, readable};
use super::{Answer, Arguments};
use crate::arch::memory::memory;
use crate::fs::open::{MAX_SIZE, OpenFile};
use crate::fs::paged::{self, Paged, pages_of};

fn kind(open: &OpenFile) -> u32 {
    open.kind.status().mode & S_IFMT
}

/// posix_fadvise(2).
pub(super) fn fadvise64([number, offset, length, advice, ..]: Arguments) -> Answer {
    let open = descriptor(number)?.file;
    if kind(&open) == S_IFIFO {
        return Err(Errno::ESPIPE);
    }
    if (length as i64) < 0 || advice as u32 > POSIX_FADV_NOREUSE {
        return Err(Errno::EINVAL);
    }
    foresee(&open, offset, length, advice as u32);
    Ok(0)
}

/// Does what one of the pieces of advice says, where the file lies on a disk.
fn foresee(open: &OpenFile, offset: u64, length: u64, advice: u32) {
    let pattern = match advice {
        POSIX_FADV_NORMAL => Some(Pattern::Unknown),
        POSIX_FADV_SEQUENTIAL => Some(Pattern::Rising),
        POSIX_FADV_RANDOM => Some(Pattern::Random),
        _ => None,
    };
    if let (Some(pattern), Some(reader)) = (pattern, open.kind.reader()) {
        reader.expect(pattern);
    }
    let Some((file, paged)) = paged_file(open) else {
        return;
    };
    let end = match offset.checked_add(length) {
        Some(end) if length > 0 => end.min(MAX_SIZE),
        _ => MAX_SIZE,
    };
    if advice == POSIX_FADV_WILLNEED {
        paged.read_soon(file, pages_of(&(offset..end)));
    } else if advice == POSIX_FADV_DONTNEED {
        let pages = whole_pages(file, offset, end);
        paged.begin_writing(file, &pages);
        file.drop_unused(memory(), pages);
    }
}

/// The pages that lie in bytes `offset` to `end` as a whole; the file's last one is whole where it ends.
fn whole_pages(file: &CachedFile, offset: u64, end: u64) -> Range<u64> {
    let behind = if end == file.size() {
        end.div_ceil(PAGE_SIZE)
    } else {
        end / PAGE_SIZE
    };
    offset.div_ceil(PAGE_SIZE)..behind
}

fn paged_file(open: &OpenFile) -> Option<(&Arc<CachedFile>, &Paged)> {
    let file = open.kind.pages()?;
    Some((file, paged::of(file)?))
}

/// readahead(2).
pub(super) fn readahead([number, offset, length, ..]: Arguments) -> Answer {
    let open = readable(number)?;
    if !matches!(kind(&open), S_IFREG | S_IFBLK) || (length as i64) < 0 {
        return Err(Errno::EINVAL);
    }
    foresee(&open, offset, length, POSIX_FADV_WILLNEED);
    Ok(0)
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
    let Some((file, paged)) = paged_file(open) else {
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
