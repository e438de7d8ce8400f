//! From a path to a place: part by part, through links, as path_resolution(7) says.
use alloc::vec::Vec;

use abi::Errno;
use abi::general::MS_NOSYMFOLLOW;

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
    pub(crate) ending: Ending,
}

/// What is behind the last part of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Plain,
    /// A slash: whatever the part names must be a folder.
    Slash,
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

/// As [`resolve`] for O_CREAT: the last part need not exist, and a name with a slash behind it is refused, whatever it
/// stands for.
pub(crate) fn find_to_create(start: Place, path: &[u8], links: Links) -> Result<Found, Errno> {
    let mut walk = Walk {
        slash: Slash::Refused,
        ..Walk::default()
    };
    walk.find(start, path, links)
}

/// What a slash behind the last name means.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Slash {
    /// That it must be a folder.
    #[default]
    Allowed,
    /// That it is no file that could be made.
    Refused,
}

/// A path that is being walked, and what came of it.
#[derive(Default)]
pub(crate) struct Walk {
    followed: usize,
    slash: Slash,
}

/// What `path` leads to from `start`.
pub(crate) fn resolve(start: Place, path: &[u8], links: Links) -> Result<Place, Errno> {
    Walk::default().go(start, path, links)
}

/// The folder that `path` leads to from `start`, with the last part, which may be too long: as any part it is looked at
/// when it is looked up.
pub(crate) fn to_last(start: Place, path: &[u8]) -> Result<Last, Errno> {
    Walk::default().walk_to_last(start, path)
}

impl Last {
    /// The same, whose part is looked up by nobody else.
    pub(crate) fn checked(self) -> Result<Self, Errno> {
        match &self.part {
            Part::Name(name) => check_length(name)?,
            Part::Dot | Part::DotDot => {}
        }
        Ok(self)
    }
}

impl Walk {
    fn go(&mut self, start: Place, path: &[u8], links: Links) -> Result<Place, Errno> {
        match self.find(start, path, links)? {
            Found::Place(place) => Ok(place),
            Found::Missing(_) => Err(Errno::ENOENT),
        }
    }

    fn find(&mut self, start: Place, path: &[u8], links: Links) -> Result<Found, Errno> {
        let mut last = self.walk_to_last(start, path)?;
        loop {
            let Part::Name(name) = &last.part else {
                return Ok(Found::Place(last.directory));
            };
            if (self.slash, last.ending) == (Slash::Refused, Ending::Slash) {
                return Err(Errno::EISDIR);
            }
            let place = match last.directory.enter(name) {
                Err(Errno::ENOENT) => return Ok(Found::Missing(last)),
                found => found?,
            };
            let is_followed = links == Links::Follow || last.ending == Ending::Slash;
            if !place.inode.is_link() || !is_followed {
                return check_ending(place, last.ending);
            }
            let rest: &[u8] = match last.ending {
                Ending::Slash => b"/",
                Ending::Plain => b"",
            };
            last = match self.follow(last.directory, &place, rest)? {
                Next::Path(at, path) => self.walk_to_last(at, &path)?,
                Next::Place(place) => return check_ending(place, last.ending),
            };
        }
    }

    fn walk_to_last(&mut self, start: Place, path: &[u8]) -> Result<Last, Errno> {
        let mut stop = go_on(start, path)?;
        loop {
            match stop {
                Stop::Last(last) => return Ok(last),
                Stop::Link(directory, place, rest) => {
                    stop = match self.follow(directory, &place, &rest)? {
                        Next::Path(at, path) => go_on(at, &path)?,
                        Next::Place(at) => go_on(at, &with_rest(b".", &rest)?)?,
                    };
                }
            }
        }
    }

    /// Where the link at `place` leads, which is in `directory`, with what of the path is behind it.
    fn follow(&mut self, directory: Place, place: &Place, rest: &[u8]) -> Result<Next, Errno> {
        self.followed += 1;
        if self.followed > MAX_LINKS {
            return Err(Errno::ELOOP);
        }
        if place.mount.has(MS_NOSYMFOLLOW) {
            return Err(Errno::ELOOP);
        }
        match place.inode.link()? {
            Link::Path(path) if path.is_empty() => Err(Errno::ENOENT),
            Link::Path(path) => Ok(Next::Path(directory, with_rest(&path, rest)?)),
            Link::Place(place) => Ok(Next::Place(place)),
        }
    }
}

/// How a walk goes on behind a link.
enum Next {
    /// From this folder, by this path.
    Path(Place, Vec<u8>),
    /// Here.
    Place(Place),
}

/// Where a walk stops.
enum Stop {
    Last(Last),
    /// In this folder, at this link, before this rest of the path.
    Link(Place, Place, Vec<u8>),
}

/// Walks to the last part, or to the first link before it. Links are not followed in here, so that no path needs much of
/// the kernel's stack.
fn go_on(start: Place, path: &[u8]) -> Result<Stop, Errno> {
    if path.is_empty() {
        return Err(Errno::ENOENT);
    }
    let mut at = if path.starts_with(b"/") {
        Place::root()
    } else {
        start
    };
    let ending = match path.last() {
        Some(b'/') => Ending::Slash,
        _ => Ending::Plain,
    };
    let mut rest = unslashed(path);
    while !rest.is_empty() {
        let end = rest.iter().position(|&byte| byte == b'/');
        let (part, behind) = rest.split_at(end.unwrap_or(rest.len()));
        if !at.inode.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        rest = unslashed(behind);
        if rest.is_empty() {
            return last(at, part, ending).map(Stop::Last);
        }
        let next = match part {
            b"." => at.clone(),
            b".." => at.parent()?,
            part => at.enter(part)?,
        };
        if next.inode.is_link() {
            return Ok(Stop::Link(at, next, inode::copy(behind)?));
        }
        at = next;
    }
    Ok(Stop::Last(Last {
        directory: at,
        part: Part::Dot,
        ending,
    }))
}

/// What has a slash behind it must be a folder.
fn check_ending(place: Place, ending: Ending) -> Result<Found, Errno> {
    if ending == Ending::Slash && !place.inode.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    Ok(Found::Place(place))
}

fn with_rest(path: &[u8], rest: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut whole = inode::copy(path)?;
    inode::extend(&mut whole, rest)?;
    Ok(whole)
}

/// `path` without slashes in front.
fn unslashed(path: &[u8]) -> &[u8] {
    let start = path.iter().position(|&byte| byte != b'/');
    &path[start.unwrap_or(path.len())..]
}

/// Whether a part of a path is short enough.
pub(super) fn check_length(part: &[u8]) -> Result<(), Errno> {
    if part.len() > NAME_MAX {
        Err(Errno::ENAMETOOLONG)
    } else {
        Ok(())
    }
}

fn last(at: Place, part: &[u8], ending: Ending) -> Result<Last, Errno> {
    let (directory, part) = match part {
        b"." => (at, Part::Dot),
        b".." => (at.parent()?, Part::DotDot),
        name => (at, Part::Name(inode::copy(name)?)),
    };
    Ok(Last {
        directory,
        part,
        ending,
    })
}
