//! Ring 3's side of a transfer: buffers one after another, and how far it got.
//!
//! A transfer ends at the first byte that ring 3 can't reach itself. What was moved until then counts; only where nothing
//! was moved it is `EFAULT`.
use abi::Errno;

use crate::arch::uaccess;

/// Address and length of a buffer.
pub(crate) type Buffer = [u64; 2];

/// A place in a list of buffers, all of which lie in the user half. A copy is a place to come back to.
#[derive(Clone, Copy)]
pub(crate) struct Buffers<'a> {
    rest: &'a [Buffer],
    /// Bytes of the first buffer that are behind.
    at: u64,
    moved: u64,
    left: u64,
}

impl<'a> Buffers<'a> {
    pub(crate) fn new(list: &'a [Buffer]) -> Self {
        Self {
            rest: list,
            at: 0,
            moved: 0,
            left: list.iter().map(|[_, length]| length).sum(),
        }
    }

    /// How many bytes were moved.
    pub(crate) fn moved(&self) -> u64 {
        self.moved
    }

    /// How many bytes may still be.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// No more than `count` bytes are to be moved from here on.
    pub(crate) fn limit(&mut self, count: u64) {
        self.left = self.left.min(count);
    }

    /// Moves `bytes` to ring 3, and returns how many there was room for.
    pub(crate) fn fill(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        self.each(bytes.len(), |address, range| {
            uaccess::copy_to_user(address, &bytes[range])
        })
    }

    /// Fills `bytes` from ring 3, and returns how many there were.
    pub(crate) fn take(&mut self, bytes: &mut [u8]) -> Result<usize, Errno> {
        self.each(bytes.len(), |address, range| {
            uaccess::copy_from_user(&mut bytes[range], address)
        })
    }

    /// Counts `count` bytes as moved, which were taken before the caller came back here.
    pub(crate) fn skip(&mut self, count: usize) {
        let moved = self.each(count, |_, _| Ok(()));
        debug_assert_eq!(moved, Ok(count), "more is skipped than is left");
    }

    /// Moves up to `length` bytes, a buffer at a time.
    fn each(
        &mut self,
        length: usize,
        mut copy: impl FnMut(u64, core::ops::Range<usize>) -> Result<(), uaccess::Fault>,
    ) -> Result<usize, Errno> {
        let mut done = 0;
        while done < length && self.left > 0 {
            let [address, size] = self.rest[0];
            let count = (length - done).min((size - self.at) as usize);
            match copy(address + self.at, done..done + count) {
                Ok(()) => done += self.advance(count),
                Err(fault) => {
                    done += self.advance(fault.copied);
                    return if done == 0 {
                        Err(Errno::EFAULT)
                    } else {
                        Ok(done)
                    };
                }
            }
        }
        Ok(done)
    }

    fn advance(&mut self, count: usize) -> usize {
        self.at += count as u64;
        self.moved += count as u64;
        self.left -= count as u64;
        while let [[_, size], rest @ ..] = self.rest
            && self.at == *size
        {
            self.rest = rest;
            self.at = 0;
        }
        count
    }
}
