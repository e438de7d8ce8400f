//! Bytes of one file into another: `sendfile`, `copy_file_range`. They pass through a page of the kernel's.
use abi::Errno;
use abi::general::{O_APPEND, S_IFDIR, S_IFMT, S_IFREG};

use super::cursor::Cursor;
use super::file::{Direction, Open, descriptor, readable};
use super::splice::{self, Patience};
use super::vector::MAX_COUNT;
use super::{Answer, Arguments, user};
use crate::fs::buffers::Buffers;
use crate::fs::open::{MAX_SIZE, OpenFile, Order};
use crate::fs::pipe::{PAGE, Slot, Write};

/// sendfile(2).
pub(super) fn sendfile([to, from, from_at, length, ..]: Arguments) -> Answer {
    if from_at != 0 {
        let [_position]: [u64; 1] = user::read_words(from_at)?;
    }
    let from = readable(from)?;
    let mut source = Cursor::new(&from, from_at, Errno::ESPIPE)?;
    source.check(length)?;
    let to = descriptor(to)?.file;
    to.check_writable()?;
    let length = length.min(MAX_COUNT);
    let moved = match to.kind.pipe() {
        Some(_) if from.kind.pipe().is_some() || is_folder(&from) => return Err(Errno::EINVAL),
        Some(pipe) => splice::into(&mut source, pipe, length, Patience::of(0, &[&to]))?,
        None => send(&mut source, &to, length)?,
    };
    source.keep().map(|()| moved)
}

pub(super) fn is_folder(open: &OpenFile) -> bool {
    open.kind.status().mode & S_IFMT == S_IFDIR
}

/// Copies to a file's own position.
fn send(source: &mut Cursor<'_>, to: &OpenFile, length: u64) -> Answer {
    let from = source.open;
    if from.kind.order() == Order::Stream || is_folder(from) || to.flags() & O_APPEND != 0 {
        return Err(Errno::EINVAL);
    }
    let mut target = Cursor::new(to, 0, Errno::EINVAL)?;
    let moved = copy(source, &mut target, length)?;
    target.keep().map(|()| moved)
}

/// copy_file_range(2).
pub(super) fn copy_file_range([from, from_at, to, to_at, length, flags]: Arguments) -> Answer {
    let (from, to) = (descriptor(from)?.file, descriptor(to)?.file);
    let mut source = Cursor::new(&from, from_at, Errno::EINVAL)?;
    let mut target = Cursor::new(&to, to_at, Errno::EINVAL)?;
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    check_kinds(&from, &to)?;
    let length = check_range(&source, &target, length)?;
    let moved = copy(&mut source, &mut target, length)?;
    source.keep()?;
    target.keep().map(|()| moved)
}

/// Both must be regular files of one file system.
fn check_kinds(from: &Open, to: &Open) -> Result<(), Errno> {
    let (source, target) = (from.kind.status(), to.kind.status());
    let kinds = [source, target].map(|status| status.mode & S_IFMT);
    if kinds.contains(&S_IFDIR) {
        return Err(Errno::EISDIR);
    }
    if kinds != [S_IFREG; 2] {
        return Err(Errno::EINVAL);
    }
    from.check_readable()?;
    to.check_writable()?;
    if to.flags() & O_APPEND != 0 {
        return Err(Errno::EBADF);
    }
    if source.device != target.device {
        return Err(Errno::EXDEV);
    }
    Ok(())
}

/// How much of `length` there is to copy; the two ranges of one file must not overlap.
fn check_range(source: &Cursor<'_>, target: &Cursor<'_>, length: u64) -> Answer {
    if [source, target]
        .iter()
        .any(|cursor| cursor.at.checked_add(length).is_none())
    {
        return Err(Errno::EOVERFLOW);
    }
    let status = source.open.kind.status();
    let length = length.min(status.size.saturating_sub(source.at));
    if target.at == MAX_SIZE {
        return Err(Errno::EFBIG);
    }
    source.check(0)?;
    target.check(0)?;
    let is_same = status.number == target.open.kind.status().number;
    if is_same && source.at.abs_diff(target.at) < length {
        return Err(Errno::EINVAL);
    }
    Ok(length.min(MAX_COUNT))
}

/// Copies up to `length` bytes, a page at a time.
fn copy(source: &mut Cursor<'_>, target: &mut Cursor<'_>, length: u64) -> Answer {
    let page = PAGE as u64;
    let mut slot = Slot::try_new(Write::Pages).map_err(|_| Errno::ENOMEM)?;
    let mut moved = 0;
    while moved < length {
        let most = (page - source.at % page).min(length - moved);
        let count = match pass(source, target, &mut slot, most as usize) {
            Ok(count) => count,
            Err(errno) if moved == 0 => return Err(errno),
            Err(_) => break,
        };
        moved += count;
        if count == 0 {
            break;
        }
    }
    Ok(moved)
}

/// Copies up to `most` bytes through the page; what couldn't be written counts as not read.
fn pass(source: &mut Cursor<'_>, target: &mut Cursor<'_>, slot: &mut Slot, most: usize) -> Answer {
    let cells = slot.room_cells(most);
    let before = source.at;
    let count = source.transfer(Direction::Read, Buffers::own(cells))? as usize;
    if count == 0 {
        return Ok(0);
    }
    let written = target.transfer(Direction::Write, Buffers::own(&cells[..count]));
    source.at = before + written.unwrap_or(0);
    written
}
