//! Promised memory: what all spaces together may come to need, and whether one promise more is made.
//!
//! Linux's `vm.overcommit_memory`. A private writable area is a promise of its length, for as long as it lives; strict mode
//! keeps the sum below a share of memory, so that no program ever dies for having believed a successful `mmap`.

use crate::error::OutOfMemory;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// How readily memory is promised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overcommit {
    /// Mode 0: only what can never be kept is refused.
    #[default]
    Heuristic = 0,
    /// Mode 1: nothing is refused.
    Always = 1,
    /// Mode 2: never more than [`Memory::commit_limit`] in all; MAP_NORESERVE means nothing.
    Never = 2,
}

impl Overcommit {
    /// The mode that Linux has under this number.
    pub fn from_number(number: u32) -> Option<Self> {
        [Self::Heuristic, Self::Always, Self::Never]
            .into_iter()
            .find(|&mode| mode as u32 == number)
    }
}

/// Linux's default `vm.overcommit_ratio`: percent of memory that strict mode promises.
const RATIO: u32 = 50;

/// The most pages that strict mode keeps back from any one space: Linux's `vm.user_reserve_kbytes`, 128 MiB.
const MOST_RESERVED: u64 = 128 << 8;

/// What is promised.
#[derive(Debug)]
pub(crate) struct Commitment {
    /// The mode, by its number.
    mode: AtomicU32,
    /// Percent of memory that strict mode promises.
    ratio: AtomicU32,
    pages: AtomicU64,
}

impl Commitment {
    pub(crate) const fn new() -> Self {
        Self {
            mode: AtomicU32::new(Overcommit::Heuristic as u32),
            ratio: AtomicU32::new(RATIO),
            pages: AtomicU64::new(0),
        }
    }
}

impl<M: Machine> Memory<M> {
    /// Chooses how readily memory is promised from now on. Promises that were made are kept, and areas without one stay so.
    pub fn set_overcommit(&self, mode: Overcommit) {
        self.commitment.mode.store(mode as u32, Relaxed);
    }

    /// How readily memory is promised.
    pub fn overcommit(&self) -> Overcommit {
        Overcommit::from_number(self.commitment.mode.load(Relaxed)).unwrap_or_default()
    }

    /// Chooses how many percent of memory strict mode promises.
    pub fn set_overcommit_ratio(&self, percent: u32) {
        self.commitment.ratio.store(percent, Relaxed);
    }

    /// Percent of memory that strict mode promises.
    pub fn overcommit_ratio(&self) -> u32 {
        self.commitment.ratio.load(Relaxed)
    }

    /// Pages that all spaces together are promised: Committed_AS.
    pub fn committed_pages(&self) -> u64 {
        self.commitment.pages.load(Relaxed)
    }

    /// Pages that strict mode promises at most: CommitLimit.
    pub fn commit_limit(&self) -> u64 {
        self.managed_frames() as u64 * u64::from(self.overcommit_ratio()) / 100
    }

    /// Promises `pages` more to a space that has `mapped` pages of areas.
    pub(crate) fn commit(&self, pages: u64, mapped: u64) -> Result<(), OutOfMemory> {
        let sum = self.commitment.pages.fetch_add(pages, Relaxed) + pages;
        let is_granted = match self.overcommit() {
            _ if pages == 0 => true,
            Overcommit::Always => true,
            Overcommit::Heuristic => pages <= self.managed_frames() as u64,
            Overcommit::Never => sum < self.commit_limit().saturating_sub(self.kept_back(mapped)),
        };
        if is_granted {
            return Ok(());
        }
        self.uncommit(pages);
        Err(OutOfMemory)
    }

    /// What a space of that size leaves to others, so that they can still do something about it.
    fn kept_back(&self, mapped: u64) -> u64 {
        let reserve = (self.managed_frames() as u64 / 32).min(MOST_RESERVED);
        reserve.min(mapped / 32)
    }

    /// Promises pages again that the next [`Self::uncommit`] takes back although their area lives on.
    pub(crate) fn recommit(&self, pages: u64) {
        self.commitment.pages.fetch_add(pages, Relaxed);
    }

    /// Takes a promise back.
    pub(crate) fn uncommit(&self, pages: u64) {
        let before = self.commitment.pages.fetch_sub(pages, Relaxed);
        debug_assert!(before >= pages, "{pages} pages of {before} promised ones");
    }
}

#[cfg(test)]
mod tests {
    use super::Overcommit;
    use crate::error::Error;
    use crate::mmap::Place;
    use crate::testing::{Drawing, FIRST, mapping};
    use crate::vma::VmFlags;

    const RW: VmFlags = VmFlags::READ.union(VmFlags::WRITE);

    /// An empty space in a machine of 129 frames: in strict mode 64 pages may be promised.
    fn drawing(mode: Overcommit) -> Drawing {
        let drawing = Drawing::of("..........");
        drawing.memory.set_overcommit(mode);
        drawing
    }

    fn map(drawing: &mut Drawing, len: u64, flags: VmFlags) -> Result<u64, Error> {
        let request = mapping(FIRST + 100..FIRST + 100 + len, Place::Fixed, flags);
        drawing.space.mmap(&drawing.memory, request)
    }

    #[test]
    fn no_single_promise_exceeds_the_machine() {
        let mut it = drawing(Overcommit::Heuristic);
        let frames = it.memory.managed_frames() as u64;
        assert_eq!(map(&mut it, frames + 1, RW), Err(Error::OutOfMemory));
        assert!(map(&mut it, frames, RW).is_ok());
        let mut it = drawing(Overcommit::Always);
        assert!(map(&mut it, 1 << 30, RW).is_ok());
    }

    #[test]
    fn strict_mode_never_promises_more_than_half() {
        let mut it = drawing(Overcommit::Never);
        assert_eq!(it.memory.commit_limit(), 64);
        for flags in [RW, RW | VmFlags::NO_RESERVE] {
            assert_eq!(map(&mut it, 64, flags), Err(Error::OutOfMemory));
        }
        assert!(map(&mut it, 63, RW | VmFlags::NO_RESERVE).is_ok());
        assert_eq!(it.memory.committed_pages(), 63);
        assert!(map(&mut it, 63, RW).is_ok(), "in place of the other");
        assert_eq!(it.memory.committed_pages(), 63);
        assert!(map(&mut it, 1000, VmFlags::READ).is_ok(), "no promise");
        assert_eq!(it.memory.committed_pages(), 0);
    }

    #[test]
    fn a_refused_fork_never_leaves_a_promise() {
        let mut it = drawing(Overcommit::Never);
        map(&mut it, 40, RW).expect("below half");
        assert!(it.space.fork(&it.memory).is_err());
        assert_eq!(it.memory.committed_pages(), 40);
        it.shows("..........");
        // Of two areas the first is promised before the second is refused.
        let elsewhere = FIRST + 200..FIRST + 215;
        let request = mapping(elsewhere, Place::Fixed, RW);
        assert!(it.space.mmap(&it.memory, request).is_ok());
        it.unmap(&(" ".repeat(101) + &"-".repeat(30)))
            .expect("allowed");
        assert_eq!(it.memory.committed_pages(), 25);
        let child = it.space.fork(&it.memory).expect("50 are below half");
        assert!(it.space.fork(&it.memory).is_err());
        assert_eq!(it.memory.committed_pages(), 50);
        child.destroy(&it.memory);
        assert_eq!(it.memory.committed_pages(), 25);
    }

    #[test]
    fn only_what_was_never_written_loses_its_promise() {
        //                          0123456789
        let mut it = Drawing::of("WwwwWwww..");
        it.fault(1, crate::fault::Access::Write);
        assert_eq!(it.memory.committed_pages(), 8);
        it.protect("----      ", 'r').expect("allowed");
        assert_eq!(it.memory.committed_pages(), 8);
        it.protect("  --      ", 'n').expect("allowed");
        it.protect("  --      ", 'r').expect("allowed");
        assert_eq!(it.memory.committed_pages(), 8, "what counts is the area");
        it.protect("    ----  ", 'r').expect("allowed");
        assert_eq!(it.memory.committed_pages(), 4);
        it.shows("RrrrRrrr..");
        it.protect("--------  ", 'w').expect("allowed");
        assert_eq!(it.memory.committed_pages(), 8);
        it.shows("Wwwwwwww..");
    }
}
