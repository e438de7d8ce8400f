//! Calls on files: their length, their holes, and bytes that are read and written past all mappings.
use std::sync::Arc;

use mm::page_cache::CachedFile;
use mm::{Error, Memory, contents, remote};

use super::{Answer, World};
use crate::broken::{Sound, demand};
use crate::failing_heap::in_mm;
use crate::files::Store;
use crate::machine::SoftMachine;
use crate::op::{DiskResult, Length, Span};
use crate::oracle::Refusal;
use crate::random::mix;

/// The most frames that one page of a file takes: itself, and the nodes that lead to it.
const PAGE_AND_NODES: usize = 4;

impl World {
    /// What is on the disk comes back from there; what lives in memory is gone.
    pub(super) fn evict(&mut self, file: usize) -> Sound<Answer> {
        if Arc::strong_count(&self.files[file]) > 1 {
            return Ok(Answer::Nothing);
        }
        let before = self.pages_there(file);
        if self.contents.file(file).store == Store::Disk {
            self.sync_file(file, DiskResult::Done)?;
        }
        let Some(evicted) = self.files.get_mut(file).and_then(Arc::get_mut) else {
            return Ok(Answer::Nothing);
        };
        in_mm(|| evicted.evict_all(&self.kernel.memory));
        match self.contents.file(file).store {
            Store::Memory => self.contents.clear(file, 0..u64::MAX),
            Store::Archive => {}
            Store::Disk => self.come_back(file, before)?,
        }
        Ok(Answer::Done)
    }

    /// ftruncate(2).
    pub(super) fn resize(&mut self, file: usize, size: u64) -> Sound<Answer> {
        let Some(cached) = self.memory_file(file) else {
            return self.resize_on_disk(file, size);
        };
        let done = in_mm(|| cached.set_size(&self.kernel.memory, size));
        demand!(done == Ok(()), "ftruncate failed: {done:?}");
        self.contents.resize(file, size);
        for process in self.spaces.iter_mut().flatten() {
            process.oracle.drop_copies(file);
        }
        Ok(Answer::Done)
    }

    /// fallocate(2) with FALLOC_FL_PUNCH_HOLE.
    pub(super) fn punch(&mut self, file: usize, span: Span) -> Sound<Answer> {
        let Some(cached) = self.memory_file(file) else {
            return Ok(Answer::Nothing);
        };
        let bytes = span.address..span.address + span.length;
        let done = in_mm(|| cached.punch_hole(&self.kernel.memory, bytes.clone()));
        demand!(done == Ok(()), "fallocate failed: {done:?}");
        self.contents.clear(file, bytes);
        Ok(Answer::Done)
    }

    /// fallocate(2). What a refused one has made inside the file may stay.
    pub(super) fn allocate(&mut self, file: usize, span: Span, length: Length) -> Sound<Answer> {
        let Some(cached) = self.memory_file(file) else {
            return Ok(Answer::Nothing);
        };
        let memory = &self.kernel.memory;
        let bytes = span.address..span.address + span.length;
        let reach = match length {
            Length::Grows => contents::Reach::Extend,
            Length::Stays => contents::Reach::Keep,
        };
        let pages = bytes.start / 4096..bytes.end.div_ceil(4096);
        let needed = (pages.end - pages.start) as usize + PAGE_AND_NODES;
        let is_short = memory.free_frames() < needed || self.promises_no_more_than(needed as u64);
        let done = in_mm(|| cached.allocate(memory, bytes.clone(), reach));
        if let Err(error) = done {
            demand!(is_short, "fallocate failed: {error:?}");
            return Ok(Answer::Refused(super::calls::refusal(error)));
        }
        let absent = pages
            .into_iter()
            .find(|&page| !cached.is_ready(memory, page));
        demand!(
            absent.is_none(),
            "page {absent:?} was reserved, but is absent"
        );
        if length == Length::Grows {
            self.contents.extend(file, bytes.end);
        }
        let (size, expected) = (cached.size(), self.contents.file(file).size);
        demand!(
            size == expected,
            "the file has {size} bytes, the oracle says {expected}"
        );
        Ok(Answer::Done)
    }

    /// lseek(2) with SEEK_DATA and SEEK_HOLE: what is in memory is data, and whatever was stored is in memory.
    pub(super) fn seek(&mut self, file: usize, offset: u64) -> Sound<Answer> {
        let Some(cached) = self.memory_file(file) else {
            return Ok(Answer::Nothing);
        };
        let memory = &self.kernel.memory;
        let size = cached.size();
        let end = size.div_ceil(4096);
        let next = |is_data| {
            let is_such = |&page: &u64| cached.is_ready(memory, page) == is_data;
            let page = (offset / 4096..end).find(is_such)?;
            Some(offset.max(page * 4096)).filter(|&at| at < size)
        };
        let hole = (offset < size).then(|| next(false).unwrap_or(size));
        let expected = (next(true), hole);
        let got = in_mm(|| {
            (
                cached.next_data(memory, offset),
                cached.next_hole(memory, offset),
            )
        });
        demand!(
            got == expected,
            "data and hole are at {got:x?}, not {expected:x?}"
        );
        let stored = self.contents.stored_pages(file);
        let lost = stored
            .into_iter()
            .find(|&page| !cached.is_ready(memory, page));
        demand!(lost.is_none(), "page {lost:?} was stored to, but is a hole");
        Ok(Answer::Done)
    }

    /// pread(2).
    pub(super) fn read_file(&mut self, file: usize, span: Span) -> Sound<Answer> {
        let Some(cached) = self.memory_file(file) else {
            return self.read_from_disk(file, span);
        };
        let mut buffer = vec![0xee; span.length as usize];
        let free = self.kernel.memory.free_frames();
        let memory = &self.kernel.memory;
        let count = in_mm(|| read(memory, cached, span.address, &mut buffer));
        let expected = self.contents.read(file, span.address, span.length);
        demand!(
            buffer[..count] == expected,
            "pread returned {count} bytes, not the {} of the oracle, or others",
            expected.len()
        );
        let left = self.kernel.memory.free_frames();
        demand!(left == free, "pread took {} frames", free - left);
        Ok(Answer::Done)
    }

    /// pwrite(2). Where memory runs out it may come up short.
    pub(super) fn write_file(&mut self, file: usize, span: Span, bytes: u64) -> Sound<Answer> {
        let Some(cached) = self.memory_file(file) else {
            return self.write_to_disk(file, span, bytes);
        };
        let bytes: Vec<u8> = (0..span.length).map(|at| mix(bytes ^ at) as u8).collect();
        let memory = &self.kernel.memory;
        let written = in_mm(|| write(memory, cached, span.address, &bytes));
        let (count, size) = (written.unwrap_or(0), cached.size());
        let free = self.kernel.memory.free_frames();
        demand!(
            count == bytes.len() || free < PAGE_AND_NODES || self.promises_no_more(),
            "pwrite: {written:?} with {free} frames free"
        );
        self.contents.write(file, span.address, &bytes[..count]);
        let expected = self.contents.file(file).size;
        demand!(
            size == expected,
            "the file has {size} bytes, the oracle says {expected}"
        );
        Ok(match written {
            Err(Error::OutOfMemory) => Answer::Refused(Refusal::ENOMEM),
            Err(Error::NoSpace) => Answer::Refused(Refusal::ENOSPC),
            _ => Answer::Done,
        })
    }

    /// Whether strict mode refuses even a single page.
    pub(super) fn promises_no_more(&self) -> bool {
        self.promises_no_more_than(1)
    }

    fn promises_no_more_than(&self, pages: u64) -> bool {
        let memory = &self.kernel.memory;
        let is_strict = memory.overcommit() == mm::commit::Overcommit::Never;
        is_strict && memory.committed_pages() + pages >= memory.commit_limit()
    }

    fn memory_file(&self, file: usize) -> Option<&CachedFile> {
        let is_there = self.contents.file(file).store == Store::Memory;
        is_there.then(|| &*self.files[file])
    }
}

/// pread(2), half of the time by pages that are lent.
fn read(memory: &Memory<SoftMachine>, file: &CachedFile, start: u64, buffer: &mut [u8]) -> usize {
    if start.is_multiple_of(2) {
        return file.read_at(memory, start, buffer);
    }
    let mut done = 0;
    while done < buffer.len() {
        let rest = &mut buffer[done..];
        let (at, wanted) = (start + done as u64, rest.len());
        let copied = file.lend_to_read(memory, at, wanted, |words, place| {
            let part = &mut rest[..place.len()];
            match words {
                Some(words) => remote::read_bytes(words, place.start, part),
                None => part.fill(0),
            }
            place.len()
        });
        match copied {
            Some(count) => done += count,
            None => break,
        }
    }
    done
}

/// pwrite(2), in the same way.
fn write(
    memory: &Memory<SoftMachine>,
    file: &CachedFile,
    start: u64,
    bytes: &[u8],
) -> Result<usize, Error> {
    if start.is_multiple_of(2) {
        return file.write_at(memory, start, bytes);
    }
    let mut done = 0;
    while done < bytes.len() {
        let rest = &bytes[done..];
        let copied = file.lend_to_write(memory, start + done as u64, rest.len(), |words, place| {
            remote::write_bytes(words, place.start, &rest[..place.len()]);
            place.len()
        });
        match copied {
            Ok(count) => done += count,
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(done)
}
