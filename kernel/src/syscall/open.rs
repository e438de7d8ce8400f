//! `open` and its kin: a path becomes an open file, a new one where that is asked for.
use alloc::sync::Arc;

use abi::Errno;
use abi::general::{
    __O_TMPFILE, MS_NODEV, O_ACCMODE, O_APPEND, O_CLOEXEC, O_CREAT, O_DIRECT, O_DIRECTORY, O_EXCL,
    O_LARGEFILE, O_NOATIME, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDONLY, O_SYNC, O_TMPFILE, O_TRUNC,
    O_WRONLY, S_IFBLK, S_IFCHR, S_IFREG,
};

use super::descriptor::add;
use super::path::{self, HERE};
use super::{Answer, Arguments};
use crate::fs::inode::{New, PERMISSIONS, Unnamed};
use crate::fs::listing;
use crate::fs::open::OpenFile;
use crate::fs::path::{Found, Last, Links, Part};
use crate::fs::place::Place;
use crate::process::{current, signal};

/// Flags that stay with the open file.
const KEPT: u32 = O_ACCMODE
    | O_APPEND
    | O_NONBLOCK
    | O_DIRECT
    | O_NOATIME
    | O_NOFOLLOW
    | O_SYNC
    | O_DIRECTORY
    | __O_TMPFILE;

/// Flags that mean something where O_PATH is.
const OF_PATH: u32 = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

/// open(2).
pub(super) fn open([path, flags, mode, ..]: Arguments) -> Answer {
    openat([HERE, path, flags, mode, 0, 0])
}

/// creat(2).
pub(super) fn creat([path, mode, ..]: Arguments) -> Answer {
    openat([
        HERE,
        path,
        (O_CREAT | O_WRONLY | O_TRUNC).into(),
        mode,
        0,
        0,
    ])
}

/// openat(2).
pub(super) fn openat([directory, path, flags, mode, ..]: Arguments) -> Answer {
    let flags = flags as u32;
    let flags = if flags & O_PATH != 0 {
        flags & OF_PATH
    } else {
        flags
    };
    if flags & (O_CREAT | O_DIRECTORY) == O_CREAT | O_DIRECTORY {
        return Err(Errno::EINVAL);
    }
    let mode = mode as u32 & PERMISSIONS & !current().working.mask();
    check_numbers()?;
    let file = if flags & __O_TMPFILE != 0 {
        open_unnamed(directory, path, flags, mode)?
    } else if flags & O_CREAT != 0 {
        open_or_create(directory, path, flags, mode)?
    } else {
        let place = path::resolve(directory, path, path::links_of_open(flags))?;
        open_place(&place, flags)?
    };
    add(file, flags)
}

/// `EMFILE` before anything is made or cut short that nobody could use.
fn check_numbers() -> Result<(), Errno> {
    let process = current();
    process.files.check_room(process.limits().files())
}

/// O_TMPFILE.
fn open_unnamed(directory: u64, path: u64, flags: u32, mode: u32) -> Result<Arc<OpenFile>, Errno> {
    if flags & O_TMPFILE != O_TMPFILE || flags & O_ACCMODE == O_RDONLY {
        return Err(Errno::EINVAL);
    }
    let place = path::resolve(directory, path, Links::Follow)?;
    let folder = place.inode.directory().ok_or(Errno::ENOTDIR)?;
    let later = match flags & O_EXCL {
        0 => Unnamed::Linkable,
        _ => Unnamed::ForGood,
    };
    let _writer = place.mount.begin_writing()?;
    let inode = folder.create_unnamed(mode, later)?;
    let place = Place {
        mount: place.mount.clone(),
        inode,
    };
    place.inode.clone().open(&place, flags & KEPT | O_LARGEFILE)
}

/// O_CREAT.
fn open_or_create(
    directory: u64,
    path: u64,
    flags: u32,
    mode: u32,
) -> Result<Arc<OpenFile>, Errno> {
    let links = match flags & O_EXCL {
        0 => path::links_of_open(flags),
        _ => Links::Keep,
    };
    loop {
        let made = match path::find_to_create(directory, path, links)? {
            Found::Place(_) if flags & O_EXCL != 0 => Err(Errno::EEXIST),
            Found::Place(place) if place.inode.is_directory() => Err(Errno::EISDIR),
            Found::Place(place) => return open_place(&place, flags),
            Found::Missing(last) => create(&last, flags, mode),
        };
        match made {
            // Another made it in between; what they made is looked at, unless it is gone again.
            Err(Errno::EEXIST) if flags & O_EXCL == 0 && !signal::is_dying() => {}
            made => return made,
        }
    }
}

fn create(last: &Last, flags: u32, mode: u32) -> Result<Arc<OpenFile>, Errno> {
    let Part::Name(name) = &last.part else {
        return Err(Errno::EISDIR);
    };
    let folder = last.directory.inode.directory().ok_or(Errno::ENOTDIR)?;
    let new = New {
        mode: S_IFREG | mode,
        target: &[],
        special: 0,
    };
    let _writer = last.directory.mount.begin_writing()?;
    let place = Place {
        mount: last.directory.mount.clone(),
        inode: folder.create(name, &new)?,
    };
    place.inode.clone().open(&place, flags & KEPT | O_LARGEFILE)
}

/// Opens what is there.
fn open_place(place: &Place, flags: u32) -> Result<Arc<OpenFile>, Errno> {
    let inode = &place.inode;
    let is_directory = inode.is_directory();
    if flags & O_DIRECTORY != 0 && !is_directory {
        return Err(Errno::ENOTDIR);
    }
    if flags & O_PATH != 0 {
        return listing::open_path(place, flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW));
    }
    if inode.is_link() {
        return Err(Errno::ELOOP);
    }
    let is_device = [S_IFCHR, S_IFBLK].contains(&inode.kind());
    if is_device && place.mount.has(MS_NODEV) {
        return Err(Errno::EACCES);
    }
    let for_writing = flags & O_ACCMODE != O_RDONLY;
    if is_directory && (for_writing || flags & O_TRUNC != 0) {
        return Err(Errno::EISDIR);
    }
    let file = inode.clone().open(place, flags & KEPT | O_LARGEFILE)?;
    if flags & O_DIRECT != 0 && !may_be_direct(&file) {
        return Err(Errno::EINVAL);
    }
    if flags & O_TRUNC != 0 && inode.is_regular() {
        cut(place)?;
    }
    Ok(file)
}

/// O_TRUNC, which makes the opener a writer for a moment, also where only reading was asked for.
fn cut(place: &Place) -> Result<(), Errno> {
    let writer = place.inode.clone().open(place, O_WRONLY)?;
    match writer.kind.set_size(0) {
        // What is made up when it is read can't be cut.
        Err(Errno::EINVAL) => Ok(()),
        cut => cut,
    }
}

/// Whether O_DIRECT makes sense for it.
pub(super) fn may_be_direct(open: &OpenFile) -> bool {
    let kind = &open.kind;
    let has_name = kind.is_regular() && kind.memfd().is_none();
    has_name || kind.pipe().is_some() || kind.volume().is_some()
}
