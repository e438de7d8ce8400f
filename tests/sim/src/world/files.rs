//! Calls on files: their length, their holes, and bytes that are read and written past all mappings.
use std::sync::Arc;

use mm::page_cache::{self, CachedFile};
use mm::seal::Seals;
use mm::{Error, Memory, contents, remote};

use super::calls::refusal;
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
        if Arc::strong_count(&self.files[file]) > 1 || self.is_object_mapped(file) {
            return Ok(Answer::Nothing);
        }
        if self.contents.file(file).store == Store::Memory {
            self.renew(file);
            return Ok(Answer::Done);
        }
        let before = self.pages_there(file);
        if self.contents.file(file).store == Store::Disk {
            self.sync_file(file, DiskResult::Done)?;
        }
        let Some(evicted) = self.files.get_mut(file).and_then(Arc::get_mut) else {
            return Ok(Answer::Nothing);
        };
        in_mm(|| evicted.evict_all(&self.kernel.memory));
        if self.contents.file(file).store == Store::Disk {
            self.come_back(file, before)?;
        }
        Ok(Answer::Done)
    }

    /// A file in memory is gone with all that it was; another has its number.
    fn renew(&mut self, file: usize) {
        let size = self.contents.file(file).size;
        let next = CachedFile::new(file as u64, page_cache::Source::Memory, size);
        let gone = std::mem::replace(&mut self.files[file], Arc::new(next));
        in_mm(|| gone.release(&self.kernel.memory));
        self.contents.renew(file);
    }

    /// fcntl(2) with F_ADD_SEALS.
    pub(super) fn seal(&mut self, file: usize, bits: u32) -> Sound<Answer> {
        let Some(cached) = self.memory_file(file) else {
            return Ok(Answer::Nothing);
        };
        let got = in_mm(|| cached.add_seals(Seals::from_bits_retain(bits)));
        let spaces = self.spaces.iter().flatten();
        let writers = spaces.map(|process| process.oracle.writers(file)).sum();
        let expected = self.contents.add_seals(file, bits, writers);
        let (has, wanted) = (cached.seals().bits(), self.contents.seals(file));
        demand!(
            has == wanted,
            "the file has seals {has:#x}, the oracle says {wanted:#x}"
        );
        agreed(got, expected)
    }

    /// ftruncate(2).
    pub(super) fn resize(&mut self, file: usize, size: u64) -> Sound<Answer> {
        let Some(cached) = self.memory_file(file) else {
            return self.resize_on_disk(file, size);
        };
        let expected = self.contents.may_resize(file, size);
        let done = in_mm(|| cached.set_size(&self.kernel.memory, size));
        let answer = agreed(done, expected)?;
        if expected.is_err() {
            return Ok(answer);
        }
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
        let expected = self.contents.may_punch(file);
        let done = in_mm(|| cached.punch_hole(&self.kernel.memory, bytes.clone()));
        if expected.is_ok() {
            self.contents.clear(file, bytes);
        }
        agreed(done, expected)
    }

    /// fallocate(2). A hole looks like one afterwards, too; what was reserved before is there for all to see.
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
        let was_short = memory.free_frames() < needed || self.promises_no_more_than(needed as u64);
        let has_frame =
            |&page: &u64| cached.is_ready(memory, page) || cached.is_reserved(memory, page);
        let (there, absent): (Vec<u64>, Vec<u64>) = pages.partition(has_frame);
        let allowed = self.contents.may_reserve(file, bytes.end);
        if allowed.is_ok() {
            there
                .iter()
                .for_each(|&page| self.contents.want(file, page));
        }
        let done = in_mm(|| cached.allocate(memory, bytes.clone(), reach)).map_err(refusal);
        let is_short = was_short || memory.scarcity.is_spent();
        demand!(
            done == allowed || is_short && allowed.is_ok(),
            "fallocate is {done:?}, the oracle says {allowed:?}"
        );
        if let Err(refusal) = done {
            let kept = absent.into_iter().find(has_frame);
            demand!(kept.is_none(), "page {kept:?} was refused, but has a frame");
            return Ok(Answer::Refused(refusal));
        }
        let lost = there.iter().find(|&&page| !cached.is_ready(memory, page));
        demand!(
            lost.is_none(),
            "page {lost:?} was asked for twice, but is a hole"
        );
        for &page in &absent {
            self.contents.reserve(file, page);
        }
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
        let allowed = self.contents.may_write(file, span);
        let wanted = span.address + allowed.unwrap_or(0);
        for page in span.address / 4096..wanted.div_ceil(4096) {
            self.contents.want(file, page);
        }
        let written = in_mm(|| write(memory, cached, span.address, &bytes)).map_err(refusal);
        let (count, size) = (written.unwrap_or(0), cached.size());
        let free = self.kernel.frames_left();
        let is_short = free < PAGE_AND_NODES || self.promises_no_more();
        let most = allowed.unwrap_or(0);
        demand!(
            written.map(|count| count as u64) == allowed || is_short && (count as u64) < most,
            "pwrite: {written:?} with {free} frames free, the oracle says {allowed:?}"
        );
        self.contents.write(file, span.address, &bytes[..count]);
        let expected = self.contents.file(file).size;
        demand!(
            size == expected,
            "the file has {size} bytes, the oracle says {expected}"
        );
        Ok(written.map_or_else(Answer::Refused, |_| Answer::Done))
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

/// What a call that may be refused came to, which is what the oracle says.
fn agreed(got: Result<(), Error>, expected: Result<(), Refusal>) -> Sound<Answer> {
    let got = got.map_err(refusal);
    demand!(
        got == expected,
        "the call returned {got:?}, the oracle says {expected:?}"
    );
    Ok(got.map_or_else(Answer::Refused, Into::into))
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
