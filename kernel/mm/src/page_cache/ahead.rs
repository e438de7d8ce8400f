//! Reading ahead: which pages are read before anybody asks is for whoever reads; here is how he learns that it pays.
//!
//! The first page of what was read ahead is marked. It is shown to nobody before a fault has come to it; that fault takes
//! the mark and ends as [`Outcome::ReadAhead`](crate::Outcome::ReadAhead), so that the pages behind are on their way before
//! they are needed. Linux's PG_readahead.
use alloc::sync::Arc;

use super::{CachedFile, Read};
use crate::frame::Frame;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::vma::VmFlags;

/// In which order pages are likely to be needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pattern {
    /// Nobody has said: those around one that is needed, as likely as not.
    #[default]
    Unknown,
    /// One behind the other: `MADV_SEQUENTIAL`, `POSIX_FADV_SEQUENTIAL`.
    Rising,
    /// In none: `MADV_RANDOM`, `POSIX_FADV_RANDOM`.
    Random,
}

impl Pattern {
    /// What an area says of its pages.
    pub(crate) fn of(flags: VmFlags) -> Self {
        if flags.contains(VmFlags::RANDOM) {
            Self::Random
        } else if flags.contains(VmFlags::SEQUENTIAL) {
            Self::Rising
        } else {
            Self::Unknown
        }
    }
}

/// A marked page that somebody has come to.
#[derive(Debug)]
#[must_use = "it holds the file"]
pub struct Reached {
    file: Arc<CachedFile>,
    index: u64,
}

impl Reached {
    /// The file that more is to be read of.
    pub fn file(&self) -> &Arc<CachedFile> {
        &self.file
    }

    /// The page that bore the mark.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Lets go of the file.
    pub fn release<M: Machine>(self, memory: &Memory<M>) {
        self.file.release(memory);
    }
}

impl Read {
    /// Marks the page, which is read before anybody asked for it.
    pub fn mark_ahead<M: Machine>(&self, memory: &Memory<M>) {
        memory.record(self.frame).note_ahead();
    }
}

impl CachedFile {
    /// A fault of an area with `flags` has come to page `index`, in `frame`, which it holds: whether it is the first at a
    /// mark. Who goes about in no order has nothing read ahead.
    #[inline]
    pub(crate) fn come_to<M: Machine>(
        self: &Arc<Self>,
        memory: &Memory<M>,
        index: u64,
        frame: Frame,
        flags: VmFlags,
    ) -> Option<Reached> {
        let is_first = memory.record(frame).take_ahead();
        (is_first && !flags.contains(VmFlags::RANDOM)).then(|| Reached {
            file: self.clone(),
            index,
        })
    }
}
