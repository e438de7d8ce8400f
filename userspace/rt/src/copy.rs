//! Bytes from file to file without a buffer here: sendfile(2), copy_file_range(2), splice(2) and their kin; and transfers
//! with flags of their own.

use abi::{Errno, Sysno};

use crate::syscall::call;

fn place(at: Option<&mut u64>) -> usize {
    at.map_or(0, |at| &raw mut *at as usize)
}

/// sendfile(2).
pub fn send(to: u32, from: u32, at: Option<&mut u64>, length: usize) -> Result<usize, Errno> {
    let arguments = [to as usize, from as usize, place(at), length];
    call(Sysno::sendfile, arguments)
}

/// A file, and where in it if not at its position.
type Place<'a> = (u32, Option<&'a mut u64>);

/// copy_file_range(2).
pub fn copy(from: Place, to: Place, length: usize, flags: u32) -> Result<usize, Errno> {
    between(Sysno::copy_file_range, from, to, length, flags)
}

/// splice(2).
pub fn splice(from: Place, to: Place, length: usize, flags: u32) -> Result<usize, Errno> {
    between(Sysno::splice, from, to, length, flags)
}

fn between(
    number: Sysno,
    (from, from_at): Place,
    (to, to_at): Place,
    length: usize,
    flags: u32,
) -> Result<usize, Errno> {
    let (from, from_at) = (from as usize, place(from_at));
    let (to, to_at) = (to as usize, place(to_at));
    call(number, [from, from_at, to, to_at, length, flags as usize])
}

/// tee(2).
pub fn tee(from: u32, to: u32, length: usize, flags: u32) -> Result<usize, Errno> {
    let arguments = [from as usize, to as usize, length, flags as usize];
    call(Sysno::tee, arguments)
}

/// vmsplice(2) of bytes into a pipe.
pub fn give(to: u32, bytes: &[u8], flags: u32) -> Result<usize, Errno> {
    let vector = [bytes.as_ptr() as usize, bytes.len()];
    call(
        Sysno::vmsplice,
        [to as usize, vector.as_ptr() as usize, 1, flags as usize],
    )
}

/// preadv2(2) into one buffer; at -1 stands for the position.
pub fn read_by(fd: u32, buffer: &mut [u8], at: isize, flags: u32) -> Result<usize, Errno> {
    let vector = [buffer.as_mut_ptr() as usize, buffer.len()];
    by_vector(Sysno::preadv2, fd, vector, at, flags)
}

/// pwritev2(2) of one buffer.
pub fn write_by(fd: u32, bytes: &[u8], at: isize, flags: u32) -> Result<usize, Errno> {
    let vector = [bytes.as_ptr() as usize, bytes.len()];
    by_vector(Sysno::pwritev2, fd, vector, at, flags)
}

fn by_vector(
    number: Sysno,
    fd: u32,
    vector: [usize; 2],
    at: isize,
    flags: u32,
) -> Result<usize, Errno> {
    let vector = vector.as_ptr() as usize;
    call(
        number,
        [fd as usize, vector, 1, at as usize, 0, flags as usize],
    )
}

/// preadv(2) into buffers by address and length, which may be any.
pub fn read_vector_at(fd: u32, vector: &[[usize; 2]], at: usize) -> Result<usize, Errno> {
    let arguments = [fd as usize, vector.as_ptr() as usize, vector.len(), at];
    call(Sysno::preadv, arguments)
}

/// pwritev(2) of such buffers.
pub fn write_vector_at(fd: u32, vector: &[[usize; 2]], at: usize) -> Result<usize, Errno> {
    let arguments = [fd as usize, vector.as_ptr() as usize, vector.len(), at];
    call(Sysno::pwritev, arguments)
}

/// posix_fadvise(2).
pub fn advise(fd: u32, start: usize, length: isize, advice: u32) -> Result<(), Errno> {
    let arguments = [fd as usize, start, length as usize, advice as usize];
    call(Sysno::fadvise64, arguments).map(drop)
}

/// readahead(2).
pub fn read_ahead(fd: u32, start: usize, length: usize) -> Result<(), Errno> {
    call(Sysno::readahead, [fd as usize, start, length]).map(drop)
}

/// sync_file_range(2).
pub fn sync_range(fd: u32, start: isize, length: isize, flags: u32) -> Result<(), Errno> {
    let arguments = [fd as usize, start as usize, length as usize, flags as usize];
    call(Sysno::sync_file_range, arguments).map(drop)
}
