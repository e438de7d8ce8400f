//! Locks of files: of whole ones by flock(2), of ranges of bytes by fcntl(2).

use abi::general::F_UNLCK;
use abi::{Errno, Sysno};

use crate::file::fcntl;
use crate::process::Pid;
use crate::syscall::call;

/// A `struct flock`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// F_RDLCK, F_WRLCK or F_UNLCK.
    pub kind: u16,
    /// What `start` is counted from: SEEK_SET and its like.
    pub whence: u16,
    padding: u32,
    /// The first byte.
    pub start: i64,
    /// How many bytes; 0 for all, negative for those before `start`.
    pub length: i64,
    /// Who holds it.
    pub pid: Pid,
    padding_behind: u32,
}

impl Range {
    /// `length` bytes from `start` on.
    pub fn new(kind: u32, start: i64, length: i64) -> Self {
        Self {
            kind: kind as u16,
            whence: 0,
            padding: 0,
            start,
            length,
            pid: 0,
            padding_behind: 0,
        }
    }

    /// The same, counted from elsewhere.
    pub fn from(self, whence: u32) -> Self {
        Self {
            whence: whence as u16,
            ..self
        }
    }
}

/// flock(2).
pub fn whole(fd: u32, operation: u32) -> Result<(), Errno> {
    call(Sysno::flock, [fd as usize, operation as usize]).map(drop)
}

/// Takes or gives up a range: `command` is one of F_SETLK and its kin.
pub fn set(fd: u32, command: u32, range: Range) -> Result<(), Errno> {
    fcntl(fd, command, &raw const range as usize).map(drop)
}

/// The lock that is in the way of `range`: `command` is F_GETLK or F_OFD_GETLK.
pub fn ask(fd: u32, command: u32, mut range: Range) -> Result<Option<Range>, Errno> {
    fcntl(fd, command, &raw mut range as usize)?;
    Ok(Some(range).filter(|range| u32::from(range.kind) != F_UNLCK))
}
