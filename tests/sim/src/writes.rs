//! The kernel's side of writing back: from a dirty page to the disk, with looks at what must hold on the way.
use std::ops::Range;
use std::sync::Arc;

use mm::page_cache::{CachedFile, WriteResult};

use crate::broken::{Sound, demand};
use crate::disk::{Flying, Place};
use crate::failing_heap::in_mm;
use crate::files::{Files, Page};
use crate::kernel::Kernel;
use crate::op::DiskResult;

impl Kernel {
    /// Begins to write the first dirty page of `pages`; false where there is none. What the file does not reach to stays in
    /// memory, unless a call is filling it, up to byte `lent`.
    pub(crate) fn begin_write(
        &self,
        contents: &Files,
        file: &Arc<CachedFile>,
        pages: Range<u64>,
        lent: u64,
    ) -> Sound<bool> {
        let Some(write) = in_mm(|| file.begin_writeback(&self.memory, pages.clone())) else {
            return Ok(false);
        };
        let place = (file.id() as usize, write.index());
        demand!(
            pages.contains(&place.1) && place.1 < file.pages(),
            "{place:?} is written, of {pages:?} and {} pages",
            file.pages()
        );
        let early = Box::new(self.frame_words(write.frame()));
        let end = file.size().max(lent);
        let behind = behind(place, end, &early);
        demand!(
            behind.is_none(),
            "word {behind:?} of {place:?} leaves memory"
        );
        let disk = &mut *self.disk.borrow_mut();
        demand!(
            disk.has_all(place, file.size()),
            "{place:?} is written, but has no place"
        );
        if place.1 == file.size() / 4096 {
            // It is nobody's, and is gone.
            contents.clear_tail(place.0);
        }
        disk.writes.push_back(Flying { write, early });
        Ok(true)
    }

    /// Ends the oldest write but `skip`; false where there is none.
    pub(crate) fn finish_write(&self, skip: usize, result: DiskResult) -> Sound<bool> {
        let flying = {
            let writes = &mut self.disk.borrow_mut().writes;
            let count = writes.len().max(1);
            writes.remove(skip % count)
        };
        let Some(Flying { write, early }) = flying else {
            return Ok(false);
        };
        let place = (write.file().id() as usize, write.index());
        let late = self.frame_words(write.frame());
        let is_clean = !write.file().is_dirty(&self.memory, write.index());
        demand!(
            !is_clean || *early == late,
            "a store to {place:?} passed unnoticed while it was written"
        );
        let result = match result {
            DiskResult::Done => {
                let half = |index: usize| {
                    if index.is_multiple_of(2) {
                        early[index]
                    } else {
                        late[index]
                    }
                };
                let words: Page = std::array::from_fn(half);
                self.disk.borrow_mut().write(place, &words);
                WriteResult::Written
            }
            DiskResult::Failed => {
                let size = write.file().size();
                self.disk.borrow_mut().tear(place, &early, size);
                WriteResult::Failed
            }
        };
        in_mm(|| write.complete(&self.memory, result));
        Ok(true)
    }

    /// Ends every write.
    pub(crate) fn finish_writes(&self, result: DiskResult) -> Sound {
        while self.finish_write(0, result)? {}
        Ok(())
    }

    pub(crate) fn frame_words(&self, frame: mm::Frame) -> Page {
        let word = |index| self.machine().load(frame.number().into(), index);
        std::array::from_fn(|index| word(index).expect("the frame is memory"))
    }
}

/// The first word of a page that is not zero although it lies behind byte `end` of its file, or some of it does.
fn behind((_, page): Place, end: u64, words: &Page) -> Option<usize> {
    let is_behind = |(index, word): (usize, &u64)| {
        let inside = end.saturating_sub(page * 4096 + index as u64 * 8).min(8);
        inside < 8 && word >> (8 * inside) != 0
    };
    (0..words.len()).find(|&index| is_behind((index, &words[index])))
}
