//! Disks as files: `/dev/vda`, `/dev/nvme0n1` and their like, read through the page cache.
//!
//! A disk's pages are cached while somebody has it open or mapped, as on Linux. Nothing is ever written to a disk.
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::fmt::{self, Write};

use abi::Errno;
use abi::general::S_IFBLK;
use mm::PAGE_SIZE;
use mm::page_cache::{CachedFile, Read};
use spin::Once;

use super::buffers::Buffers;
use super::devices::number;
use super::inode::{Directory, New};
use super::open::{Kind, OpenFile, Order, Status, Step};
use super::place::Place;
use super::tmpfs::Node;
use crate::arch::memory::memory;
use crate::block::{self, Bus, Volume, Window};
use crate::lock::{IrqLock, Rank};

/// What Linux gives disks as major number, where nobody else took it: virtio's, and those by NVM Express. Each disk has some
/// minor numbers, the first of which is the whole of it.
const VIRTIO: u32 = 254;
const NVME: u32 = 259;
const MINORS: usize = 16;

/// More of one kind would need names of two letters.
const MOST: usize = 26;

/// Bytes copied at a time.
const PIECE: usize = 512;

/// A disk or a partition, and its pages as long as anybody has them.
struct Entry {
    volume: Volume,
    pages: IrqLock<Option<Weak<CachedFile>>>,
}

static ENTRIES: Once<Vec<Entry>> = Once::new();

fn entries() -> &'static [Entry] {
    ENTRIES.get().map_or(&[], Vec::as_slice)
}

/// Major and minor number of a volume.
pub(crate) fn numbers(volume: &Volume) -> (u32, u32) {
    let major = match volume.drive.facts().bus {
        Bus::Virtio => VIRTIO,
        Bus::Nvme => NVME,
    };
    let minor = volume.drive.number() * MINORS + volume.part;
    (major, minor as u32)
}

fn device(volume: &Volume) -> u64 {
    let (major, minor) = numbers(volume);
    number(major, minor)
}

/// A name in `/dev`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Name {
    bytes: [u8; 16],
    length: usize,
}

impl Name {
    /// As Linux calls the volume.
    pub(crate) fn of(volume: &Volume) -> Result<Self, fmt::Error> {
        let mut name = Self::default();
        let (number, part) = (volume.drive.number(), volume.part);
        match (volume.drive.facts().bus, part) {
            (Bus::Virtio, 0) => write!(name, "vd{}", letter(number)),
            (Bus::Virtio, _) => write!(name, "vd{}{part}", letter(number)),
            (Bus::Nvme, 0) => write!(name, "nvme{number}n1"),
            (Bus::Nvme, _) => write!(name, "nvme{number}n1p{part}"),
        }?;
        Ok(name)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl fmt::Write for Name {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let place = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

fn letter(number: usize) -> char {
    char::from(b'a' + (number % MOST) as u8)
}

/// Makes entries for disks and partitions in the folder that is to be `/dev`.
pub(super) fn populate(folder: &Arc<Node>) -> Result<(), Errno> {
    let mut entries = Vec::new();
    for volume in block::volumes()
        .iter()
        .filter(|volume| volume.drive.number() < MOST)
    {
        let new = New {
            mode: S_IFBLK | 0o660,
            target: &[],
            special: device(volume),
        };
        let name = Name::of(volume).map_err(|_| Errno::ENAMETOOLONG)?;
        folder.create(name.bytes(), &new)?;
        entries.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        entries.push(Entry {
            volume: volume.clone(),
            pages: IrqLock::new(Rank::Files, None),
        });
    }
    ENTRIES.call_once(|| entries);
    Ok(())
}

/// Opens the disk or partition with number `special`.
pub(super) fn open(special: u64, place: &Place, flags: u32) -> Result<Arc<OpenFile>, Errno> {
    let is_it = |entry: &&Entry| special == device(&entry.volume);
    let entry = entries().iter().find(is_it).ok_or(Errno::ENXIO)?;
    let disk = Disk {
        volume: &entry.volume,
        pages: Some(pages(entry, place)?),
        window: IrqLock::new(Rank::Files, Window::new()),
        place: place.clone(),
    };
    OpenFile::at(place, disk, flags)
}

/// The pages of a volume, for one who has it open from here on.
fn pages(entry: &'static Entry, place: &Place) -> Result<Arc<CachedFile>, Errno> {
    let owner = Owner {
        volume: &entry.volume,
        faults: IrqLock::new(Rank::Files, Window::new()),
        place: place.clone(),
    };
    let owner = Arc::try_new(owner).map_err(|_| Errno::ENOMEM)?;
    let new = entry
        .volume
        .new_file(device(&entry.volume))
        .with_owner(owner);
    let new = Arc::try_new(new).map_err(|_| Errno::ENOMEM)?;
    let mut pages = entry.pages.lock();
    if let Some(there) = pages.as_ref().and_then(Weak::upgrade) {
        drop(pages);
        return Ok(there);
    }
    *pages = Some(Arc::downgrade(&new));
    Ok(new)
}

/// What is known of a volume where there are only its pages.
struct Owner {
    volume: &'static Volume,
    /// How far faults read ahead.
    faults: IrqLock<Window>,
    /// By which it was opened first.
    place: Place,
}

fn owner(file: &CachedFile) -> Option<&Owner> {
    file.owner()?.downcast_ref()
}

/// Where the disk stands that a cached file shows; `None` for other files.
pub(super) fn of_cached(file: &CachedFile) -> Option<&Place> {
    owner(file).map(|owner| &owner.place)
}

/// Performs a read that a fault asked for, where it is a disk's, and reads ahead. `EIO` where the disk failed, `EINTR` where
/// the process has to end first.
pub(super) fn complete(read: Read) -> Result<(), Errno> {
    let file = read.file().clone();
    let result = match owner(&file) {
        Some(owner) => fetch(owner, read),
        None => {
            read.complete(memory(), mm::page_cache::ReadResult::Failed);
            Err(Errno::EIO)
        }
    };
    file.release(memory());
    result
}

fn fetch(owner: &Owner, read: Read) -> Result<(), Errno> {
    let index = read.index();
    let pages = owner.faults.lock().miss(index, 1);
    let fetch = owner.volume.fetch_on(read, index + 1..pages.end)?;
    match owner.volume.wait_for(&fetch) {
        Err(Errno::EIO) if fetch.pages() > 1 => {
            // Which page is bad is not known: the fault comes again, and reads one.
            owner.faults.lock().failed(index);
            Ok(())
        }
        result => result,
    }
}

/// A fault came to page `index`, which another is reading: waits for that. `EINTR` where the process has to end first.
pub(super) fn wait_for_page(file: &CachedFile, index: u64) -> Result<(), Errno> {
    match owner(file) {
        Some(owner) => owner.volume.wait_for_page(file, index),
        None => {
            crate::process::sched::yield_now();
            Ok(())
        }
    }
}

/// An open disk.
struct Disk {
    volume: &'static Volume,
    /// `None` only while it is dropped.
    pages: Option<Arc<CachedFile>>,
    /// How far `read` reads ahead.
    window: IrqLock<Window>,
    place: Place,
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some(pages) = self.pages.take() {
            pages.release(memory());
        }
    }
}

impl Disk {
    /// Has page `index` in memory, of which and of those behind it `wanted` are asked for.
    fn bring(&self, file: &Arc<CachedFile>, index: u64, wanted: u64) -> Result<(), Errno> {
        while !file.is_ready(memory(), index) {
            if file.is_being_read(memory(), index) {
                self.volume.wait_for_page(file, index)?;
            } else {
                self.read_from(file, index, wanted)?;
            }
        }
        let ahead = self.window.lock().hit(index);
        if let Some(ahead) = ahead {
            // Nobody waits for these; whoever needs them learns what became of them.
            let _ = self.volume.fetch(file, ahead);
        }
        Ok(())
    }

    /// Has page `index` read, and those behind it that the window says.
    fn read_from(&self, file: &Arc<CachedFile>, index: u64, wanted: u64) -> Result<(), Errno> {
        let pages = self.window.lock().miss(index, wanted);
        let Some(fetch) = self.volume.fetch(file, index..pages.end)? else {
            // Another was quicker.
            return Ok(());
        };
        match self.volume.wait_for(&fetch) {
            Err(Errno::EIO) if fetch.pages() > 1 => {
                self.window.lock().failed(index);
                Ok(())
            }
            result => result,
        }
    }
}

impl Kind for Disk {
    fn status(&self) -> Status {
        self.place.inode.status()
    }

    fn order(&self) -> Order {
        Order::Random(self.volume.size())
    }

    fn read(&self, at: u64, into: &mut Buffers<'_>) -> Result<Step, Errno> {
        let Some(file) = &self.pages else {
            return Ok(Step::Done);
        };
        if at >= self.volume.size() || into.left() == 0 {
            return Ok(Step::Done);
        }
        let wanted = (at % PAGE_SIZE + into.left()).div_ceil(PAGE_SIZE);
        self.bring(file, at / PAGE_SIZE, wanted)?;
        let mut piece = [0; PIECE];
        let want = into.left().min(PIECE as u64) as usize;
        if let Some(count) = file.read_ready(memory(), at, &mut piece[..want]) {
            into.fill(&piece[..count])?;
        }
        Ok(Step::More)
    }

    /// As Linux answers for a disk that can only be read; opening it for writing is allowed there.
    fn write(&self, _at: u64, _from: &mut Buffers<'_>) -> Result<Step, Errno> {
        Err(Errno::EPERM)
    }

    fn unread(&self, _at: u64) -> Option<u64> {
        None
    }

    fn pages(&self) -> Option<&Arc<CachedFile>> {
        self.pages.as_ref()
    }

    fn volume(&self) -> Option<&Volume> {
        Some(self.volume)
    }
}
