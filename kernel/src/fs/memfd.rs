//! Files that live in memory and have no path: memfd_create(2), and what shared anonymous mappings show.
//!
//! All the work is `mm`'s. The last descriptor and the last mapping may go in any order; who goes last gives the pages
//! back.
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

use super::attributes::Attributes;
use super::buffers::Buffers;
use super::gate::{Gate, Turn};
use super::inode::{Change, Time};
use super::open::{Allocation, Kind, MAX_SIZE, Order, Status, Step};
use crate::arch::memory::memory;
use crate::lock::{IrqLock, Rank};

/// Permission to execute, for all.
const EXECUTE: u32 = 0o111;

/// The number of the next one.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A file in memory.
pub(crate) struct Memfd {
    /// `None` only while it is being dropped.
    pages: Option<Arc<CachedFile>>,
    number: u64,
    attributes: IrqLock<Attributes>,
    /// Held by a write, which is whole for all other writes; by what changes length, seals or permissions too.
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
            attributes: IrqLock::new(Rank::Files, Attributes::new(S_IFREG | permissions)),
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
        let _writing = self.writing.enter();
        if seals.contains(Seals::EXEC) && self.attributes.lock().mode & EXECUTE != 0 {
            seals |= Seals::SHRINK | Seals::GROW | Seals::ANY_WRITE;
        }
        self.file().add_seals(seals)
    }
}

impl Kind for Memfd {
    fn status(&self) -> Status {
        Status {
            device: super::MEMORY_DEVICE,
            number: self.number,
            size: self.file().size(),
            blocks: self.file().resident_pages() * (mm::PAGE_SIZE / 512),
            ..self.attributes.lock().status()
        }
    }

    fn order(&self) -> Order {
        Order::Random(self.file().size())
    }

    fn read(&self, at: u64, into: &mut Buffers<'_>) -> Result<Step, Errno> {
        if into.moved() == 0 {
            self.attributes.lock().accessed = Time::now();
        }
        let most = into.left().min(mm::PAGE_SIZE) as usize;
        let lent = self
            .file()
            .lend_to_read(memory(), at, most, |words, place| match words {
                Some(words) => into.fill_from(words, place),
                None => into.fill_zeroes(place.len()),
            });
        match lent {
            None => Ok(Step::Done),
            Some(moved) => moved.map(|count| if count == 0 { Step::Done } else { Step::More }),
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
        let most = from.left().min(MAX_SIZE - at) as usize;
        // Linux: also where nothing can be written.
        self.attributes.lock().note_change();
        fill_page(self.file(), at, most, from)?;
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
        let _writing = self.writing.enter();
        self.file().set_size(memory(), size).map_err(refusal)?;
        self.attributes.lock().note_change();
        Ok(())
    }

    fn allocate(&self, bytes: Range<u64>, how: Allocation) -> Result<(), Errno> {
        let _writing = self.writing.enter();
        let done = match how {
            Allocation::PunchHole => self.file().punch_hole(memory(), bytes),
            Allocation::Extend => self.file().allocate(memory(), bytes, Reach::Extend),
            Allocation::Keep => self.file().allocate(memory(), bytes, Reach::Keep),
        };
        done.map_err(refusal)?;
        self.attributes.lock().note_change();
        Ok(())
    }

    /// Whether it may be executed is sealed by F_SEAL_EXEC.
    fn change(&self, change: Change) -> Result<(), Errno> {
        let _writing = self.writing.enter();
        let mut attributes = self.attributes.lock();
        if let Change::Permissions(wanted) = change
            && (attributes.mode ^ wanted) & EXECUTE != 0
            && self.file().seals().contains(Seals::EXEC)
        {
            return Err(Errno::EPERM);
        }
        attributes.change(change);
        Ok(())
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

/// Moves up to `most` bytes of ring 3's into the page of byte `at`. The caller has the file's turn to write.
pub(crate) fn fill_page(
    file: &CachedFile,
    at: u64,
    most: usize,
    from: &mut Buffers<'_>,
) -> Result<(), Errno> {
    let start = *from;
    let mut taken = Ok(0);
    let written = file.lend_to_write(memory(), at, most, |words, place| {
        taken = from.take_into(words, place);
        taken.unwrap_or(0)
    });
    if let Err(error) = written {
        *from = start;
        return Err(refusal(error));
    }
    taken.map(drop)
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
