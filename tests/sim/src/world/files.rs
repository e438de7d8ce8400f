//! Calls on files: their length, their holes, and bytes that are read and written past all mappings.
use std::sync::Arc;

use mm::page_cache::CachedFile;
use mm::{Error, Memory, remote};

use super::{Answer, World};
use crate::broken::{Sound, demand};
use crate::files::Store;
use crate::machine::SoftMachine;
use crate::op::Span;
use crate::oracle::Refusal;
use crate::random::mix;

/// The most frames that one page of a file takes: itself, and the nodes that lead to it.
const PAGE_AND_NODES: usize = 4;

impl World {
    pub(super) fn evict(&mut self, file: usize) -> Answer {
        let Some(evicted) = self.files.get_mut(file).and_then(Arc::get_mut) else {
            return Answer::Nothing;
        };
        evicted.evict_all(&self.kernel.memory);
        self.contents.clear(file, 0..u64::MAX);
        Answer::Done
    }

    /// ftruncate(2).
    pub(super) fn resize(&mut self, file: usize, size: u64) -> Sound<Answer> {
        let Some(cached) = self.memory_file(file) else {
            return Ok(Answer::Nothing);
        };
        let done = cached.set_size(&self.kernel.memory, size);
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
        let done = cached.punch_hole(&self.kernel.memory, bytes.clone());
        demand!(done == Ok(()), "fallocate failed: {done:?}");
        self.contents.clear(file, bytes);
        Ok(Answer::Done)
    }

    /// pread(2).
    pub(super) fn read_file(&mut self, file: usize, span: Span) -> Sound<Answer> {
        let Some(cached) = self.memory_file(file) else {
            return Ok(Answer::Nothing);
        };
        let mut buffer = vec![0xee; span.length as usize];
        let free = self.kernel.memory.free_frames();
        let count = read(&self.kernel.memory, cached, span.address, &mut buffer);
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
            return Ok(Answer::Nothing);
        };
        let bytes: Vec<u8> = (0..span.length).map(|at| mix(bytes ^ at) as u8).collect();
        let written = write(&self.kernel.memory, cached, span.address, &bytes);
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
        let memory = &self.kernel.memory;
        let is_strict = memory.overcommit() == mm::commit::Overcommit::Never;
        is_strict && memory.committed_pages() + 1 >= memory.commit_limit()
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
