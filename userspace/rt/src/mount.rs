//! File systems that come and go.

use core::ffi::CStr;

use abi::{Errno, Sysno};

use crate::syscall::call;

fn address(text: Option<&CStr>) -> usize {
    text.map_or(0, |text| text.as_ptr() as usize)
}

/// Hangs a file system of this kind on `place`: mount(2).
pub fn mount(
    source: Option<&CStr>,
    place: &CStr,
    kind: Option<&CStr>,
    flags: u32,
    words: Option<&CStr>,
) -> Result<(), Errno> {
    let arguments = [
        address(source),
        address(Some(place)),
        address(kind),
        flags as usize,
        address(words),
    ];
    call(Sysno::mount, arguments).map(drop)
}

/// Takes away what hangs on `place`: umount2(2).
pub fn unmount(place: &CStr, flags: u32) -> Result<(), Errno> {
    call(Sysno::umount2, [address(Some(place)), flags as usize]).map(drop)
}

/// Gives the process a tree of mounts of its own, where the kernel knows more than one: unshare(2).
pub fn part(flags: u32) -> Result<(), Errno> {
    call(Sysno::unshare, [flags as usize]).map(drop)
}

/// Brings all that is in memory to where it belongs: sync(2).
pub fn sync() {
    let _ = call(Sysno::sync, []);
}

/// What statfs(2) says of the file system at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Its kind.
    pub kind: u64,
    /// Bytes of a block.
    pub block_size: u64,
    /// All blocks, and those that are free.
    pub blocks: [u64; 2],
    /// All inodes, and those that are free.
    pub inodes: [u64; 2],
    /// How it is mounted.
    pub flags: u64,
}

/// What is left where `path` leads: statfs(2).
pub fn room(path: &CStr) -> Result<Room, Errno> {
    let mut words = [0_u64; 15];
    let place = words.as_mut_ptr() as usize;
    call(Sysno::statfs, [path.as_ptr() as usize, place])?;
    Ok(Room {
        kind: words[0],
        block_size: words[1],
        blocks: [words[2], words[3]],
        inodes: [words[5], words[6]],
        flags: words[10],
    })
}
