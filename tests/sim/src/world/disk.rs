//! Files on the disk: calls on their bytes, and what goes back there.
//!
//! This is the file system's part, in the order that `mm` asks for: pages are brought, places found, and only then lent; a
//! cut is over when nothing behind the end is on its way any more.
use std::sync::Arc;

use mm::page_cache::CachedFile;
use mm::{Error, remote};

use super::{Answer, World};
use crate::broken::{Broken, Sound, demand};
use crate::failing_heap::in_mm;
use crate::files::Store;
use crate::op::{DiskResult, Span};
use crate::oracle::Refusal;
use crate::random::mix;

/// Frames that a page may need: itself, and nodes of the index.
const PAGE_AND_NODES: usize = 4;

impl World {
    pub(super) fn disk_file(&self, file: usize) -> Option<Arc<CachedFile>> {
        let is_there = self.contents.file(file).store == Store::Disk;
        is_there.then(|| self.files[file].clone())
    }

    /// Has page `index` in memory; an errno where there is no memory for that.
    fn bring(&self, file: &Arc<CachedFile>, index: u64) -> Sound<Result<(), Refusal>> {
        let kernel = &self.kernel;
        while !file.is_ready(&kernel.memory, index) {
            match in_mm(|| file.begin_read(&kernel.memory, index)) {
                Ok(Some(read)) => drop(kernel.submit(read, crate::op::Disk::Prompt)),
                Ok(None) => demand!(
                    kernel.finish_read(0, DiskResult::Done),
                    "page {index} of file{} is being read, but by nobody",
                    file.id()
                ),
                Err(_) => {
                    let free = kernel.frames_left();
                    demand!(free == 0, "no page for a read, but {free} frames are free");
                    return Ok(Err(Refusal::ENOMEM));
                }
            }
        }
        Ok(Ok(()))
    }

    /// Has a place on the disk for all of page `index`, and the page know it.
    fn make_room(&self, file: &CachedFile, index: u64) {
        let place = (file.id() as usize, index);
        let mut disk = self.kernel.disk.borrow_mut();
        let is_backed = file.is_backed(&self.kernel.memory, index);
        if !is_backed || !disk.has_all(place, u64::MAX) {
            disk.find_place(place);
            // Behind the end there is no page yet.
            file.back(&self.kernel.memory, index);
        }
    }

    /// The file is about to become longer: nothing of its earlier length is on its way, and the last page has its place.
    fn prepare_growth(&mut self, file: &Arc<CachedFile>) -> Sound {
        while file.first_busy(&self.kernel.memory).is_some() {
            let has_ended = self.kernel.finish_read(0, DiskResult::Done)
                | self.kernel.finish_write(0, DiskResult::Done)?;
            demand!(has_ended, "a page behind the end is on its way for ever");
        }
        self.finish_cuts();
        let tail = file.size() / 4096;
        if !file.size().is_multiple_of(4096) && file.is_backed(&self.kernel.memory, tail) {
            self.make_room(file, tail);
        }
        Ok(())
    }

    /// The disk takes back what files have lost, where nothing of that is on its way.
    pub(super) fn finish_cuts(&mut self) {
        let memory = &self.kernel.memory;
        let files = &self.files;
        let disk = &mut *self.kernel.disk.borrow_mut();
        self.cutting.retain(|&file| {
            let is_busy = files[file].first_busy(memory).is_some();
            if !is_busy {
                disk.cut(file, files[file].size());
            }
            is_busy
        });
    }

    /// ftruncate(2).
    pub(super) fn resize_on_disk(&mut self, file: usize, size: u64) -> Sound<Answer> {
        let Some(cached) = self.disk_file(file) else {
            return Ok(Answer::Nothing);
        };
        if size > cached.size() {
            self.prepare_growth(&cached)?;
            self.contents.clear_tail(file);
        } else if !size.is_multiple_of(4096) {
            let tail = size / 4096;
            if let Err(refusal) = self.bring(&cached, tail)? {
                return Ok(Answer::Refused(refusal));
            }
            let has_any = self.kernel.disk.borrow().has_any((file, tail));
            if has_any {
                self.make_room(&cached, tail);
            }
        }
        let done = in_mm(|| cached.set_size(&self.kernel.memory, size));
        demand!(done == Ok(()), "ftruncate failed: {done:?}");
        let is_cut = size <= self.contents.file(file).size;
        self.contents.resize(file, size);
        if is_cut {
            self.cutting.insert(file);
        }
        for process in self.spaces.iter_mut().flatten() {
            process.oracle.drop_copies(file);
        }
        Ok(Answer::Done)
    }

    /// pread(2).
    pub(super) fn read_from_disk(&mut self, file: usize, span: Span) -> Sound<Answer> {
        let Some(cached) = self.disk_file(file) else {
            return Ok(Answer::Nothing);
        };
        let mut buffer = vec![0xee; span.length as usize];
        let mut done = 0;
        while done < buffer.len() {
            let at = span.address + done as u64;
            if at < cached.size()
                && let Err(refusal) = self.bring(&cached, at / 4096)?
            {
                return Ok(Answer::Refused(refusal));
            }
            let rest = &mut buffer[done..];
            let length = rest.len();
            let lent = cached.lend_ready(&self.kernel.memory, at, length, |words, place| {
                remote::read_bytes(words, place.start, &mut rest[..place.len()]);
                place.len()
            });
            match lent {
                Ok(Some(count)) => done += count,
                Ok(None) => break,
                Err(error) => return Err(Broken(format!("{at:#x} is there, but {error:?}"))),
            }
        }
        let expected = self.contents.read(file, span.address, span.length);
        demand!(
            buffer[..done] == expected,
            "pread returned {done} bytes, not the {} of the oracle, or others",
            expected.len()
        );
        Ok(Answer::Done)
    }

    /// pwrite(2). Where memory runs out it may come up short.
    pub(super) fn write_to_disk(&mut self, file: usize, span: Span, bytes: u64) -> Sound<Answer> {
        let Some(cached) = self.disk_file(file) else {
            return Ok(Answer::Nothing);
        };
        let bytes: Vec<u8> = (0..span.length).map(|at| mix(bytes ^ at) as u8).collect();
        let mut done = 0;
        while done < bytes.len() {
            let at = span.address + done as u64;
            match self.write_in_page(&cached, at, &bytes[done..])? {
                Ok(count) => done += count,
                Err(refusal) if done == 0 => return Ok(Answer::Refused(refusal)),
                Err(_) => break,
            }
        }
        let (size, expected) = (cached.size(), self.contents.file(file).size);
        demand!(
            size == expected,
            "the file has {size} bytes, the oracle says {expected}"
        );
        Ok(Answer::Done)
    }

    fn write_in_page(
        &mut self,
        file: &Arc<CachedFile>,
        at: u64,
        bytes: &[u8],
    ) -> Sound<Result<usize, Refusal>> {
        let (number, index) = (file.id() as usize, at / 4096);
        let end = at + (4096 - at % 4096).min(bytes.len() as u64);
        if end > file.size() {
            self.prepare_growth(file)?;
        }
        if index < file.pages()
            && let Err(refusal) = self.bring(file, index)?
        {
            return Ok(Err(refusal));
        }
        self.make_room(file, index);
        let grows = end > file.size();
        let (kernel, contents) = (self.kernel.clone(), self.contents.clone());
        let is_disturbed = mix(at).is_multiple_of(4);
        let mut beside = Ok(false);
        let mut lend = || {
            file.lend_to_write(&kernel.memory, at, bytes.len(), |words, place| {
                if grows {
                    contents.clear_tail(number);
                }
                let (count, half) = (place.len(), place.len() / 2);
                remote::write_bytes(words, place.start, &bytes[..half]);
                if is_disturbed {
                    beside = kernel.begin_write(&contents, file, index..index + 1, end);
                }
                remote::write_bytes(words, place.start + half, &bytes[half..count]);
                count
            })
        };
        // What the simulator itself allocates beside it does not fail.
        let lent = if is_disturbed { lend() } else { in_mm(lend) };
        beside?;
        match lent {
            Ok(count) => {
                self.contents.write(number, at, &bytes[..count]);
                Ok(Ok(count))
            }
            Err(Error::OutOfMemory) => {
                let free = self.kernel.frames_left();
                demand!(free < PAGE_AND_NODES, "pwrite: no page of {free}");
                // The place that was found behind the end is nobody's.
                let disk = &mut *self.kernel.disk.borrow_mut();
                disk.cut(number, file.size());
                Ok(Err(Refusal::ENOMEM))
            }
            Err(error) => Err(Broken(format!("pwrite at {at:#x}: {error:?}"))),
        }
    }

    /// Begins the writes of some dirty pages.
    pub(super) fn flush(&mut self, file: usize, count: u64) -> Sound<Answer> {
        let Some(cached) = self.disk_file(file) else {
            return Ok(Answer::Nothing);
        };
        let mut any = false;
        for _ in 0..count {
            any |= self.begin_write(&cached)?;
        }
        Ok(super::did(any))
    }

    fn begin_write(&self, file: &Arc<CachedFile>) -> Sound<bool> {
        self.kernel
            .begin_write(&self.contents, file, 0..u64::MAX, 0)
    }

    /// fsync(2): afterwards the disk has what the file has, unless a write failed, which is told once.
    pub(super) fn sync_file(&mut self, file: usize, result: DiskResult) -> Sound<Answer> {
        let Some(cached) = self.disk_file(file) else {
            return Ok(Answer::Nothing);
        };
        for result in [result, DiskResult::Done] {
            while self.begin_write(&cached)? {}
            self.kernel.finish_writes(result)?;
        }
        let dirty = cached.dirty_pages();
        demand!(
            dirty == 0,
            "{dirty} pages of file{file} are dirty after fsync"
        );
        let has_failed = cached.has_failed_since(&mut self.seen[file]);
        let expected = self.kernel.disk.borrow_mut().failed.remove(&file);
        demand!(
            has_failed == expected,
            "fsync says that a write has failed: {has_failed}, the disk says {expected}"
        );
        for page in self.pages_there(file) {
            self.is_on_disk(file, page)?;
        }
        Ok(Answer::Done)
    }

    /// The disk has what page `page` of the file holds, unless a write of it has failed.
    pub(super) fn is_on_disk(&self, file: usize, page: u64) -> Sound {
        let disk = self.kernel.disk.borrow();
        let place = (file, page);
        let is_as_begun = disk.is_untouched(place) && self.contents.is_untouched(file, page);
        if is_as_begun || disk.torn.contains(&place) {
            return Ok(());
        }
        let (there, wanted) = (disk.page(place), self.contents.page(file, page));
        let wrong = (0..wanted.len()).find(|&index| there[index] != wanted[index]);
        demand!(
            wrong.is_none(),
            "word {wrong:?} of page {page} of file{file} is clean, but not on the disk"
        );
        Ok(())
    }

    /// What is clean is on the disk.
    pub(super) fn sweep_disk(&self) -> Sound {
        let memory = &self.kernel.memory;
        for (file, cached) in self.files.iter().enumerate() {
            if self.contents.file(file).store != Store::Disk {
                continue;
            }
            for page in self.pages_there(file) {
                let is_clean =
                    !cached.is_dirty(memory, page) && !cached.is_being_written(memory, page);
                if is_clean && page < cached.pages() {
                    self.is_on_disk(file, page)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn pages_there(&self, file: usize) -> Vec<u64> {
        // No file of the simulator is longer.
        let cached = &self.files[file];
        let is_there = |page: &u64| cached.is_ready(&self.kernel.memory, *page);
        (0..cached.pages()).filter(is_there).collect()
    }
}
