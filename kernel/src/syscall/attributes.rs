//! What is said of files, and how long they are: `chmod`, `chown`, `utimensat`, `truncate`, each with its kin.
use abi::Errno;
use abi::general::{AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, S_IFDIR, S_IFMT, UTIME_NOW, UTIME_OMIT};

use super::file::{any_descriptor, descriptor};
use super::path::{self, HERE};
use super::{Answer, Arguments, extent, user};
use crate::fs::inode::{Change, PERMISSIONS, Time};
use crate::fs::path::Links;
use crate::fs::place::Place;
use crate::fs::{mount, paged};

fn change(place: &Place, change: Change) -> Answer {
    let _writer = place.mount.begin_writing()?;
    place.inode.change(change).map(|()| 0)
}

/// The same of what is open. Most of what no path leads to keeps what it was made with.
fn change_open(number: u64, wanted: Change) -> Answer {
    let open = descriptor(number)?.file;
    match &open.place {
        Some(place) => change(place, wanted),
        None => open.kind.change(wanted).map(|()| 0),
    }
}

/// chmod(2).
pub(super) fn chmod([path, mode, ..]: Arguments) -> Answer {
    fchmodat([HERE, path, mode, 0, 0, 0])
}

/// fchmodat(2).
pub(super) fn fchmodat([directory, path, mode, ..]: Arguments) -> Answer {
    let place = path::resolve(directory, path, Links::Follow)?;
    let permissions = Change::Permissions(mode as u32 & PERMISSIONS);
    change(&place, permissions)
}

/// fchmodat2(2).
pub(super) fn fchmodat2([directory, path, mode, flags, ..]: Arguments) -> Answer {
    let flags = flags as u32;
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let place = path::resolve_or_own(directory, path, flags)?;
    if place.inode.is_link() {
        return Err(Errno::EOPNOTSUPP);
    }
    let permissions = Change::Permissions(mode as u32 & PERMISSIONS);
    change(&place, permissions)
}

/// fchmod(2).
pub(super) fn fchmod([number, mode, ..]: Arguments) -> Answer {
    change_open(number, Change::Permissions(mode as u32))
}

/// A user or group to change to; -1 leaves it.
fn owner(number: u64) -> Option<u32> {
    Some(number as u32).filter(|&number| number != u32::MAX)
}

/// chown(2).
pub(super) fn chown([path, user, group, ..]: Arguments) -> Answer {
    fchownat([HERE, path, user, group, 0, 0])
}

/// lchown(2).
pub(super) fn lchown([path, user, group, ..]: Arguments) -> Answer {
    fchownat([HERE, path, user, group, AT_SYMLINK_NOFOLLOW.into(), 0])
}

/// fchownat(2).
pub(super) fn fchownat([directory, path, user, group, flags, ..]: Arguments) -> Answer {
    let flags = flags as u32;
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let place = path::resolve_or_own(directory, path, flags)?;
    change(&place, Change::Owner(owner(user), owner(group)))
}

/// fchown(2).
pub(super) fn fchown([number, user, group, ..]: Arguments) -> Answer {
    change_open(number, Change::Owner(owner(user), owner(group)))
}

/// One of utimensat(2)'s two times: `None` leaves it.
fn time([seconds, nanoseconds]: [u64; 2]) -> Result<Option<Time>, Errno> {
    const SECOND: u64 = 1_000_000_000;
    match nanoseconds {
        now if now == UTIME_NOW.into() => Ok(Some(Time::now())),
        omit if omit == UTIME_OMIT.into() => Ok(None),
        SECOND.. => Err(Errno::EINVAL),
        _ => Ok(Some(Time {
            seconds: seconds as i64,
            nanoseconds: nanoseconds as u32,
        })),
    }
}

/// utimensat(2).
pub(super) fn utimensat([directory, path, times, flags, ..]: Arguments) -> Answer {
    let flags = flags as u32;
    let (accessed, modified) = if times == 0 {
        (Some(Time::now()), Some(Time::now()))
    } else {
        let [a, b, c, d] = user::read_words(times)?;
        (time([a, b])?, time([c, d])?)
    };
    if accessed.is_none() && modified.is_none() {
        return Ok(0);
    }
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let times = Change::Times(accessed, modified);
    if path != 0 {
        let place = path::resolve_or_own(directory, path, flags)?;
        return change(&place, times);
    }
    // Without a path it is what is open, and no flag says more about that.
    match flags {
        _ if directory as u32 == HERE as u32 => Err(Errno::EFAULT),
        0 => change_open(directory, times),
        _ => Err(Errno::EINVAL),
    }
}

/// utimes(2), with microseconds.
pub(super) fn utimes([path, times, ..]: Arguments) -> Answer {
    futimesat([HERE, path, times, 0, 0, 0])
}

/// futimesat(2).
pub(super) fn futimesat([directory, path, times, ..]: Arguments) -> Answer {
    const MOST: u64 = 1_000_000;
    let place = |time: [u64; 2]| Time {
        seconds: time[0] as i64,
        nanoseconds: time[1] as u32 * 1000,
    };
    let change_to = if times == 0 {
        Change::Times(Some(Time::now()), Some(Time::now()))
    } else {
        let [a, b, c, d] = user::read_words(times)?;
        if b >= MOST || d >= MOST {
            return Err(Errno::EINVAL);
        }
        Change::Times(Some(place([a, b])), Some(place([c, d])))
    };
    let place = path::resolve(directory, path, Links::Follow)?;
    change(&place, change_to)
}

/// truncate(2).
pub(super) fn truncate([path, size, ..]: Arguments) -> Answer {
    if (size as i64) < 0 {
        return Err(Errno::EINVAL);
    }
    let place = path::resolve(HERE, path, Links::Follow)?;
    match place.inode.status().mode & S_IFMT {
        S_IFDIR => return Err(Errno::EISDIR),
        _ if !place.inode.is_regular() => return Err(Errno::EINVAL),
        _ => {}
    }
    // As long as it is open for writing no program runs from it.
    let open = place.inode.clone().open(&place, abi::general::O_WRONLY)?;
    extent::set_size(&open, size)
}

/// sync(2): what is in memory goes where it belongs. Nobody is told where that failed.
pub(super) fn sync() -> Answer {
    for system in mount::systems()? {
        let _ = system.files.sync();
    }
    paged::sync_all();
    Ok(0)
}

/// syncfs(2).
pub(super) fn syncfs([number, ..]: Arguments) -> Answer {
    match &any_descriptor(number)?.file.place {
        Some(place) => place.mount.system.files.sync().map(|()| 0),
        None => Ok(0),
    }
}
