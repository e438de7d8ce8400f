//! Files that live in memory and have no path: memfd_create(2), and what shared anonymous mappings show.
//!
//! All the work is `mm`'s. The last descriptor and the last mapping may go in any order; who goes last gives the pages back.
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use abi::Errno;
use abi::general::S_IFREG;
use mm::Error;
use mm::contents::Reach;
use mm::page_cache::{CachedFile, Reserve, Source};
use mm::seal::Seals;

use super::buffers::Buffers;
use super::gate::{Gate, Turn};
use super::open::{Allocation, Kind, MAX_SIZE, Order, Status, Step};
use crate::arch::memory::memory;

/// Bytes copied at a time.
const PIECE: usize = 512;

/// Permission to execute, for all.
const EXECUTE: u32 = 0o111;

/// The number of the next one.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A file in memory.
pub(crate) struct Memfd {
    /// `None` only while it is being dropped.
    pages: Option<Arc<CachedFile>>,
    number: u64,
    permissions: u32,
    /// Held by a write, which is whole for all other writes.
    writing: Gate<()>,
}

/// The `length` bytes, in whole pages, that a shared anonymous mapping shows to its process and all who come of it.
pub(crate) fn shared_memory(length: u64, reserve: Reserve) -> Result<Arc<CachedFile>, Errno> {
    let size = length.checked_next_multiple_of(mm::PAGE_SIZE);
    let size = size.ok_or(Errno::ENOMEM)?;
    let file = CachedFile::new(NEXT.fetch_add(1, Relaxed), Source::Memory, size);
    Arc::try_new(file.with_reserve(reserve)).map_err(|_| Errno::ENOMEM)
}

impl Memfd {
    /// An empty file with this name, these permissions and seals.
    pub(crate) fn try_new(name: Vec<u8>, permissions: u32, seals: Seals) -> Result<Self, Errno> {
        let number = NEXT.fetch_add(1, Relaxed);
        let pages = Arc::try_new(CachedFile::new(number, Source::Memory, 0).with_name(name));
        let pages = pages.map_err(|_| Errno::ENOMEM)?;
        pages.add_seals(seals).map_err(|_| Errno::EPERM)?;
        Ok(Self {
            pages: Some(pages),
            number,
            permissions,
            writing: Gate::new(()),
        })
    }

    /// What `mm` knows of it.
    pub(crate) fn file(&self) -> &Arc<CachedFile> {
        let alive = "a file that can be reached has not been dropped";
        self.pages.as_ref().expect(alive)
    }

    /// F_ADD_SEALS. What must stay executable must keep its contents too.
    pub(crate) fn add_seals(&self, mut seals: Seals) -> Result<(), Error> {
        if seals.contains(Seals::EXEC) && self.permissions & EXECUTE != 0 {
            seals |= Seals::SHRINK | Seals::GROW | Seals::ANY_WRITE;
        }
        self.file().add_seals(seals)
    }

    /// Whether the seals let bytes up to `end` be written.
    fn check_seals(&self, end: u64) -> Result<(), Errno> {
        let seals = self.file().seals();
        let grows = end > self.file().size();
        if seals.intersects(Seals::ANY_WRITE) || grows && seals.contains(Seals::GROW) {
            return Err(Errno::EPERM);
        }
        Ok(())
    }
}

impl Kind for Memfd {
    fn status(&self) -> Status {
        Status {
            device: super::MEMORY_DEVICE,
            number: self.number,
            links: 0,
            mode: S_IFREG | self.permissions,
            size: self.file().size(),
            block_size: mm::PAGE_SIZE,
            blocks: self.file().resident_pages() * (mm::PAGE_SIZE / 512),
            ..Status::default()
        }
    }

    fn order(&self) -> Order {
        Order::Random(self.file().size())
    }

    fn read(&self, at: u64, into: &mut Buffers<'_>) -> Result<Step, Errno> {
        let mut piece = [0; PIECE];
        let want = into.left().min(PIECE as u64) as usize;
        match self.file().read_at(memory(), at, &mut piece[..want]) {
            0 => Ok(Step::Done),
            count => into.fill(&piece[..count]).map(|_| Step::More),
        }
    }

    /// Writes to one page: seals allow all of that, or nothing.
    fn write(&self, at: u64, from: &mut Buffers<'_>) -> Result<Step, Errno> {
        if from.left() == 0 {
            return Ok(Step::Done);
        }
        if at >= MAX_SIZE {
            return Err(Errno::EFBIG);
        }
        let room = mm::PAGE_SIZE - at % mm::PAGE_SIZE;
        let end = at + room.min(from.left()).min(MAX_SIZE - at);
        self.check_seals(end)?;
        let mut place = at;
        while place < end {
            let mut piece = [0; PIECE];
            let want = (end - place).min(PIECE as u64) as usize;
            let start = *from;
            let count = from.take(&mut piece[..want])?;
            let written = self.file().write_at(memory(), place, &piece[..count]);
            let written = written.inspect_err(|_| *from = start).map_err(refusal)?;
            place += written as u64;
        }
        Ok(Step::More)
    }

    fn pages(&self) -> Option<&Arc<CachedFile>> {
        Some(self.file())
    }

    fn is_regular(&self) -> bool {
        true
    }

    fn writers_turn(&self) -> Option<Turn<'_, ()>> {
        Some(self.writing.enter())
    }

    fn set_size(&self, size: u64) -> Result<(), Errno> {
        self.file().set_size(memory(), size).map_err(refusal)
    }

    fn allocate(&self, bytes: Range<u64>, how: Allocation) -> Result<(), Errno> {
        let done = match how {
            Allocation::PunchHole => self.file().punch_hole(memory(), bytes),
            Allocation::Extend => self.file().allocate(memory(), bytes, Reach::Extend),
            Allocation::Keep => self.file().allocate(memory(), bytes, Reach::Keep),
        };
        done.map_err(refusal)
    }

    fn memfd(&self) -> Option<&Memfd> {
        Some(self)
    }

    fn next_data(&self, at: u64) -> Option<u64> {
        self.file().next_data(memory(), at)
    }

    fn next_hole(&self, at: u64) -> Option<u64> {
        self.file().next_hole(memory(), at)
    }
}

impl Drop for Memfd {
    fn drop(&mut self) {
        if let Some(pages) = self.pages.take() {
            pages.release(memory());
        }
    }
}

/// Why a change of a file was refused, as write(2) says it.
pub(crate) fn refusal(error: Error) -> Errno {
    match error {
        Error::NotPermitted => Errno::EPERM,
        Error::Busy => Errno::EBUSY,
        Error::NoSpace => Errno::ENOSPC,
        Error::Overflow => Errno::EFBIG,
        _ => Errno::ENOMEM,
    }
}
