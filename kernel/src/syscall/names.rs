//! Names that come, go and move: `mkdir`, `rmdir`, `unlink`, `rename`, `link`, `symlink`, `mknod`.
use abi::Errno;
use abi::general::{
    AT_EMPTY_PATH, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, AT_SYMLINK_NOFOLLOW, CAP_MKNOD,
    RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO,
    S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK,
};

use super::path::{self, HERE, Slash};
use super::{Answer, Arguments, user};
use crate::fs::inode::{Directory, New, Removal, Taken};
use crate::fs::mount;
use crate::fs::path::{Ending, Last, Part};
use crate::fs::place::Place;
use crate::process::current;

/// What mkdir(2) takes of a mode.
const OF_FOLDERS: u32 = 0o1777;

fn folder_of(place: &Place) -> Result<&dyn Directory, Errno> {
    place.inode.directory().ok_or(Errno::ENOTDIR)
}

/// mkdir(2).
pub(super) fn mkdir([path, mode, ..]: Arguments) -> Answer {
    mkdirat([HERE, path, mode, 0, 0, 0])
}

/// mkdirat(2).
pub(super) fn mkdirat([directory, path, mode, ..]: Arguments) -> Answer {
    let new_place = path::vacant(directory, path, Slash::Allowed)?;
    let mode = mode as u32 & OF_FOLDERS & !current().working.mask();
    let new = New {
        mode: S_IFDIR | mode,
        target: &[],
        special: 0,
    };
    folder_of(&new_place.folder)?
        .create(&new_place.name, &new)
        .map(|_| 0)
}

/// mknod(2).
pub(super) fn mknod([path, mode, device, ..]: Arguments) -> Answer {
    mknodat([HERE, path, mode, device, 0, 0])
}

/// The device of files that hide others in a lower layer, which anybody may make: they do nothing.
const WHITEOUT: u32 = 0;

/// mknodat(2). A socket is only a name: nobody listens behind one.
pub(super) fn mknodat([directory, path, mode, device, ..]: Arguments) -> Answer {
    let mode = mode as u32;
    let kind = match mode & S_IFMT {
        0 => S_IFREG,
        S_IFDIR => return Err(Errno::EPERM),
        kind @ (S_IFREG | S_IFCHR | S_IFBLK | S_IFIFO | S_IFSOCK) => kind,
        _ => return Err(Errno::EINVAL),
    };
    let new_place = path::vacant(directory, path, Slash::Refused)?;
    let is_device = kind == S_IFBLK || kind == S_IFCHR && device as u32 != WHITEOUT;
    if is_device && !current().may(CAP_MKNOD) {
        return Err(Errno::EPERM);
    }
    let new = New {
        mode: kind | mode & !S_IFMT & !current().working.mask(),
        target: &[],
        special: match kind {
            S_IFCHR | S_IFBLK => device,
            _ => 0,
        },
    };
    folder_of(&new_place.folder)?
        .create(&new_place.name, &new)
        .map(|_| 0)
}

/// symlink(2).
pub(super) fn symlink([target, path, ..]: Arguments) -> Answer {
    symlinkat([target, HERE, path, 0, 0, 0])
}

/// symlinkat(2).
pub(super) fn symlinkat([target, directory, path, ..]: Arguments) -> Answer {
    let target = user::path(target)?;
    if target.is_empty() {
        return Err(Errno::ENOENT);
    }
    let new_place = path::vacant(directory, path, Slash::Refused)?;
    let new = New {
        mode: S_IFLNK | 0o777,
        target: &target,
        special: 0,
    };
    folder_of(&new_place.folder)?
        .create(&new_place.name, &new)
        .map(|_| 0)
}

/// link(2).
pub(super) fn link([old, new, ..]: Arguments) -> Answer {
    linkat([HERE, old, HERE, new, 0, 0])
}

/// linkat(2).
pub(super) fn linkat([old_directory, old, directory, path, flags, ..]: Arguments) -> Answer {
    let flags = flags as u32;
    if flags & !(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let old = if flags & AT_EMPTY_PATH != 0 {
        // Unlike most calls, this one follows links only where it is told to.
        let kept = match flags & AT_SYMLINK_FOLLOW {
            0 => AT_SYMLINK_NOFOLLOW,
            _ => 0,
        };
        path::resolve_or_own(old_directory, old, flags | kept)?
    } else {
        path::resolve(old_directory, old, path::links_if(flags))?
    };
    let new_place = path::vacant(directory, path, Slash::Refused)?;
    if !new_place.folder.is_in(&old.mount) {
        return Err(Errno::EXDEV);
    }
    let status = old.inode.status();
    if status.mode & S_IFMT == S_IFDIR {
        return Err(Errno::EPERM);
    }
    folder_of(&new_place.folder)?
        .link(&new_place.name, old.inode)
        .map(|()| 0)
}

/// unlink(2).
pub(super) fn unlink([path, ..]: Arguments) -> Answer {
    unlinkat([HERE, path, 0, 0, 0, 0])
}

/// rmdir(2).
pub(super) fn rmdir([path, ..]: Arguments) -> Answer {
    unlinkat([HERE, path, AT_REMOVEDIR.into(), 0, 0, 0])
}

/// unlinkat(2).
pub(super) fn unlinkat([directory, path, flags, ..]: Arguments) -> Answer {
    match flags as u32 {
        0 => remove_file(&path::to_last(directory, path)?.checked()?),
        AT_REMOVEDIR => remove_folder(&path::to_last(directory, path)?.checked()?),
        _ => Err(Errno::EINVAL),
    }
}

fn remove_file(last: &Last) -> Answer {
    let Part::Name(name) = &last.part else {
        return Err(Errno::EISDIR);
    };
    let _writer = last.directory.mount.begin_writing()?;
    if last.ending == Ending::Slash {
        let is_directory = last.directory.enter(name)?.inode.is_directory();
        return Err(if is_directory {
            Errno::EISDIR
        } else {
            Errno::ENOTDIR
        });
    }
    let folder = folder_of(&last.directory)?;
    check_not_mountpoint(folder, name)?;
    folder.remove(name, Removal::File).map(|()| 0)
}

/// `EBUSY` where something is mounted on what is called `name`, by whatever way that is reached.
fn check_not_mountpoint(folder: &dyn Directory, name: &[u8]) -> Result<(), Errno> {
    if mount::is_mountpoint(folder.lookup(name)?.identity()) {
        Err(Errno::EBUSY)
    } else {
        Ok(())
    }
}

fn remove_folder(last: &Last) -> Answer {
    let name = match &last.part {
        Part::Name(name) => name,
        Part::Dot if last.directory.is_mount() && last.directory.mount.on().is_none() => {
            return Err(Errno::EBUSY);
        }
        Part::Dot => return Err(Errno::EINVAL),
        Part::DotDot => return Err(Errno::ENOTEMPTY),
    };
    let _writer = last.directory.mount.begin_writing()?;
    let folder = folder_of(&last.directory)?;
    check_not_mountpoint(folder, name)?;
    folder.remove(name, Removal::Folder).map(|()| 0)
}

/// rename(2).
pub(super) fn rename([old, new, ..]: Arguments) -> Answer {
    renameat2([HERE, old, HERE, new, 0, 0])
}

/// renameat(2).
pub(super) fn renameat([old_directory, old, directory, new, ..]: Arguments) -> Answer {
    renameat2([old_directory, old, directory, new, 0, 0])
}

/// renameat2(2).
pub(super) fn renameat2([old_directory, old, directory, new, flags, ..]: Arguments) -> Answer {
    let leaves_whiteout = flags as u32 & RENAME_WHITEOUT != 0;
    let taken = match flags as u32 & !RENAME_WHITEOUT {
        0 => Taken::Replace,
        RENAME_NOREPLACE => Taken::Refuse,
        RENAME_EXCHANGE if !leaves_whiteout => Taken::Exchange,
        _ => return Err(Errno::EINVAL),
    };
    let from = path::to_last(old_directory, old)?;
    let to = path::to_last(directory, new)?;
    if !from.directory.is_in(&to.directory.mount) {
        return Err(Errno::EXDEV);
    }
    let Part::Name(name) = &from.part else {
        return Err(Errno::EBUSY);
    };
    let Part::Name(new_name) = &to.part else {
        return Err(match taken {
            Taken::Refuse => Errno::EEXIST,
            _ => Errno::EBUSY,
        });
    };
    let _writer = from.directory.mount.begin_writing()?;
    check_ends(&from, name, &to, new_name, taken)?;
    let folder = folder_of(&from.directory)?;
    let target = to.directory.inode.clone();
    let done = if leaves_whiteout {
        folder.rename_from_whiteout(name, target, new_name, taken)
    } else {
        folder.rename(name, target, new_name, taken)
    };
    done.map(|()| 0)
}

/// What slashes and mounts forbid.
fn check_ends(
    from: &Last,
    name: &[u8],
    to: &Last,
    new_name: &[u8],
    taken: Taken,
) -> Result<(), Errno> {
    let old = from.directory.enter(name)?;
    let is_directory = old.inode.is_directory();
    let new = match to.directory.enter(new_name) {
        Err(Errno::ENOENT) => None,
        found => Some(found?),
    };
    if new.is_some() && taken == Taken::Refuse {
        return Err(Errno::EEXIST);
    }
    if new.is_none() && taken == Taken::Exchange {
        return Err(Errno::ENOENT);
    }
    if let (Some(new), Taken::Exchange) = (&new, taken)
        && to.ending == Ending::Slash
        && !new.inode.is_directory()
    {
        return Err(Errno::ENOTDIR);
    }
    let ends = if taken == Taken::Exchange {
        [from.ending, Ending::Plain]
    } else {
        [from.ending, to.ending]
    };
    if ends.contains(&Ending::Slash) && !is_directory {
        return Err(Errno::ENOTDIR);
    }
    check_not_mountpoint(folder_of(&from.directory)?, name)?;
    match new {
        Some(_) => check_not_mountpoint(folder_of(&to.directory)?, new_name),
        None => Ok(()),
    }
}
