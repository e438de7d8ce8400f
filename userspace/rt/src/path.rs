//! Files by name: what makes, moves and removes them, and what is known of them.

use core::ffi::CStr;

use abi::general::{AT_FDCWD, stat};
use abi::{Errno, Sysno};

use crate::file::from_words;
use crate::syscall::call;

/// The working folder, where a call takes a folder's descriptor.
pub const HERE: u32 = AT_FDCWD as u32;

fn address(path: &CStr) -> usize {
    path.as_ptr() as usize
}

/// Opens the file at `path` from folder `at` on, making it with `mode` where that is asked for: openat(2).
pub fn open_at(at: u32, path: &CStr, flags: u32, mode: u32) -> Result<u32, Errno> {
    let arguments = [at as usize, address(path), flags as usize, mode as usize];
    call(Sysno::openat, arguments).map(|number| number as u32)
}

/// Makes a folder: mkdir(2).
pub fn make_folder(path: &CStr, mode: u32) -> Result<(), Errno> {
    call(Sysno::mkdir, [address(path), mode as usize]).map(drop)
}

/// Removes an empty folder: rmdir(2).
pub fn remove_folder(path: &CStr) -> Result<(), Errno> {
    call(Sysno::rmdir, [address(path)]).map(drop)
}

/// Removes a name: unlink(2).
pub fn remove(path: &CStr) -> Result<(), Errno> {
    call(Sysno::unlink, [address(path)]).map(drop)
}

/// Moves a name, with the flags of renameat2(2).
pub fn rename(old: &CStr, new: &CStr, flags: u32) -> Result<(), Errno> {
    let here = HERE as usize;
    let arguments = [here, address(old), here, address(new), flags as usize];
    call(Sysno::renameat2, arguments).map(drop)
}

/// One more name for a file: link(2).
pub fn link(old: &CStr, new: &CStr) -> Result<(), Errno> {
    call(Sysno::link, [address(old), address(new)]).map(drop)
}

/// One more name for what `old` leads to from folder `at` on: linkat(2).
pub fn link_at(at: u32, old: &CStr, new: &CStr, flags: u32) -> Result<(), Errno> {
    let here = HERE as usize;
    let arguments = [
        at as usize,
        address(old),
        here,
        address(new),
        flags as usize,
    ];
    call(Sysno::linkat, arguments).map(drop)
}

/// Sets the times of the last access and the last change, seconds and nanoseconds each: utimensat(2).
pub fn set_times(at: u32, path: &CStr, times: Option<[u64; 4]>, flags: u32) -> Result<(), Errno> {
    let place = times.as_ref().map_or(0, |times| times.as_ptr() as usize);
    let arguments = [at as usize, address(path), place, flags as usize];
    call(Sysno::utimensat, arguments).map(drop)
}

/// Whether the file may be used so: faccessat2(2).
pub fn access(path: &CStr, mode: u32, flags: u32) -> Result<(), Errno> {
    let arguments = [HERE as usize, address(path), mode as usize, flags as usize];
    call(Sysno::faccessat2, arguments).map(drop)
}

/// A link to a path: symlink(2).
pub fn link_to(target: &CStr, path: &CStr) -> Result<(), Errno> {
    call(Sysno::symlink, [address(target), address(path)]).map(drop)
}

/// Makes a file of any kind but folders and links: mknod(2).
pub fn make_node(path: &CStr, mode: u32, device: u64) -> Result<(), Errno> {
    let arguments = [address(path), mode as usize, device as usize];
    call(Sysno::mknod, arguments).map(drop)
}

/// What lstat(2) says of `path`.
pub fn status_of(path: &CStr) -> Result<stat, Errno> {
    let mut words = [0u64; 18];
    call(Sysno::lstat, [address(path), words.as_mut_ptr() as usize])?;
    Ok(from_words(words))
}

/// Gives the file at `path` another length: truncate(2).
pub fn truncate(path: &CStr, length: usize) -> Result<(), Errno> {
    call(Sysno::truncate, [address(path), length]).map(drop)
}

/// Changes permissions: chmod(2).
pub fn set_mode(path: &CStr, mode: u32) -> Result<(), Errno> {
    call(Sysno::chmod, [address(path), mode as usize]).map(drop)
}

/// The same of an open file: fchmod(2).
pub fn set_mode_of(fd: u32, mode: u32) -> Result<(), Errno> {
    call(Sysno::fchmod, [fd as usize, mode as usize]).map(drop)
}

/// Gives an open file to a user and a group: fchown(2).
pub fn set_owner_of(fd: u32, user: u32, group: u32) -> Result<(), Errno> {
    call(Sysno::fchown, [fd as usize, user as usize, group as usize]).map(drop)
}

/// Permissions that new files never get; returns those before: umask(2).
pub fn set_mask(mask: u32) -> u32 {
    call(Sysno::umask, [mask as usize]).unwrap_or(0) as u32
}

/// Goes to another working folder: chdir(2).
pub fn go(path: &CStr) -> Result<(), Errno> {
    call(Sysno::chdir, [address(path)]).map(drop)
}

/// Stores the path of the working folder, and says how long it is with its end: getcwd(2).
pub fn working_folder(buffer: &mut [u8]) -> Result<usize, Errno> {
    call(Sysno::getcwd, [buffer.as_mut_ptr() as usize, buffer.len()])
}

/// Stores entries of an open folder: getdents64(2).
pub fn list(fd: u32, buffer: &mut [u8]) -> Result<usize, Errno> {
    let arguments = [fd as usize, buffer.as_mut_ptr() as usize, buffer.len()];
    call(Sysno::getdents64, arguments)
}
