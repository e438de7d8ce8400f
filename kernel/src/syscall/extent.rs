//! Where a file's bytes are, and how many: `lseek`, `ftruncate`, `fallocate`, and `fsync`.
use abi::Errno;
use abi::general::{
    FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET,
    SIGXFSZ,
};

use super::file::descriptor;
use super::{Answer, Arguments};
use crate::fs::open::{Allocation, MAX_SIZE, OpenFile, Order};
use crate::process::{current, signal};

/// lseek(2).
pub(super) fn lseek([number, offset, whence, ..]: Arguments) -> Answer {
    let open = descriptor(number)?.file;
    let _turn = open.position_turn();
    let size = match open.kind.order() {
        Order::Random(size) => Some(size),
        Order::Endless => None,
        Order::Stream => return Err(Errno::ESPIPE),
    };
    let base = match whence as u32 {
        SEEK_SET => 0,
        SEEK_CUR => open.position() as i64,
        SEEK_END => size.ok_or(Errno::EINVAL)? as i64,
        SEEK_DATA | SEEK_HOLE => {
            let size = size.ok_or(Errno::EINVAL)?;
            let find = |at| match whence as u32 {
                SEEK_DATA => open.kind.next_data(at),
                _ => open.kind.next_hole(at),
            };
            let found = Some(offset).filter(|&at| at < size).and_then(find);
            let position = found.ok_or(Errno::ENXIO)?;
            open.set_position(position);
            return Ok(position);
        }
        _ => return Err(Errno::EINVAL),
    };
    let position = base.checked_add(offset as i64).ok_or(Errno::EINVAL)?;
    let position = u64::try_from(position).map_err(|_| Errno::EINVAL)?;
    open.set_position(position);
    Ok(position)
}

/// ftruncate(2).
pub(super) fn ftruncate([number, size, ..]: Arguments) -> Answer {
    if (size as i64) < 0 {
        return Err(Errno::EINVAL);
    }
    let open = descriptor(number)?.file;
    open.check_writable().map_err(|_| Errno::EINVAL)?;
    set_size(&open, size)
}

/// Gives an open file another length, up to RLIMIT_FSIZE.
pub(super) fn set_size(open: &OpenFile, size: u64) -> Answer {
    let (Order::Random(now), true) = (open.kind.order(), open.kind.is_regular()) else {
        return Err(Errno::EINVAL);
    };
    if size > now {
        check_limit(size)?;
    }
    open.kind.set_size(size).map(|()| 0)
}

/// `EFBIG`, and SIGXFSZ, for a file that is to be longer than RLIMIT_FSIZE.
fn check_limit(size: u64) -> Result<(), Errno> {
    if size <= current().limits().file_size() {
        return Ok(());
    }
    signal::send_to_self(SIGXFSZ);
    Err(Errno::EFBIG)
}

/// fallocate(2).
pub(super) fn fallocate([number, mode, offset, length, ..]: Arguments) -> Answer {
    const ALL_MODES: u32 = 0xff;
    let (open, mode) = (descriptor(number)?.file, mode as u32);
    if (offset as i64) < 0 || (length as i64) <= 0 {
        return Err(Errno::EINVAL);
    }
    if mode & !ALL_MODES != 0 || mode == FALLOC_FL_PUNCH_HOLE {
        return Err(Errno::EOPNOTSUPP);
    }
    open.check_writable()?;
    if !open.kind.is_regular() {
        return Err(match open.kind.pipe() {
            Some(_) => Errno::ESPIPE,
            None => Errno::ENODEV,
        });
    }
    let end = offset + length;
    if (end as i64) < 0 {
        return Err(Errno::EFBIG);
    }
    const PUNCH: u32 = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    let how = match mode {
        PUNCH => Allocation::PunchHole,
        0 => Allocation::Extend,
        FALLOC_FL_KEEP_SIZE => Allocation::Keep,
        _ => return Err(Errno::EOPNOTSUPP),
    };
    let size = open.kind.status().size;
    if how == Allocation::Extend && end > size {
        check_limit(end)?;
    }
    open.kind.allocate(offset..end, how).map(|()| 0)
}

/// fsync(2) and fdatasync(2).
pub(super) fn fsync([number, ..]: Arguments) -> Answer {
    let open = descriptor(number)?.file;
    match open.kind.order() {
        Order::Random(_) => open.sync(&(0..MAX_SIZE)).map(|()| 0),
        Order::Endless | Order::Stream => sync_folder(&open),
    }
}

/// What a folder has is its file system's. Other files have nothing to bring anywhere.
fn sync_folder(open: &OpenFile) -> Answer {
    match &open.place {
        Some(place) if place.inode.is_directory() => place.mount.system.files.sync().map(|()| 0),
        _ => Err(Errno::EINVAL),
    }
}
