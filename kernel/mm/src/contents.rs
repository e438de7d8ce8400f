//! Bytes of a file that lives in memory, as calls read, write and reserve them.
//!
//! A page at a time. A hole reads as zeroes and stays a hole, with a frame or without; a write makes the page, fills it,
//! and only then lets the file reach so far: a reader who sees the new length sees the bytes. Whatever fails, no page stays
//! behind the end, unless a call reserved it there.
mod lent;

use core::ops::Range;

use crate::error::Error;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::PAGE_SIZE;
use crate::page_cache::{CachedFile, Lookup};
use crate::remote;
use crate::seal::Seals;
pub use lent::Words;

/// Whether the file may become longer by [`CachedFile::allocate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It ends where the range does, unless it is longer.
    Extend,
    /// FALLOC_FL_KEEP_SIZE: what is reserved behind the end waits there for the file to grow, or to be cut.
    Keep,
}

impl CachedFile {
    /// Fills `buffer` with the bytes from `offset` on, and returns how many there were before the end. The file must be one
    /// that lives in memory.
    pub fn read_at<M: Machine>(&self, memory: &Memory<M>, offset: u64, buffer: &mut [u8]) -> usize {
        let mut done = 0;
        while done < buffer.len() {
            let at = offset.saturating_add(done as u64);
            match self.read_in_page(memory, at, &mut buffer[done..]) {
                0 => break,
                count => done += count,
            }
        }
        done
    }

    fn read_in_page<M: Machine>(&self, memory: &Memory<M>, at: u64, buffer: &mut [u8]) -> usize {
        // Before the page is looked for: what the size covers has been written.
        let left = self.size().saturating_sub(at);
        let count = part(at, buffer.len(), left);
        let buffer = &mut buffer[..count];
        match self.lookup(memory, at / PAGE_SIZE) {
            Lookup::Ready(frame) => {
                remote::read_bytes(memory.machine.words(frame), offset_in_page(at), buffer);
                memory.put(frame);
                count
            }
            Lookup::Absent | Lookup::Reading | Lookup::Reserved => {
                buffer.fill(0);
                count
            }
            Lookup::PastEnd => 0,
        }
    }

    /// Writes `bytes` from `offset` on, past the end too, and returns how many found memory; an error if none did. The file
    /// must be one that lives in memory.
    pub fn write_at<M: Machine>(
        &self,
        memory: &Memory<M>,
        offset: u64,
        bytes: &[u8],
    ) -> Result<usize, Error> {
        let mut done = 0;
        while done < bytes.len() {
            let at = offset.checked_add(done as u64).ok_or(Error::Overflow);
            let written = at.and_then(|at| self.write_in_page(memory, at, &bytes[done..]));
            match written {
                Ok(count) => done += count,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    fn write_in_page<M: Machine>(
        &self,
        memory: &Memory<M>,
        at: u64,
        bytes: &[u8],
    ) -> Result<usize, Error> {
        let count = part(at, bytes.len(), u64::MAX - at);
        let end = at + count as u64;
        let seals = self.seals.lock();
        let grows = end > self.size();
        if seals.intersects(Seals::ANY_WRITE) || grows && seals.contains(Seals::GROW) {
            return Err(Error::NotPermitted);
        }
        let frame = self.page_to_write(memory, at / PAGE_SIZE)?;
        let words = memory.machine.words(frame);
        remote::write_bytes(words, offset_in_page(at), &bytes[..count]);
        memory.put(frame);
        self.extend(end);
        Ok(count)
    }

    /// Has memory for every page of `bytes`: fallocate(2). What was a hole looks like one until somebody stores there, or
    /// faults. Either all pages find memory, or none is taken for them.
    pub fn allocate<M: Machine>(
        &self,
        memory: &Memory<M>,
        bytes: Range<u64>,
        reach: Reach,
    ) -> Result<(), Error> {
        let seals = self.seals.lock();
        let size = self.size();
        if bytes.end > size && seals.contains(Seals::GROW) {
            return Err(Error::NotPermitted);
        }
        let pages = bytes.start / PAGE_SIZE..bytes.end.div_ceil(PAGE_SIZE);
        let wanted = pages.end.saturating_sub(pages.start);
        if wanted.saturating_sub(self.resident_pages()) > memory.free_frames() as u64 {
            return Err(Error::OutOfMemory);
        }
        for index in pages.clone() {
            if let Err(error) = self.reserve(memory, index) {
                self.drop_reserved(memory, pages.start..index);
                // A fault that came for a page which the file then lost may just have found this one instead.
                self.drop_pages(memory, &(self.reach()..u64::MAX));
                return Err(error.into());
            }
        }
        match reach {
            Reach::Extend => self.extend(bytes.end),
            Reach::Keep => self.set_reserved(pages.end.max(self.reach())),
        }
        Ok(())
    }

    /// The first byte from `offset` on that is in memory: SEEK_DATA. `None` where only a hole, or nothing, is left.
    pub fn next_data<M: Machine>(&self, memory: &Memory<M>, offset: u64) -> Option<u64> {
        let mut index = self.next_page(memory, offset / PAGE_SIZE)?;
        while self.is_reserved(memory, index) {
            index = self.next_page(memory, index + 1)?;
        }
        let at = offset.max(index.checked_mul(PAGE_SIZE)?);
        (at < self.size()).then_some(at)
    }

    /// The first byte from `offset` on that is not in memory, at the latest the file's end: SEEK_HOLE. `None` behind that.
    pub fn next_hole<M: Machine>(&self, memory: &Memory<M>, offset: u64) -> Option<u64> {
        let size = self.size();
        if offset >= size {
            return None;
        }
        let mut index = offset / PAGE_SIZE;
        while self.is_ready(memory, index) {
            index += 1;
        }
        Some(offset.max(index * PAGE_SIZE).min(size))
    }
}

/// How many of `length` bytes from `at` on lie in the page of `at`, and among the `left` that there are.
fn part(at: u64, length: usize, left: u64) -> usize {
    let room = PAGE_SIZE - at % PAGE_SIZE;
    (length as u64).min(room).min(left) as usize
}

fn offset_in_page(at: u64) -> usize {
    (at % PAGE_SIZE) as usize
}

#[cfg(test)]
mod tests;
