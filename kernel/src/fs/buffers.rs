//! The other side of a transfer: ring 3's buffers one after another, or a page of the kernel's own on its way from one file
//! to another, and how far it got.
//!
//! A transfer ends at the first byte that ring 3 can't reach itself. What was moved until then counts; only where nothing
//! was moved it is `EFAULT`.
use core::cell::Cell;
use core::ops::Range;

use abi::Errno;
use mm::contents::Words;

use crate::arch::uaccess;

/// Address and length of a buffer.
pub(crate) type Buffer = [u64; 2];

/// A place in a list of buffers, all of which lie in the user half. A copy is a place to come back to.
#[derive(Clone, Copy)]
pub(crate) struct Buffers<'a> {
    rest: &'a [Buffer],
    /// In the place of ring 3's memory.
    own: Option<&'a [Cell<u8>]>,
    /// Bytes of the first buffer that are behind.
    at: u64,
    moved: u64,
    left: u64,
}

impl<'a> Buffers<'a> {
    pub(crate) fn new(list: &'a [Buffer]) -> Self {
        Self {
            rest: list,
            own: None,
            at: 0,
            moved: 0,
            left: list.iter().map(|[_, length]| length).sum(),
        }
    }

    /// Memory of the kernel's own.
    pub(crate) fn own(bytes: &'a [Cell<u8>]) -> Self {
        Self {
            rest: &[],
            own: Some(bytes),
            at: 0,
            moved: 0,
            left: bytes.len() as u64,
        }
    }

    /// The next of the kernel's own bytes, where it is about those.
    fn next_own(&self, length: usize) -> Option<&'a [Cell<u8>]> {
        let rest = &self.own?[self.moved as usize..];
        Some(&rest[..length.min(self.left as usize)])
    }

    /// Whether they are the kernel's own.
    pub(crate) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Whether each buffer begins at a multiple of `unit`, and has as many bytes.
    pub(crate) fn is_aligned(&self, unit: u64) -> bool {
        let is_aligned = |[address, length]: &Buffer| {
            *length == 0 || address.is_multiple_of(unit) && length.is_multiple_of(unit)
        };
        self.at.is_multiple_of(unit) && self.rest.iter().all(is_aligned)
    }

    /// Address and length of what comes next of ring 3's; `None` where nothing does.
    pub(crate) fn front(&self) -> Option<(u64, u64)> {
        let mut buffers = self.rest.iter().copied().enumerate();
        let begun = |(number, [address, length]): (usize, Buffer)| {
            let behind = if number == 0 { self.at } else { 0 };
            (address + behind, length - behind)
        };
        let next = buffers.by_ref().map(begun).find(|&(_, length)| length > 0);
        next.map(|(address, length)| (address, length.min(self.left)))
            .filter(|&(_, length)| length > 0)
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
        if let Some(own) = self.next_own(bytes.len()) {
            own.iter().zip(bytes).for_each(|(to, &from)| to.set(from));
            return Ok(self.advance(own.len()));
        }
        self.each(bytes.len(), |address, range| {
            uaccess::copy_to_user(address, &bytes[range])
        })
    }

    /// Fills `bytes` from ring 3, and returns how many there were.
    pub(crate) fn take(&mut self, bytes: &mut [u8]) -> Result<usize, Errno> {
        if let Some(own) = self.next_own(bytes.len()) {
            let places = bytes.iter_mut();
            places.zip(own).for_each(|(to, from)| *to = from.get());
            return Ok(self.advance(own.len()));
        }
        self.each(bytes.len(), |address, range| {
            uaccess::copy_from_user(&mut bytes[range], address)
        })
    }

    /// Moves bytes `place` of a frame to ring 3, and returns how many there was room for.
    pub(crate) fn fill_from(&mut self, words: &Words, place: Range<usize>) -> Result<usize, Errno> {
        if let Some(own) = self.next_own(place.len()) {
            let bytes = place.clone().map(|at| byte(words, at));
            own.iter().zip(bytes).for_each(|(to, from)| to.set(from));
            return Ok(self.advance(own.len()));
        }
        self.each(place.len(), |address, range| {
            let part = place.start + range.start..place.start + range.end;
            uaccess::copy_frame_to_user(address, words, part)
        })
    }

    /// Fills bytes `place` of a frame from ring 3, and returns how many there were.
    pub(crate) fn take_into(&mut self, words: &Words, place: Range<usize>) -> Result<usize, Errno> {
        if let Some(own) = self.next_own(place.len()) {
            for (at, from) in place.zip(own) {
                mm::remote::write_bytes(words, at, &[from.get()]);
            }
            return Ok(self.advance(own.len()));
        }
        self.each(place.len(), |address, range| {
            let part = place.start + range.start..place.start + range.end;
            uaccess::copy_frame_from_user(words, part, address)
        })
    }

    /// Moves `count` zeroes to ring 3, a page at most, and returns how many there was room for.
    pub(crate) fn fill_zeroes(&mut self, count: usize) -> Result<usize, Errno> {
        static ZEROES: [u8; mm::PAGE_SIZE as usize] = [0; mm::PAGE_SIZE as usize];
        self.fill(&ZEROES[..count.min(ZEROES.len())])
    }

    /// Counts `count` bytes as moved, which were taken before the caller came back here.
    pub(crate) fn skip(&mut self, count: usize) {
        if let Some(own) = self.next_own(count) {
            self.advance(own.len());
            return;
        }
        let moved = self.each(count, |_, _| Ok(()));
        debug_assert_eq!(moved, Ok(count), "more is skipped than is left");
    }

    /// Moves up to `length` bytes, a buffer at a time.
    fn each(
        &mut self,
        length: usize,
        mut copy: impl FnMut(u64, Range<usize>) -> Result<(), uaccess::Fault>,
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

fn byte(words: &Words, at: usize) -> u8 {
    let mut byte = [0];
    mm::remote::read_bytes(words, at, &mut byte);
    byte[0]
}
