//! Disks as files: `/dev/vda`, `/dev/nvme0n1` and their like, read through the page cache.
//!
//! A disk's pages are cached while somebody has it open or mapped, as on Linux. No program writes to a disk.
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use abi::Errno;
use abi::general::S_IFBLK;
use mm::page_cache::CachedFile;

use super::buffers::Buffers;
use super::devices::number;
use super::inode::{Directory, New, Whereabouts, extend};
use super::open::{Kind, OpenFile, Order, Status, Step};
use super::paged::{self, Owner, Reader};
use super::place::Place;
use super::tmpfs::Node;
use crate::block::{self, Bus, Parts, Volume};

/// What Linux gives disks as major number, where nobody else took it: virtio's, and those by NVM Express. Each disk has
/// some minor numbers, the first of which is the whole of it.
const VIRTIO: u32 = 254;
const NVME: u32 = 259;
const MINORS: usize = 16;

/// More of one kind would need names of two letters.
const MOST: usize = 26;

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
    }
    Ok(())
}

/// Opens the disk or partition with number `special`.
pub(super) fn open(special: u64, place: &Place, flags: u32) -> Result<Arc<OpenFile>, Errno> {
    let volume = volume_of(special).ok_or(Errno::ENXIO)?;
    let disk = Disk {
        volume,
        pages: Some(pages(volume, place)?),
        reader: Reader::new(),
        place: place.clone(),
    };
    OpenFile::at(place, disk, flags)
}

/// The disk or partition with number `special`.
pub(crate) fn volume_of(special: u64) -> Option<&'static Volume> {
    let mut volumes = block::volumes().iter();
    volumes.find(|volume| volume.drive.number() < MOST && device(volume) == special)
}

/// The pages of a volume that stands at `place`, for one who has it from here on, and gives it back with [`paged::close`].
pub(crate) fn pages(volume: &'static Volume, place: &Place) -> Result<Arc<CachedFile>, Errno> {
    let place = place.clone();
    let owner = Arc::try_new(Whole { volume, place }).map_err(|_| Errno::ENOMEM)?;
    paged::open(owner, volume.size())
}

/// What is known of a volume where there are only its pages.
struct Whole {
    volume: &'static Volume,
    /// By which it was opened first.
    place: Place,
}

impl Owner for Whole {
    fn volume(&self) -> &Volume {
        self.volume
    }

    fn locate(&self, index: u64, parts: &mut Parts) -> Result<(), Errno> {
        parts.push_from(self.volume, index)
    }

    fn may_grow(&self) -> bool {
        false
    }

    fn identity(&self) -> (u64, u64) {
        let status = self.place.inode.status();
        (status.device, status.number)
    }

    fn write_path(&self, path: &mut Vec<u8>) -> Result<Whereabouts, Errno> {
        extend(path, &self.place.path()?)?;
        Ok(Whereabouts::There)
    }
}

/// An open disk.
struct Disk {
    volume: &'static Volume,
    /// `None` only while it is dropped.
    pages: Option<Arc<CachedFile>>,
    reader: Reader,
    place: Place,
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some(pages) = self.pages.take() {
            paged::close(pages);
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
        match &self.pages {
            Some(file) => self.reader.read(file, at, into),
            None => Ok(Step::Done),
        }
    }

    fn read_direct(&self, at: u64, into: &mut Buffers<'_>) -> Result<Step, Errno> {
        if let Some(file) = &self.pages {
            paged::direct::read(file, at, into)?;
        }
        Ok(Step::Done)
    }

    /// As Linux answers for a disk that can only be read; opening it for writing is allowed there.
    fn write(&self, _at: u64, _from: &mut Buffers<'_>) -> Result<Step, Errno> {
        Err(Errno::EPERM)
    }

    fn unread(&self, _at: u64) -> Option<u64> {
        None
    }

    fn reader(&self) -> Option<&Reader> {
        Some(&self.reader)
    }

    fn pages(&self) -> Option<&Arc<CachedFile>> {
        self.pages.as_ref()
    }

    fn volume(&self) -> Option<&Volume> {
        Some(self.volume)
    }
}
