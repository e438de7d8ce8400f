//! Paths as calls take them: from a folder's descriptor or the working folder on.
use abi::Errno;
use abi::general::{AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_FOLLOW, AT_SYMLINK_NOFOLLOW, O_NOFOLLOW};

use super::file::any_descriptor;
use super::user;
use crate::fs;
use crate::fs::mount::Writer;
use crate::fs::path::{self, Ending, Found, Last, Links, Part};
use crate::fs::place::Place;
use crate::process::current;

/// The working folder, as the first argument of the `at` family.
pub(super) const HERE: u64 = AT_FDCWD as u64;

/// Where `path` begins.
fn start(directory: u64, path: &[u8]) -> Result<Place, Errno> {
    if path.starts_with(b"/") {
        return Ok(Place::root());
    }
    if path.is_empty() {
        return Err(Errno::ENOENT);
    }
    if directory as i32 == AT_FDCWD {
        return Ok(current().working.directory());
    }
    let place = any_descriptor(directory)?.file.place.clone();
    let place = place.ok_or(Errno::ENOTDIR)?;
    if place.inode.is_directory() {
        Ok(place)
    } else {
        Err(Errno::ENOTDIR)
    }
}

/// What the path at address `path` leads to.
pub(super) fn resolve(directory: u64, path: u64, links: Links) -> Result<Place, Errno> {
    let path = user::path(path)?;
    path::resolve(start(directory, &path)?, &path, links)
}

/// What a path leads to that was copied in already, from the working folder on.
pub(super) fn resolve_bytes(path: &[u8], links: Links) -> Result<Place, Errno> {
    path::resolve(start(HERE, path)?, path, links)
}

/// The same, where the path may be empty by AT_EMPTY_PATH and means the descriptor then, or the working folder.
pub(super) fn resolve_or_own(directory: u64, path: u64, flags: u32) -> Result<Place, Errno> {
    let path = user::path(path)?;
    if !path.is_empty() || flags & AT_EMPTY_PATH == 0 {
        return path::resolve(start(directory, &path)?, &path, links_but(flags));
    }
    if directory as i32 == AT_FDCWD {
        return Ok(current().working.directory());
    }
    fs::place_of(any_descriptor(directory)?.file)
}

/// The folder that the path at address `path` leads to, and its last part.
pub(super) fn to_last(directory: u64, path: u64) -> Result<Last, Errno> {
    let path = user::path(path)?;
    path::to_last(start(directory, &path)?, &path)
}

/// What the path leads to, or the folder where that would be, for O_CREAT.
pub(super) fn find_to_create(directory: u64, path: u64, links: Links) -> Result<Found, Errno> {
    let path = user::path(path)?;
    path::find_to_create(start(directory, &path)?, &path, links)
}

/// A place where something new can be.
pub(super) struct Vacant {
    pub(super) folder: Place,
    pub(super) name: alloc::vec::Vec<u8>,
    _writer: Writer,
}

/// A place where something new can be: `EEXIST` where something is, `EROFS` where nothing can be made. Only folders may
/// have a slash behind them.
pub(super) fn vacant(directory: u64, path: u64, slash: Slash) -> Result<Vacant, Errno> {
    let last = to_last(directory, path)?;
    let Part::Name(name) = last.part else {
        return Err(Errno::EEXIST);
    };
    match last.directory.enter(&name) {
        Ok(_) => Err(Errno::EEXIST),
        Err(Errno::ENOENT) if last.ending == Ending::Slash && slash == Slash::Refused => {
            Err(Errno::ENOENT)
        }
        Err(Errno::ENOENT) => Ok(Vacant {
            _writer: last.directory.mount.begin_writing()?,
            folder: last.directory,
            name,
        }),
        Err(errno) => Err(errno),
    }
}

/// Whether the path of something new may end with a slash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Slash {
    Allowed,
    Refused,
}

/// Links are followed but where AT_SYMLINK_NOFOLLOW is given.
pub(super) fn links_but(flags: u32) -> Links {
    kept_by(flags & AT_SYMLINK_NOFOLLOW)
}

/// Links are kept but where AT_SYMLINK_FOLLOW is given.
pub(super) fn links_if(flags: u32) -> Links {
    kept_by(!flags & AT_SYMLINK_FOLLOW)
}

/// As open(2)'s flags have it.
pub(super) fn links_of_open(flags: u32) -> Links {
    kept_by(flags & O_NOFOLLOW)
}

fn kept_by(flag: u32) -> Links {
    match flag {
        0 => Links::Follow,
        _ => Links::Keep,
    }
}
