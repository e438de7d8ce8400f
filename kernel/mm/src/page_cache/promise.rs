//! What a file in memory adds to the sum of all promises.
//!
//! Linux's rule for shmem: a shared anonymous mapping is promised as a whole by the call that makes it, whoever maps it
//! later and however few pages are touched; a memory file, and a mapping with MAP_NORESERVE, page by page as they come.
//! The areas that show the file are promised nothing for it (`VmFlags::with_promise`). Where strict mode refuses a page,
//! who needs it gets SIGBUS, or ENOSPC.
use super::{CachedFile, Source};
use crate::error::{NoPage, OutOfMemory};
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::PAGE_SIZE;
use crate::sync::atomic::Ordering::Relaxed;

/// When a file in memory is promised its pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reserve {
    /// Each when it comes.
    #[default]
    ByPage,
    /// All when it is first mapped. Such a file never changes its length.
    Whole,
}

/// A page's promise, taken back where the page doesn't come.
#[must_use]
pub(super) struct PagePromise<'a, M: Machine> {
    file: &'a CachedFile,
    memory: &'a Memory<M>,
}

impl<M: Machine> PagePromise<'_, M> {
    /// The page is there.
    pub(super) fn keep(self) {
        core::mem::forget(self);
    }
}

impl<M: Machine> Drop for PagePromise<'_, M> {
    fn drop(&mut self) {
        self.file.take_back(self.memory, 1);
    }
}

impl CachedFile {
    /// The same file, to be promised as `reserve` says.
    pub fn with_reserve(mut self, reserve: Reserve) -> Self {
        self.reserve = reserve;
        self
    }

    /// Pages that the file is promised.
    pub(crate) fn promised_pages(&self) -> u64 {
        match self.reserve {
            Reserve::ByPage if self.source == Source::Memory => self.resident_pages(),
            Reserve::ByPage => 0,
            Reserve::Whole => self.promised.load(Relaxed),
        }
    }

    /// A space with `mapped` pages is about to show the file for the first time.
    pub(crate) fn promise_whole<M: Machine>(
        &self,
        memory: &Memory<M>,
        mapped: u64,
    ) -> Result<(), OutOfMemory> {
        if self.reserve == Reserve::Whole && self.promised.load(Relaxed) == 0 {
            let pages = self.size().div_ceil(PAGE_SIZE);
            memory.commit(pages, mapped)?;
            self.promised.store(pages, Relaxed);
        }
        Ok(())
    }

    /// One page is about to come. Whose doing that is nobody knows here: nothing is kept back for the sake of its size.
    pub(super) fn promise_page<'a, M: Machine>(
        &'a self,
        memory: &'a Memory<M>,
    ) -> Result<PagePromise<'a, M>, NoPage> {
        if self.reserve == Reserve::ByPage && self.source == Source::Memory {
            memory.commit(1, 0).map_err(|_| NoPage::NotPromised)?;
        }
        Ok(PagePromise { file: self, memory })
    }

    /// `pages` that were promised one by one are gone.
    pub(super) fn take_back<M: Machine>(&self, memory: &Memory<M>, pages: u64) {
        if self.reserve == Reserve::ByPage && self.source == Source::Memory {
            memory.uncommit(pages);
        }
    }

    /// The file is gone.
    pub(super) fn take_back_whole<M: Machine>(&self, memory: &Memory<M>) {
        memory.uncommit(self.promised.swap(0, Relaxed));
    }
}

#[cfg(test)]
mod tests;
