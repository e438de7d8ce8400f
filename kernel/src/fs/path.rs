//! From a path to a place: part by part, through links, as path_resolution(7) says.
use alloc::vec::Vec;

use abi::Errno;

use super::inode::{self, Link};
use super::place::Place;

/// Longest path with its end, in bytes.
pub(crate) const PATH_MAX: usize = 4096;

/// Longest part of a path.
pub(crate) const NAME_MAX: usize = 255;

/// Links followed in one path at most.
const MAX_LINKS: usize = 40;

/// Whether the last part of a path is followed where it is a link.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    Follow,
    Keep,
}

/// The end of a path that was walked up to its last part.
pub(crate) struct Last {
    /// The folder that it leads to.
    pub(crate) directory: Place,
    pub(crate) part: Part,
    /// Whether a slash is behind it.
    pub(crate) slash: bool,
}

/// The last part of a path.
pub(crate) enum Part {
    /// A name in the folder.
    Name(Vec<u8>),
    /// `.`, or nothing but slashes: the folder.
    Dot,
    /// `..`: the folder, which the path reached by it.
    DotDot,
}

/// What a path with its last part led to.
pub(crate) enum Found {
    /// Something that exists.
    Place(Place),
    /// Nothing yet, but the folder is there.
    Missing(Last),
}

/// A path that is being walked, and what came of it.
#[derive(Default)]
pub(crate) struct Walk {
    followed: usize,
}

/// What `path` leads to from `start`.
pub(crate) fn resolve(start: Place, path: &[u8], links: Links) -> Result<Place, Errno> {
    Walk::default().go(start, path, links)
}

/// The folder that `path` leads to from `start`, with the last part.
pub(crate) fn to_last(start: Place, path: &[u8]) -> Result<Last, Errno> {
    Walk::default().to_last(start, path)
}

/// As [`resolve`], where the last part need not exist.
pub(crate) fn find(start: Place, path: &[u8], links: Links) -> Result<Found, Errno> {
    Walk::default().find(start, path, links)
}

impl Walk {
    fn go(&mut self, start: Place, path: &[u8], links: Links) -> Result<Place, Errno> {
        match self.find(start, path, links)? {
            Found::Place(place) => Ok(place),
            Found::Missing(_) => Err(Errno::ENOENT),
        }
    }

    fn find(&mut self, start: Place, path: &[u8], links: Links) -> Result<Found, Errno> {
        let last = self.to_last(start, path)?;
        let Part::Name(name) = &last.part else {
            return Ok(Found::Place(last.directory));
        };
        let place = match last.directory.enter(name) {
            Ok(place) => place,
            Err(Errno::ENOENT) => return Ok(Found::Missing(last)),
            Err(errno) => return Err(errno),
        };
        if place.inode.is_link() && (links == Links::Follow || last.slash) {
            let found = self.follow(last.directory, &place)?;
            return self.check_slash(found, last.slash);
        }
        self.check_slash(Found::Place(place), last.slash)
    }

    /// What has a slash behind it must be a folder.
    fn check_slash(&self, found: Found, slash: bool) -> Result<Found, Errno> {
        match found {
            Found::Place(place) if slash && !place.inode.is_directory() => Err(Errno::ENOTDIR),
            Found::Missing(last) => Ok(Found::Missing(Last {
                slash: last.slash || slash,
                ..last
            })),
            found => Ok(found),
        }
    }

    fn to_last(&mut self, start: Place, path: &[u8]) -> Result<Last, Errno> {
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        let mut at = if path.starts_with(b"/") {
            Place::root()
        } else {
            start
        };
        let slash = path.ends_with(b"/");
        let mut parts = path
            .split(|&byte| byte == b'/')
            .filter(|part| !part.is_empty())
            .peekable();
        while let Some(part) = parts.next() {
            check(&at, part)?;
            if parts.peek().is_none() {
                return last(at, part, slash);
            }
            at = self.step(at, part)?;
        }
        Ok(Last {
            directory: at,
            part: Part::Dot,
            slash,
        })
    }

    /// Goes on by a part that is not the last.
    fn step(&mut self, at: Place, part: &[u8]) -> Result<Place, Errno> {
        match part {
            b"." => Ok(at),
            b".." => at.parent(),
            part => {
                let place = at.enter(part)?;
                if !place.inode.is_link() {
                    return Ok(place);
                }
                match self.follow(at, &place)? {
                    Found::Place(place) => Ok(place),
                    Found::Missing(_) => Err(Errno::ENOENT),
                }
            }
        }
    }

    /// Where the link at `place` leads, which is in `directory`.
    fn follow(&mut self, directory: Place, place: &Place) -> Result<Found, Errno> {
        self.followed += 1;
        if self.followed > MAX_LINKS {
            return Err(Errno::ELOOP);
        }
        match place.inode.link()? {
            Link::Path(path) => self.find(directory, &path, Links::Follow),
            Link::Place(place) => Ok(Found::Place(place)),
        }
    }
}

/// Whether there can be a `part` in `at`.
fn check(at: &Place, part: &[u8]) -> Result<(), Errno> {
    if !at.inode.is_directory() {
        Err(Errno::ENOTDIR)
    } else if part.len() > NAME_MAX {
        Err(Errno::ENAMETOOLONG)
    } else {
        Ok(())
    }
}

fn last(at: Place, part: &[u8], slash: bool) -> Result<Last, Errno> {
    let (directory, part) = match part {
        b"." => (at, Part::Dot),
        b".." => (at.parent()?, Part::DotDot),
        name => (at, Part::Name(inode::copy(name)?)),
    };
    Ok(Last {
        directory,
        part,
        slash,
    })
}
