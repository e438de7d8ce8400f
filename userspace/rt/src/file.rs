//! Open files, with names and without: memory files and pipes, their lengths, holes, seals and mappings.
//!
//! Descriptors and flags are plain numbers, as everywhere here; whoever opens a file closes it.

use abi::general::{AT_EMPTY_PATH, STATX_DIOALIGN, stat};
use abi::{Errno, Sysno};

use crate::syscall::call;

/// Opens the file at `path`: open(2).
pub fn open(path: &core::ffi::CStr, flags: u32) -> Result<u32, Errno> {
    let arguments = [path.as_ptr() as usize, flags as usize, 0];
    call(Sysno::open, arguments).map(|number| number as u32)
}

/// Stores where the link at `path` leads, and says how long that is: readlink(2).
pub fn read_link(path: &core::ffi::CStr, buffer: &mut [u8]) -> Result<usize, Errno> {
    let start = buffer.as_mut_ptr() as usize;
    let arguments = [path.as_ptr() as usize, start, buffer.len()];
    call(Sysno::readlink, arguments)
}

/// A new memory file: memfd_create(2). The name must end with a NUL byte.
pub fn memfd(name: &core::ffi::CStr, flags: u32) -> Result<u32, Errno> {
    let name = name.as_ptr() as usize;
    call(Sysno::memfd_create, [name, flags as usize]).map(|number| number as u32)
}

/// A new pipe's ends, for reading and for writing: pipe2(2).
pub fn pipe(flags: u32) -> Result<[u32; 2], Errno> {
    let mut ends = [0; 2];
    call(Sysno::pipe2, [ends.as_mut_ptr() as usize, flags as usize])?;
    Ok(ends)
}

/// Gives a descriptor up.
pub fn close(fd: u32) -> Result<(), Errno> {
    call(Sysno::close, [fd as usize]).map(drop)
}

/// Lets `new` stand for what `old` does: dup3(2).
pub fn duplicate(old: u32, new: u32, flags: u32) -> Result<u32, Errno> {
    let arguments = [old as usize, new as usize, flags as usize];
    call(Sysno::dup3, arguments).map(|number| number as u32)
}

/// fcntl(2) with a number.
pub fn fcntl(fd: u32, command: u32, argument: usize) -> Result<usize, Errno> {
    call(Sysno::fcntl, [fd as usize, command as usize, argument])
}

/// Gives a file another length.
pub fn truncate(fd: u32, length: usize) -> Result<(), Errno> {
    call(Sysno::ftruncate, [fd as usize, length]).map(drop)
}

/// fallocate(2).
pub fn allocate(fd: u32, mode: u32, start: usize, length: usize) -> Result<(), Errno> {
    call(
        Sysno::fallocate,
        [fd as usize, mode as usize, start, length],
    )
    .map(drop)
}

/// The word that ioctl(2) answers `request` by.
pub fn ask(fd: u32, request: u32) -> Result<u64, Errno> {
    let mut word = 0_u64;
    let place = core::ptr::from_mut(&mut word) as usize;
    call(Sysno::ioctl, [fd as usize, request as usize, place])?;
    Ok(word)
}

/// Has what a file holds survive the loss of power: fsync(2).
pub fn sync(fd: u32) -> Result<(), Errno> {
    call(Sysno::fsync, [fd as usize]).map(drop)
}

/// Says how `length` bytes from `start` on will be used, 0 for all behind it: posix_fadvise(2).
pub fn advise(fd: u32, start: usize, length: usize, advice: u32) -> Result<(), Errno> {
    let arguments = [fd as usize, start, length, advice as usize];
    call(Sysno::fadvise64, arguments).map(drop)
}

/// Has bytes read that will be needed: readahead(2).
pub fn read_ahead(fd: u32, start: usize, length: usize) -> Result<(), Errno> {
    call(Sysno::readahead, [fd as usize, start, length]).map(drop)
}

/// lseek(2).
pub fn seek(fd: u32, offset: isize, whence: u32) -> Result<usize, Errno> {
    call(
        Sysno::lseek,
        [fd as usize, offset as usize, whence as usize],
    )
}

/// Reads from a place.
pub fn read_at(fd: u32, buffer: &mut [u8], at: usize) -> Result<usize, Errno> {
    let start = buffer.as_mut_ptr() as usize;
    call(Sysno::pread64, [fd as usize, start, buffer.len(), at])
}

/// Writes to a place.
pub fn write_at(fd: u32, bytes: &[u8], at: usize) -> Result<usize, Errno> {
    let start = bytes.as_ptr() as usize;
    call(Sysno::pwrite64, [fd as usize, start, bytes.len(), at])
}

/// Reads from a place to an address, which may be any: pread(2).
pub fn fill_from(fd: u32, start: usize, length: usize, at: usize) -> Result<usize, Errno> {
    call(Sysno::pread64, [fd as usize, start, length, at])
}

/// Writes to a place from an address, which may be any: pwrite(2).
pub fn write_from(fd: u32, start: usize, length: usize, at: usize) -> Result<usize, Errno> {
    call(Sysno::pwrite64, [fd as usize, start, length, at])
}

/// What statx(2) says that offsets have to be multiples of for O_DIRECT, if it says so.
pub fn direct_unit(fd: u32) -> Option<u32> {
    let mut words = [0_u64; 32];
    let (empty, place) = (c"".as_ptr() as usize, words.as_mut_ptr() as usize);
    let (flags, mask) = (AT_EMPTY_PATH as usize, STATX_DIOALIGN as usize);
    call(Sysno::statx, [fd as usize, empty, flags, mask, place]).ok()?;
    (words[0] as u32 & STATX_DIOALIGN != 0).then_some((words[19] >> 32) as u32)
}

/// What fstat(2) says.
pub fn status(fd: u32) -> Result<stat, Errno> {
    let mut words = [0u64; 18];
    call(Sysno::fstat, [fd as usize, words.as_mut_ptr() as usize])?;
    Ok(from_words(words))
}

/// The fields that programs here look at.
pub(crate) fn from_words(words: [u64; 18]) -> stat {
    stat {
        st_dev: words[0],
        st_ino: words[1],
        st_nlink: words[2],
        st_mode: words[3] as u32,
        st_uid: (words[3] >> 32) as u32,
        st_gid: words[4] as u32,
        __pad0: 0,
        st_rdev: words[5],
        st_size: words[6] as i64,
        st_blksize: words[7] as i64,
        st_blocks: words[8] as i64,
        st_atime: words[9],
        st_atime_nsec: words[10],
        st_mtime: words[11],
        st_mtime_nsec: words[12],
        st_ctime: words[13],
        st_ctime_nsec: words[14],
        __unused: [0; 3],
    }
}

/// Maps `length` bytes of a file from `offset` on; `flags` say MAP_SHARED or MAP_PRIVATE.
pub fn map(
    fd: u32,
    length: usize,
    protection: u32,
    flags: u32,
    offset: usize,
) -> Result<usize, Errno> {
    map_at(0, fd, offset, length, protection, flags)
}

/// The same near or, with MAP_FIXED, at `address`.
pub fn map_at(
    address: usize,
    fd: u32,
    offset: usize,
    length: usize,
    protection: u32,
    flags: u32,
) -> Result<usize, Errno> {
    let (protection, flags) = (protection as usize, flags as usize);
    let arguments = [address, length, protection, flags, fd as usize, offset];
    call(Sysno::mmap, arguments)
}

/// Maps `length` bytes of memory that children will share.
pub fn map_shared_memory(length: usize, protection: u32) -> Result<usize, Errno> {
    use abi::general::{MAP_ANONYMOUS, MAP_SHARED};
    map(u32::MAX, length, protection, MAP_SHARED | MAP_ANONYMOUS, 0)
}
