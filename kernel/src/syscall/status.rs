//! What is known of files: the `stat` family, `access`, `readlink`, `statfs`.
use abi::Errno;
use abi::general::{
    ANON_INODE_FS_MAGIC, AT_EACCESS, AT_EMPTY_PATH, AT_NO_AUTOMOUNT, AT_STATX_SYNC_TYPE,
    AT_SYMLINK_NOFOLLOW, MS_NOATIME, MS_NODEV, MS_NODIRATIME, MS_NOEXEC, MS_NOSUID, MS_NOSYMFOLLOW,
    MS_RDONLY, MS_RELATIME, PIPEFS_MAGIC, S_IFBLK, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG,
    STATX__RESERVED, STATX_BASIC_STATS, STATX_BTIME, STATX_DIOALIGN, TMPFS_MAGIC, W_OK, X_OK,
};

use super::file::any_descriptor;
use super::path::{self, HERE};
use super::{Answer, Arguments, user};
use crate::block::Volume;
use crate::fs::disk;
use crate::fs::inode::Time;
use crate::fs::mount::Mount;
use crate::fs::open::{OpenFile, Status};
use crate::fs::path::{Links, NAME_MAX};
use crate::fs::place::Place;
use crate::fs::system::{Access, Room};

/// Permission to execute, for anyone.
const EXECUTE: u32 = 0o111;

/// access(2).
pub(super) fn access([path, mode, ..]: Arguments) -> Answer {
    faccessat2([HERE, path, mode, 0, 0, 0])
}

/// faccessat(2), which has no flags.
pub(super) fn faccessat([directory, path, mode, ..]: Arguments) -> Answer {
    faccessat2([directory, path, mode, 0, 0, 0])
}

/// faccessat2(2): the superuser may do anything, but execute what nobody may.
pub(super) fn faccessat2([directory, path, mode, flags, ..]: Arguments) -> Answer {
    let (mode, flags) = (mode as u32, flags as u32);
    if mode & !7 != 0 || flags & !(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let place = path::resolve_or_own(directory, path, flags)?;
    let status = place.inode.status();
    let kind = status.mode & S_IFMT;
    let is_executable = status.mode & EXECUTE != 0 && !place.mount.has(MS_NOEXEC);
    let can_change = [S_IFREG, S_IFDIR, S_IFLNK].contains(&kind);
    if mode & X_OK != 0 && kind == S_IFREG && !is_executable {
        Err(Errno::EACCES)
    } else if mode & W_OK != 0 && can_change && place.mount.access() == Access::Read {
        Err(Errno::EROFS)
    } else {
        Ok(0)
    }
}

/// readlink(2).
pub(super) fn readlink([path, buffer, length, ..]: Arguments) -> Answer {
    readlinkat([HERE, path, buffer, length, 0, 0])
}

/// readlinkat(2): an empty path means the descriptor, which is a link's by O_PATH.
pub(super) fn readlinkat([directory, path, buffer, length, ..]: Arguments) -> Answer {
    let length = usize::try_from(length as i32)
        .ok()
        .filter(|&length| length > 0)
        .ok_or(Errno::EINVAL)?;
    let is_empty = directory != HERE && user::path(path)?.is_empty();
    let place = path::resolve_or_own(directory, path, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
    let place = match place {
        Ok(_) if directory == HERE && user::path(path)?.is_empty() => return Err(Errno::ENOENT),
        place => place?,
    };
    let target = place.inode.target();
    let target = target.map_err(|errno| match errno {
        Errno::EINVAL if is_empty => Errno::ENOENT,
        errno => errno,
    })?;
    let count = target.len().min(length);
    user::write_bytes(buffer, &target[..count])?;
    Ok(count as u64)
}

/// fstat(2).
pub(super) fn fstat([number, buffer, ..]: Arguments) -> Answer {
    let status = any_descriptor(number)?.file.kind.status();
    user::write_words(buffer, words(status))?;
    Ok(0)
}

/// stat(2).
pub(super) fn stat([path, buffer, ..]: Arguments) -> Answer {
    newfstatat([HERE, path, buffer, 0, 0, 0])
}

/// lstat(2).
pub(super) fn lstat([path, buffer, ..]: Arguments) -> Answer {
    newfstatat([HERE, path, buffer, AT_SYMLINK_NOFOLLOW.into(), 0, 0])
}

/// fstatat(2).
pub(super) fn newfstatat([directory, path, buffer, flags, ..]: Arguments) -> Answer {
    let flags = flags as u32;
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT) != 0 {
        return Err(Errno::EINVAL);
    }
    let status = status_at(directory, path, flags)?;
    user::write_words(buffer, words(status))?;
    Ok(0)
}

fn status_at(directory: u64, path: u64, flags: u32) -> Result<Status, Errno> {
    let own = flags & AT_EMPTY_PATH != 0 && directory != HERE;
    // A path may be missing altogether where it may be empty.
    if own && (path == 0 || user::path(path)?.is_empty()) {
        return Ok(any_descriptor(directory)?.file.kind.status());
    }
    Ok(path::resolve_or_own(directory, path, flags)?.inode.status())
}

/// statx(2).
pub(super) fn statx([directory, path, flags, mask, buffer, ..]: Arguments) -> Answer {
    const KNOWN: u32 = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE;
    let (flags, mask) = (flags as u32, mask as u32);
    if mask & STATX__RESERVED != 0
        || flags & !KNOWN != 0
        || flags & AT_STATX_SYNC_TYPE == AT_STATX_SYNC_TYPE
    {
        return Err(Errno::EINVAL);
    }
    let status = status_at(directory, path, flags)?;
    let mut words = extended(&status);
    let unit = direct_unit(&status);
    if mask & STATX_DIOALIGN != 0 && unit > 0 {
        words[0] |= u64::from(STATX_DIOALIGN);
        words[19] = pair(unit as u32, unit as u32);
    }
    user::write_words(buffer, words)?;
    Ok(0)
}

/// What O_DIRECT wants offsets and addresses of a file to be multiples of; of a disk, too, whatever tree its name is in.
fn direct_unit(status: &Status) -> u64 {
    if status.mode & S_IFMT == S_IFBLK {
        disk::volume_of(status.special).map_or(0, Volume::unit)
    } else {
        status.direct_unit
    }
}

/// The words of `struct stat`.
fn words(status: Status) -> [u64; 18] {
    let mut words = [0; 18];
    words[0] = status.device;
    words[1] = status.number;
    words[2] = status.links;
    words[3] = pair(status.mode, status.user);
    words[4] = status.group.into();
    words[5] = status.special;
    words[6] = status.size;
    words[7] = status.block_size;
    words[8] = status.blocks;
    for (place, time) in [status.accessed, status.modified, status.changed]
        .into_iter()
        .enumerate()
    {
        words[9 + 2 * place] = time.seconds as u64;
        words[10 + 2 * place] = time.nanoseconds.into();
    }
    words
}

/// The words of `struct statx`.
fn extended(status: &Status) -> [u64; 32] {
    let mut words = [0; 32];
    words[0] = pair(STATX_BASIC_STATS | STATX_BTIME, status.block_size as u32);
    words[2] = pair(status.links as u32, status.user);
    words[3] = pair(status.group, status.mode);
    words[4] = status.number;
    words[5] = status.size;
    words[6] = status.blocks;
    let times = [
        status.accessed,
        status.born,
        status.changed,
        status.modified,
    ];
    for (
        place,
        Time {
            seconds,
            nanoseconds,
        },
    ) in times.into_iter().enumerate()
    {
        words[8 + 2 * place] = seconds as u64;
        words[9 + 2 * place] = nanoseconds.into();
    }
    words[16] = split(status.special);
    words[17] = split(status.device);
    words
}

/// Two halves of a word.
fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// A device's number with its major part in the low half.
fn split(device: u64) -> u64 {
    let major = device >> 8 & 0xfff | device >> 32 & !0xfff;
    let minor = device & 0xff | device >> 12 & !0xff;
    pair(major as u32, minor as u32)
}

/// statfs(2).
pub(super) fn statfs([path, buffer, ..]: Arguments) -> Answer {
    write_room(&path::resolve(HERE, path, Links::Follow)?, buffer)
}

/// fstatfs(2).
pub(super) fn fstatfs([number, buffer, ..]: Arguments) -> Answer {
    let file = any_descriptor(number)?.file;
    match &file.place {
        Some(place) => write_room(place, buffer),
        None => write_nowhere(&file, buffer),
    }
}

/// For a file that no path leads to.
fn write_nowhere(file: &OpenFile, buffer: u64) -> Answer {
    let magic = if file.kind.memfd().is_some() {
        TMPFS_MAGIC
    } else if file.kind.status().mode & S_IFMT == S_IFIFO {
        PIPEFS_MAGIC
    } else {
        ANON_INODE_FS_MAGIC
    };
    user::write_words(buffer, room_of(magic, &Room::default()))?;
    Ok(0)
}

/// Linux's flag of statfs(2) that says that there are flags.
const VALID: u64 = 0x20;

/// What statfs(2) calls what mount(2) calls so; the rest have one number in both.
const OF_MOUNTS: [(u32, u64); 4] = [
    (MS_NOATIME, 0x400),
    (MS_NODIRATIME, 0x800),
    (MS_RELATIME, 0x1000),
    (MS_NOSYMFOLLOW, 0x2000),
];

/// `struct statfs` of a file system with this room.
fn room_of(magic: u32, room: &Room) -> [u64; 15] {
    let mut words = [0; 15];
    words[0] = magic.into();
    words[1] = room.block_size;
    words[2] = room.blocks;
    words[3] = room.free;
    words[4] = room.available;
    words[5] = room.inodes;
    words[6] = room.free_inodes;
    words[8] = NAME_MAX as u64;
    words[9] = room.block_size;
    words[10] = VALID;
    words
}

/// `struct statfs`.
fn write_room(place: &Place, buffer: u64) -> Answer {
    let (mount, files) = (&place.mount, &place.mount.system.files);
    let mut words = room_of(files.magic(), &files.room());
    words[7] = files.device();
    words[10] |= flags_of(mount);
    user::write_words(buffer, words)?;
    Ok(0)
}

fn flags_of(mount: &Mount) -> u64 {
    let mut flags = u64::from(mount.options() & (MS_NOSUID | MS_NODEV | MS_NOEXEC));
    if mount.access() == Access::Read {
        flags |= u64::from(MS_RDONLY);
    }
    let others = OF_MOUNTS.iter().filter(|(option, _)| mount.has(*option));
    others.fold(flags, |flags, (_, flag)| flags | flag)
}
