//! A virtual memory area: pages in a row that share protection, flags and backing. A promise; the faults keep it.
//!
//! Areas are plain values. Slicing one keeps each page's place in its file, and two may be joined where Linux would
//! (`identity.rs`).
use alloc::sync::Arc;
use core::ops::Range;

use bitflags::bitflags;

use crate::fault::Access;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::opening::Opening;
use crate::page::{self, Page};
use crate::page_cache::{CachedFile, Source};
use crate::pte::PteFlags;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// Pages kept free below an area that grows down: Linux's `stack_guard_gap`.
pub const GUARD_GAP: u64 = 256;

bitflags! {
    /// What may be done with an area's pages, and how the area behaves.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct VmFlags: u32 {
        /// Loads are allowed.
        const READ = 1 << 0;
        /// Stores are allowed.
        const WRITE = 1 << 1;
        /// Instruction fetches are allowed.
        const EXEC = 1 << 2;
        /// Stores reach all who map the same pages.
        const SHARED = 1 << 3;
        /// A fault just below extends the area (stacks).
        const GROWS_DOWN = 1 << 4;
        /// Pages stay in memory.
        const LOCKED = 1 << 5;
        /// Not accounted as a promise of memory.
        const NO_RESERVE = 1 << 6;
        /// The program's initial stack, which `maps` names.
        const STACK = 1 << 7;
        /// Its pages are part of what is promised to all (Linux's VM_ACCOUNT): see `commit.rs`.
        const ACCOUNTED = 1 << 8;
        /// Stores can't be allowed by `mprotect` either: what is shared was opened for reading.
        const NEVER_WRITE = 1 << 9;
        /// Beside `LOCKED`: pages stay once they are there, and are not fetched in advance.
        const LOCK_ON_FAULT = 1 << 10;
        /// Pages will be touched in no order.
        const RANDOM = 1 << 11;
        /// Pages will be touched from the first to the last.
        const SEQUENTIAL = 1 << 12;
        /// A child does not get the area.
        const DONT_FORK = 1 << 13;
        /// A child gets the area empty.
        const WIPE_ON_FORK = 1 << 14;
        /// Not part of a core dump.
        const DONT_DUMP = 1 << 15;
        /// Huge pages are welcome.
        const HUGE = 1 << 16;
        /// Huge pages are not wanted.
        const NO_HUGE = 1 << 17;
        /// Equal pages may be made one.
        const MERGEABLE = 1 << 18;
        /// One page that the kernel put there (Linux's special mappings, as the vDSO): it keeps its length, stays one by
        /// itself, and no lock holds it.
        const SPECIAL = 1 << 19;
        /// Beside `SPECIAL`: what is shown is no memory of the program's (Linux's VM_IO and VM_PFNMAP). It can only be
        /// read, by the program alone, and is counted nowhere. Always with `NEVER_WRITE`.
        const RAW = 1 << 20;
        /// Both ways to lock.
        const LOCK = Self::LOCKED.bits() | Self::LOCK_ON_FAULT.bits();
        /// All three accesses.
        const ACCESS = Self::READ.bits() | Self::WRITE.bits() | Self::EXEC.bits();
    }
}

impl VmFlags {
    /// Whether an access of this kind is allowed. As on x86, whatever can be written or executed can be read.
    pub fn allow(self, access: Access) -> bool {
        match access {
            Access::Read => self.intersects(Self::ACCESS),
            Access::Write => self.contains(Self::WRITE),
            Access::Execute => self.contains(Self::EXEC),
        }
    }

    /// Whether pages of such an area count against RLIMIT_DATA: private, writable, not a stack.
    pub(crate) fn is_data(self) -> bool {
        self & (Self::WRITE | Self::SHARED | Self::GROWS_DOWN) == Self::WRITE
    }

    /// Whether a new area like this is accounted as memory that may be needed: private, writable, and the program did not
    /// say otherwise.
    pub(crate) fn is_promise(self) -> bool {
        self & (Self::WRITE | Self::SHARED | Self::NO_RESERVE) == Self::WRITE
    }

    /// The same flags, with a note whether the area is accounted.
    pub(crate) fn with_promise(mut self) -> Self {
        self.set(Self::ACCOUNTED, self.is_promise());
        self
    }

    /// The rights of an entry that may be stored through where the area allows it.
    pub(crate) fn entry_flags(self) -> PteFlags {
        let mut flags = self.read_only_entry_flags();
        flags.set(PteFlags::WRITABLE, self.contains(Self::WRITE));
        let is_private = self & (Self::WRITE | Self::SHARED) == Self::WRITE;
        flags.set(PteFlags::EXCLUSIVE, is_private);
        flags
    }

    /// The rights of an entry whose first store must fault.
    pub(crate) fn read_only_entry_flags(self) -> PteFlags {
        let mut flags = PteFlags::USER | PteFlags::ACCESSED;
        flags.set(PteFlags::NO_EXECUTE, !self.contains(Self::EXEC));
        flags
    }
}

/// Where an area's pages come from.
#[derive(Clone, Debug)]
pub enum Backing {
    /// Zeroes.
    Anonymous,
    /// Zeroes too, but of `/dev/zero`: the area is named, keeps a place in that file, and is no kin of others.
    ZeroDevice {
        /// In pages; nothing comes from there.
        offset: u64,
    },
    /// A file; the area's first page is the file's page number `offset`.
    File {
        /// The file's pages.
        file: Arc<CachedFile>,
        /// In pages.
        offset: u64,
    },
}

impl Backing {
    /// Whether no file holds the pages: they begin as zeroes, and are the space's own.
    pub fn is_anonymous(&self) -> bool {
        matches!(self, Self::Anonymous | Self::ZeroDevice { .. })
    }

    /// Whether a file was asked for, be it one of zeroes.
    pub fn is_of_file(&self) -> bool {
        !matches!(self, Self::Anonymous)
    }
}

/// Pages `start..end` of an address space. Never empty.
#[derive(Debug)]
pub struct Vma {
    /// First page.
    pub start: Page,
    /// The page behind the last.
    pub end: Page,
    /// Protection and behaviour.
    pub flags: VmFlags,
    /// Source of the contents.
    pub backing: Backing,
    /// What its file was mapped by.
    pub opening: Opening,
    /// See [`Vma::identity`]. Like `shift` it changes by a fault once, which shares the area with others.
    pub(crate) identity: AtomicU32,
    /// See [`Vma::shift`].
    pub(crate) shift: AtomicU64,
}

impl Clone for Vma {
    fn clone(&self) -> Self {
        self.slice(self.pages())
    }
}

impl Vma {
    /// An area as it begins: nothing was stored in its pages, and they are where they were mapped.
    pub fn new(pages: Range<Page>, flags: VmFlags, backing: Backing) -> Self {
        Self {
            start: pages.start,
            end: pages.end,
            flags,
            backing,
            opening: Opening::default(),
            identity: AtomicU32::new(0),
            shift: AtomicU64::new(0),
        }
    }

    /// The pages of the area.
    pub fn pages(&self) -> Range<Page> {
        self.start..self.end
    }

    /// Length in pages.
    pub fn len(&self) -> u64 {
        page::count(&self.pages())
    }

    /// How many of its pages are part of what the machine promised.
    pub(crate) fn promised(&self) -> u64 {
        if self.flags.contains(VmFlags::ACCOUNTED) {
            self.len()
        } else {
            0
        }
    }

    /// Never: an area has at least one page.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Whether `page` is of the area.
    pub fn contains(&self, page: Page) -> bool {
        self.start <= page && page < self.end
    }

    /// Where the space that the area keeps for itself begins: below its start where it grows down.
    pub fn guarded_start(&self) -> Page {
        if self.flags.contains(VmFlags::GROWS_DOWN) {
            self.start.saturating_sub(GUARD_GAP)
        } else {
            self.start
        }
    }

    /// Ends the area's hold on what is behind it. An area that may be the last of a file must not just be dropped.
    pub(crate) fn release<M: Machine>(self, memory: &Memory<M>) {
        if let Backing::File { file, .. } = self.backing {
            file.release(memory);
        }
    }

    /// The file behind the area, if there is one.
    pub(crate) fn file(&self) -> Option<&Arc<CachedFile>> {
        match &self.backing {
            Backing::Anonymous | Backing::ZeroDevice { .. } => None,
            Backing::File { file, .. } => Some(file),
        }
    }

    /// Whether the first store to a page has to be noticed before it happens, because the page goes back to a disk.
    pub(crate) fn notices_stores(&self) -> bool {
        let on_disk = |file: &Arc<CachedFile>| file.source() == Source::Disk;
        self.flags.contains(VmFlags::SHARED) && self.file().is_some_and(on_disk)
    }

    /// Where it has to be, the file and the page of it behind `page`.
    pub(crate) fn noticed(&self, page: Page) -> Option<(&Arc<CachedFile>, u64)> {
        let file = self.file().filter(|_| self.notices_stores())?;
        Some((file, self.file_index(page)?))
    }

    /// The page of the file behind `page`; only for file-backed areas.
    pub fn file_index(&self, page: Page) -> Option<u64> {
        match &self.backing {
            Backing::Anonymous | Backing::ZeroDevice { .. } => None,
            Backing::File { offset, .. } => Some(offset + (page - self.start)),
        }
    }

    /// The part of the area in `pages`, which must lie inside it.
    pub fn slice(&self, pages: Range<Page>) -> Self {
        debug_assert!(
            self.start <= pages.start && pages.start < pages.end && pages.end <= self.end
        );
        let backing = match &self.backing {
            Backing::Anonymous => Backing::Anonymous,
            Backing::ZeroDevice { offset } => Backing::ZeroDevice {
                offset: offset + (pages.start - self.start),
            },
            Backing::File { file, offset } => Backing::File {
                file: file.clone(),
                offset: offset + (pages.start - self.start),
            },
        };
        Self {
            start: pages.start,
            end: pages.end,
            flags: self.flags,
            backing,
            opening: self.opening.clone(),
            identity: AtomicU32::new(self.identity.load(Relaxed)),
            shift: AtomicU64::new(self.shift()),
        }
    }

    /// Whether `self` and `next` touch, and are one area to Linux.
    pub fn can_merge(&self, next: &Self) -> bool {
        self.flags == next.flags
            && !self.flags.contains(VmFlags::SPECIAL)
            && self.is_continued_by(next)
            && self.identity().joined(next.identity()).is_some()
    }

    /// Whether private pages of both have come the same way; they have where both got them while they were one.
    fn shifts_agree(&self, next: &Self) -> bool {
        self.shift() == next.shift() || self.identity().is_none() || next.identity().is_none()
    }

    /// Takes `next` in, with which it was asked whether it can merge.
    pub(crate) fn take_in(&mut self, next: &Self) {
        self.end = next.end;
        if self.identity().is_none() && !next.identity().is_none() {
            self.become_kin_of(next);
        }
    }

    /// What the area will be at `pages`. As on Linux one that has no private pages begins anew there.
    pub(crate) fn moved_to(mut self, pages: Range<Page>) -> Self {
        let distance = pages.start.number().wrapping_sub(self.start.number());
        let is_new = self.identity().is_none();
        let shift = self.shift.get_mut();
        *shift = if is_new {
            0
        } else {
            shift.wrapping_add(distance)
        };
        (self.start, self.end) = (pages.start, pages.end);
        self
    }

    /// Whether `next` begins where the area ends, and goes on with the same source: for anonymous areas that is the place
    /// where they were mapped.
    pub(crate) fn is_continued_by(&self, next: &Self) -> bool {
        self.end == next.start && self.opening.is(&next.opening) && self.backing_continues(next)
    }

    fn backing_continues(&self, next: &Self) -> bool {
        match (&self.backing, &next.backing) {
            (Backing::Anonymous, Backing::Anonymous) => self.shift() == next.shift(),
            (Backing::ZeroDevice { offset }, Backing::ZeroDevice { offset: at }) => {
                offset + self.len() == *at && self.shifts_agree(next)
            }
            (
                Backing::File { file, offset },
                Backing::File {
                    file: other,
                    offset: at,
                },
            ) => Arc::ptr_eq(file, other) && offset + self.len() == *at && self.shifts_agree(next),
            _ => false,
        }
    }
}
