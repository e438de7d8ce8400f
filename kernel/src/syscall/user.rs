//! Ring 3's memory as system calls see it: values and strings that are copied in and out, or `EFAULT`.
use alloc::vec::Vec;

use abi::Errno;

use crate::arch::uaccess;
use crate::fs::path::PATH_MAX;

/// Copies bytes in.
pub(super) fn read_bytes(address: u64, buffer: &mut [u8]) -> Result<(), Errno> {
    uaccess::copy_from_user(buffer, address).map_err(|_| Errno::EFAULT)
}

/// Copies bytes out.
pub(super) fn write_bytes(address: u64, bytes: &[u8]) -> Result<(), Errno> {
    uaccess::copy_to_user(address, bytes).map_err(|_| Errno::EFAULT)
}

/// Copies `N` words in.
pub(super) fn read_words<const N: usize>(address: u64) -> Result<[u64; N], Errno> {
    let mut words = [0; N];
    for (number, word) in words.iter_mut().enumerate() {
        let mut bytes = [0; 8];
        read_bytes(address.wrapping_add(8 * number as u64), &mut bytes)?;
        *word = u64::from_le_bytes(bytes);
    }
    Ok(words)
}

/// Copies `N` words out.
pub(super) fn write_words<const N: usize>(address: u64, words: [u64; N]) -> Result<(), Errno> {
    const MAX: usize = 256;
    let mut bytes = [0; MAX];
    for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    const { assert!(N * 8 <= MAX) };
    write_bytes(address, &bytes[..N * 8])
}

/// The string at `address` without its end, if it has fewer than `limit` bytes; `too_long` else.
pub(super) fn string(address: u64, limit: usize, too_long: Errno) -> Result<Vec<u8>, Errno> {
    let mut string = Vec::new();
    let mut piece = [0; 256];
    while string.len() < limit {
        // Up to the end of a page at most: the string may end there, and the next page may not be.
        let at = address.wrapping_add(string.len() as u64);
        let room = (mm::PAGE_SIZE - at % mm::PAGE_SIZE) as usize;
        let count = piece.len().min(room).min(limit - string.len());
        read_bytes(at, &mut piece[..count])?;
        let end = piece[..count].iter().position(|&byte| byte == 0);
        let part = &piece[..end.unwrap_or(count)];
        string.try_reserve(part.len()).map_err(|_| Errno::ENOMEM)?;
        string.extend_from_slice(part);
        if end.is_some() {
            return Ok(string);
        }
    }
    Err(too_long)
}

/// `count` bytes from `address` on.
pub(super) fn bytes(address: u64, count: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
    bytes.resize(count, 0);
    read_bytes(address, &mut bytes)?;
    Ok(bytes)
}

/// The path at `address`.
pub(super) fn path(address: u64) -> Result<Vec<u8>, Errno> {
    string(address, PATH_MAX, Errno::ENAMETOOLONG)
}
