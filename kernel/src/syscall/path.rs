//! Files by name: `open`, `access`, `readlink`, and what `stat` says of them.
use alloc::vec::Vec;

use abi::Errno;
use abi::general::{
    AT_EMPTY_PATH, AT_FDCWD, AT_NO_AUTOMOUNT, AT_SYMLINK_NOFOLLOW, O_ACCMODE, O_APPEND, O_CREAT,
    O_DIRECTORY, O_EXCL, O_LARGEFILE, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, W_OK,
};

use super::descriptor::add;
use super::file::descriptor;
use super::{Answer, Arguments, user};
use crate::fs::open::{OpenFile, Status};
use crate::fs::{self, Links, Node, proc};

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
    let node = match at(directory, &path).and_then(|path| fs::lookup(&path, links)) {
        Err(Errno::ENOENT) if flags & O_CREAT != 0 => return Err(Errno::EROFS),
        found => found?,
    };
    if node.is_link() {
        return Err(Errno::ELOOP);
    }
    if flags & (O_CREAT | O_EXCL) == O_CREAT | O_EXCL {
        return Err(Errno::EEXIST);
    }
    if flags & O_DIRECTORY != 0 && !node.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    let for_writing = flags & O_ACCMODE != O_RDONLY;
    if for_writing && node.is_directory() {
        return Err(Errno::EISDIR);
    }
    let kept = flags & (O_ACCMODE | O_NONBLOCK | O_APPEND) | O_LARGEFILE;
    let open = match node {
        Node::File(_) if for_writing => return Err(Errno::EROFS),
        Node::File(file) => OpenFile::try_new(file, kept),
        Node::Proc(node) => OpenFile::try_new(proc::Open::new(node)?, kept),
        Node::Device(device) => OpenFile::try_new(device, kept),
    };
    add(open.map_err(|_| Errno::ENOMEM)?, flags)
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
    let node = fs::lookup(&user::path(path)?, Links::Follow)?;
    if mode as u32 & W_OK != 0 && matches!(node, Node::File(_)) {
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
    let target = fs::lookup(&user::path(path)?, Links::Keep)?.target()?;
    let count = target.len().min(length);
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
    let status = descriptor(number)?.file.kind.status();
    user::write_words(buffer, words(status))?;
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
    let status = fs::lookup(&path, links)?.status();
    user::write_words(buffer, words(status))?;
    Ok(0)
}

/// The words of `struct stat`.
fn words(status: Status) -> [u64; 18] {
    let mut words = [0; 18];
    words[0] = status.device;
    words[1] = status.number;
    words[2] = status.links;
    words[3] = status.mode.into();
    words[5] = status.special;
    words[6] = status.size;
    words[7] = status.block_size;
    words[8] = status.blocks;
    words
}
