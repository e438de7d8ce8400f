//! Where a file's bytes are, and how many: `lseek`, `ftruncate`, `fallocate`, and `fsync`, which has nowhere to bring them.
use abi::Errno;
use abi::general::{
    FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET,
};
use mm::contents::Reach;

use super::file::descriptor;
use super::{Answer, Arguments};
use crate::arch::memory::memory;
use crate::fs::memfd::refusal;
use crate::fs::open::Order;

/// lseek(2).
pub(super) fn lseek([number, offset, whence, ..]: Arguments) -> Answer {
    let open = descriptor(number)?.file;
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
    let position = base.checked_add(offset as i64).ok_or(Errno::EOVERFLOW)?;
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
    let file = open.kind.memfd().ok_or(Errno::EINVAL)?.file();
    let done = file.set_size(memory(), size);
    done.map(|()| 0).map_err(refusal)
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
    let Some(file) = open.kind.memfd() else {
        return Err(match open.kind.pipe() {
            Some(_) => Errno::ESPIPE,
            None => Errno::ENODEV,
        });
    };
    let end = offset + length;
    if (end as i64) < 0 {
        return Err(Errno::EFBIG);
    }
    let (file, bytes) = (file.file(), offset..end);
    const PUNCH: u32 = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    let done = match mode {
        PUNCH => file.punch_hole(memory(), bytes),
        0 => file.allocate(memory(), bytes, Reach::Extend),
        FALLOC_FL_KEEP_SIZE => file.allocate(memory(), bytes, Reach::Keep),
        _ => return Err(Errno::EOPNOTSUPP),
    };
    done.map(|()| 0).map_err(refusal)
}

/// fsync(2) and fdatasync(2): what is in memory is where it belongs.
pub(super) fn fsync([number, ..]: Arguments) -> Answer {
    match descriptor(number)?.file.kind.order() {
        Order::Random(_) => Ok(0),
        Order::Endless | Order::Stream => Err(Errno::EINVAL),
    }
}
