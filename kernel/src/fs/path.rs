//! From a path to a file: part by part, through links, as path_resolution(7) says.
use alloc::vec::Vec;

use abi::Errno;

use super::node::Node;
use super::{Links, mount};

/// Longest path with its end, in bytes.
pub(crate) const PATH_MAX: usize = 4096;

/// Longest part of a path.
const NAME_MAX: usize = 255;

/// Links followed in one path at most.
const MAX_LINKS: usize = 40;

pub(super) fn resolve(path: &[u8], links: Links) -> Result<Node, Errno> {
    if path.is_empty() {
        return Err(Errno::ENOENT);
    }
    let mut walk = Walk {
        at: Vec::new(),
        followed: 0,
    };
    walk.go(path, links)?;
    let node = mount::find(&walk.at).ok_or(Errno::ENOENT)?;
    let wants_directory = path.ends_with(b"/");
    if wants_directory && !node.is_directory() {
        Err(Errno::ENOTDIR)
    } else {
        Ok(node)
    }
}

struct Walk {
    /// The path so far, without links, `.` and `..`.
    at: Vec<u8>,
    followed: usize,
}

impl Walk {
    fn go(&mut self, path: &[u8], links: Links) -> Result<(), Errno> {
        if path.starts_with(b"/") {
            self.at.clear();
        }
        let mut parts = path
            .split(|&byte| byte == b'/')
            .filter(|part| !part.is_empty())
            .peekable();
        while let Some(part) = parts.next() {
            let last = parts.peek().is_none() && !path.ends_with(b"/");
            self.step(part, if last { links } else { Links::Follow })?;
        }
        Ok(())
    }

    fn step(&mut self, part: &[u8], links: Links) -> Result<(), Errno> {
        let here = mount::find(&self.at).ok_or(Errno::ENOENT)?;
        if !here.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        match part {
            b"." => return Ok(()),
            b".." => {
                self.leave();
                return Ok(());
            }
            part if part.len() > NAME_MAX => return Err(Errno::ENAMETOOLONG),
            part => self.enter(part)?,
        }
        let node = mount::find(&self.at).ok_or(Errno::ENOENT)?;
        if !node.is_link() || links == Links::Keep {
            return Ok(());
        }
        self.followed += 1;
        if self.followed > MAX_LINKS {
            return Err(Errno::ELOOP);
        }
        self.leave();
        self.go(&node.target()?, Links::Follow)
    }

    fn enter(&mut self, part: &[u8]) -> Result<(), Errno> {
        self.at
            .try_reserve(part.len() + 1)
            .map_err(|_| Errno::ENOMEM)?;
        if !self.at.is_empty() {
            self.at.push(b'/');
        }
        self.at.extend_from_slice(part);
        Ok(())
    }

    fn leave(&mut self) {
        let parent = self.at.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        self.at.truncate(parent);
    }
}
