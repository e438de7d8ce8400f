//! Files by name: `open`, `access`, `readlink`, and what `stat` says of them.
use alloc::vec::Vec;

use abi::Errno;
use abi::general::{
    AT_EMPTY_PATH, AT_FDCWD, AT_NO_AUTOMOUNT, AT_SYMLINK_NOFOLLOW, O_ACCMODE, O_CLOEXEC, O_CREAT,
    O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, S_IFCHR, S_IFIFO, W_OK,
};

use super::file::descriptor;
use super::terminal::is_terminal;
use super::{Answer, Arguments, user};
use crate::fs::files::{Descriptor, Kind, OnExec, OpenFile};
use crate::fs::path::PATH_MAX;
use crate::fs::{self, File, Links};
use crate::process::current;

/// open(2).
pub(super) fn open([path, flags, mode, ..]: Arguments) -> Answer {
    openat([AT_FDCWD as u64, path, flags, mode, 0, 0])
}

/// openat(2), for reading: the boot image can't be written.
pub(super) fn openat([directory, path, flags, ..]: Arguments) -> Answer {
    let flags = flags as u32;
    let path = user::path(path)?;
    let links = if flags & O_NOFOLLOW != 0 {
        Links::Keep
    } else {
        Links::Follow
    };
    let file = match at(directory, &path).and_then(|path| fs::lookup(&path, links)) {
        Err(Errno::ENOENT) if flags & O_CREAT != 0 => return Err(Errno::EROFS),
        found => found?,
    };
    if file.is_link() {
        return Err(Errno::ELOOP);
    }
    if flags & (O_CREAT | O_EXCL) == O_CREAT | O_EXCL {
        return Err(Errno::EEXIST);
    }
    if flags & O_DIRECTORY != 0 && !file.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    if flags & O_ACCMODE != O_RDONLY {
        return Err(if file.is_directory() {
            Errno::EISDIR
        } else {
            Errno::EROFS
        });
    }
    let open = OpenFile::try_new(Kind::File(file)).map_err(|_| Errno::ENOMEM)?;
    let on_exec = if flags & O_CLOEXEC != 0 {
        OnExec::Close
    } else {
        OnExec::Keep
    };
    let process = current();
    let numbers = 0..process.limits().files();
    let descriptor = Descriptor {
        file: open,
        on_exec,
    };
    let number = process.files.add(descriptor, numbers)?;
    Ok(number as u64)
}

/// `path`, if it starts at the root or at the working directory, which is the root.
fn at(directory: u64, path: &[u8]) -> Result<Vec<u8>, Errno> {
    if !path.starts_with(b"/") && directory as i32 != AT_FDCWD {
        descriptor(directory)?;
        return Err(Errno::ENOTDIR);
    }
    let mut copy = Vec::new();
    copy.try_reserve_exact(path.len())
        .map_err(|_| Errno::ENOMEM)?;
    copy.extend_from_slice(path);
    Ok(copy)
}

/// access(2): the caller may do all that can be done.
pub(super) fn access([path, mode, ..]: Arguments) -> Answer {
    if mode & !7 != 0 {
        return Err(Errno::EINVAL);
    }
    fs::lookup(&user::path(path)?, Links::Follow)?;
    if mode as u32 & W_OK != 0 {
        Err(Errno::EROFS)
    } else {
        Ok(0)
    }
}

/// readlink(2).
pub(super) fn readlink([path, buffer, length, ..]: Arguments) -> Answer {
    let length = usize::try_from(length as i32)
        .ok()
        .filter(|&length| length > 0)
        .ok_or(Errno::EINVAL)?;
    let link = fs::read_link(&user::path(path)?)?;
    let mut target = [0; PATH_MAX];
    let count = link.read_at(0, &mut target).min(length);
    user::write_bytes(buffer, &target[..count])?;
    Ok(count as u64)
}

/// getcwd(2): the root.
pub(super) fn getcwd([buffer, length, ..]: Arguments) -> Answer {
    if length < 2 {
        return Err(Errno::ERANGE);
    }
    user::write_bytes(buffer, b"/\0")?;
    Ok(2)
}
/// fstat(2).
pub(super) fn fstat([number, buffer, ..]: Arguments) -> Answer {
    let status = match &descriptor(number)?.file.kind {
        Kind::Console => console_status(),
        Kind::File(file) => file_status(file),
    };
    user::write_words(buffer, status)?;
    Ok(0)
}

/// stat(2).
pub(super) fn stat([path, buffer, ..]: Arguments) -> Answer {
    newfstatat([AT_FDCWD as u64, path, buffer, 0, 0, 0])
}

/// lstat(2).
pub(super) fn lstat([path, buffer, ..]: Arguments) -> Answer {
    newfstatat([
        AT_FDCWD as u64,
        path,
        buffer,
        AT_SYMLINK_NOFOLLOW.into(),
        0,
        0,
    ])
}

/// fstatat(2).
pub(super) fn newfstatat([directory, path, buffer, flags, ..]: Arguments) -> Answer {
    let flags = flags as u32;
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT) != 0 {
        return Err(Errno::EINVAL);
    }
    let path = user::path(path)?;
    if path.is_empty() && flags & AT_EMPTY_PATH != 0 && directory as i32 != AT_FDCWD {
        return fstat([directory, buffer, 0, 0, 0, 0]);
    }
    let links = if flags & AT_SYMLINK_NOFOLLOW != 0 {
        Links::Keep
    } else {
        Links::Follow
    };
    let path = at(directory, &path)?;
    user::write_words(buffer, file_status(&*fs::lookup(&path, links)?))?;
    Ok(0)
}

/// The words of `struct stat` for a file.
fn file_status(file: &File) -> [u64; 18] {
    let mut words = [0; 18];
    words[0] = 1;
    words[1] = file.number();
    words[2] = 1;
    words[3] = file.mode().into();
    words[6] = file.size();
    words[7] = mm::PAGE_SIZE;
    words[8] = file.size().div_ceil(512);
    words
}

/// The words of `struct stat` for a standard stream: a pipe, or a terminal.
fn console_status() -> [u64; 18] {
    const TTY_DEVICE: u64 = 4 << 8 | 64;
    let terminal = is_terminal();
    let mut words = [0; 18];
    words[0] = 2;
    words[1] = 1;
    words[2] = 1;
    words[3] = if terminal {
        S_IFCHR | 0o620
    } else {
        S_IFIFO | 0o600
    }
    .into();
    words[5] = if terminal { TTY_DEVICE } else { 0 };
    words[7] = if terminal { 1024 } else { mm::PAGE_SIZE };
    words
}
