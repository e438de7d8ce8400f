//! An ext2 volume as something that can be mounted.
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use abi::Errno;
use abi::general::{EXT2_SUPER_MAGIC, S_IFBLK};

use super::buffer::Buffer;
use super::volume::{Volume, errno};
use super::{Node, now};
use crate::block;
use crate::fs::disk;
use crate::fs::inode::Inode;
use crate::fs::mount as mounts;
use crate::fs::paged::{self, bytes};
use crate::fs::path::{self, Links};
use crate::fs::place::Place;
use crate::fs::system::{Access, FileSystem, Room, System};
use crate::lock::{IrqLock, Rank};
use crate::process::{current, sched};

/// Where a superblock says how large blocks are: 1 KiB, doubled so many times.
const BLOCK_SIZE_AT: u64 = 1024 + 24;
const MOST_DOUBLED: u32 = 2;

/// Volumes that no mount shows any more, while a mapping still does.
static LEFT_OVER: IrqLock<Vec<Arc<Volume>>> = IrqLock::new(Rank::Files, Vec::new());

/// A volume, with its root.
struct Ext2 {
    volume: Arc<Volume>,
    root: Arc<Node>,
}

/// The file system on the disk that `source` names, mounted with these words.
pub(in crate::fs) fn mount(
    source: Vec<u8>,
    access: Access,
    words: &[u8],
) -> Result<Arc<System>, Errno> {
    let place = place_of(&source)?;
    let status = place.inode.status();
    if place.inode.kind() != S_IFBLK {
        return Err(Errno::ENOTBLK);
    }
    let disk = disk::volume_of(status.special).ok_or(Errno::ENXIO)?;
    let there = mounts::systems()?
        .into_iter()
        .find(|system| system.files.kind() == "ext2" && system.files.device() == status.special);
    if let Some(system) = there {
        return if system.access() == access {
            Ok(system)
        } else {
            Err(Errno::EBUSY)
        };
    }
    check_words(words)?;
    // Whatever was left over of it is left now, or it is busy.
    finish_left_over();
    if is_left_over(status.special) {
        return Err(Errno::EBUSY);
    }
    let files = open(disk, status.special, &place, access)?;
    System::try_new(files, source, access)
}

fn place_of(source: &[u8]) -> Result<Place, Errno> {
    let start = match source.first() {
        None => return Err(Errno::ENOENT),
        Some(b'/') => Place::root(),
        Some(_) => current().working.directory(),
    };
    path::resolve(start, source, Links::Follow)
}

/// What Linux's ext2 takes and what makes no difference here.
fn check_words(words: &[u8]) -> Result<(), Errno> {
    const KNOWN: [&[u8]; 6] = [
        b"",
        b"errors=continue",
        b"errors=remount-ro",
        b"nocheck",
        b"check=none",
        b"nouid32",
    ];
    let mut words = words.split(|&byte| byte == b',');
    if words.all(|word| KNOWN.contains(&word)) {
        Ok(())
    } else {
        Err(Errno::EINVAL)
    }
}

fn open(
    disk: &'static block::Volume,
    device: u64,
    place: &Place,
    access: Access,
) -> Result<Arc<Ext2>, Errno> {
    let claim = match access {
        Access::Read => None,
        Access::Write => Some(disk.claim_for_writing().map_err(|errno| match errno {
            Errno::EROFS => Errno::EACCES,
            errno => errno,
        })?),
    };
    let buffer = Buffer::try_new(disk, device, block_size(disk, place)?)?;
    let wanted = match access {
        Access::Read => ext2::Access::ReadOnly,
        Access::Write => ext2::Access::ReadWrite,
    };
    let inner = ext2::Volume::mount(buffer, disk.size(), wanted, now());
    let inner = inner.map_err(|error| {
        log::warn!("ext2: a disk was not mounted: {error}");
        match error {
            ext2::Error::Corrupt => Errno::EINVAL,
            error => errno(error),
        }
    })?;
    if inner.access() != wanted {
        log::warn!("ext2: the volume has features that forbid writing to it");
        return Err(Errno::EINVAL);
    }
    if inner.condition() != ext2::Condition::Clean {
        log::warn!("ext2: the volume was not left in order: e2fsck should be run");
    }
    let volume = Volume::try_new(disk, device, inner, claim)?;
    if access == Access::Write {
        // Whoever loses power from here on shall be told so by e2fsck.
        paged::sync_all();
    }
    let root = volume.node(|_| Ok(ext2::ROOT))?;
    Arc::try_new(Ext2 { volume, root }).map_err(|_| Errno::ENOMEM)
}

/// Bytes of a block, as the superblock has it; any size where there is none, for the crate to refuse.
fn block_size(disk: &'static block::Volume, place: &Place) -> Result<u64, Errno> {
    let pages = disk::pages(disk, place)?;
    let mut word = [0; 4];
    let read = bytes::read_at(&pages, BLOCK_SIZE_AT, &mut word);
    paged::close(pages);
    match read {
        Err(Errno::EIO) if disk.size() < BLOCK_SIZE_AT + 4 => Err(Errno::EINVAL),
        read => {
            read?;
            Ok(1024 << u32::from_le_bytes(word).min(MOST_DOUBLED))
        }
    }
}

impl FileSystem for Ext2 {
    fn kind(&self) -> &'static str {
        "ext2"
    }

    fn magic(&self) -> u32 {
        EXT2_SUPER_MAGIC
    }

    fn device(&self) -> u64 {
        self.volume.device()
    }

    fn root(&self) -> Arc<dyn Inode> {
        self.root.clone()
    }

    fn room(&self) -> Room {
        paged::collect();
        let statistics = self.volume.with(ext2::Volume::statistics);
        statistics.map_or_else(
            |_| Room::default(),
            |statistics| Room {
                block_size: statistics.block_size,
                blocks: statistics.blocks,
                free: statistics.free_blocks,
                available: statistics.available_blocks,
                inodes: statistics.inodes,
                free_inodes: statistics.free_inodes,
            },
        )
    }

    fn write_options(&self, _out: &mut dyn fmt::Write) -> fmt::Result {
        Ok(())
    }

    fn remount(&self, words: &[u8], access: Access) -> Result<(), Errno> {
        check_words(words)?;
        let wanted = match access {
            Access::Read => ext2::Access::ReadOnly,
            Access::Write => ext2::Access::ReadWrite,
        };
        if self.volume.access() == wanted {
            return Ok(());
        }
        paged::sync_all();
        if access == Access::Write {
            let claim = self.volume.disk().claim_for_writing()?;
            *self.volume.claim().lock() = Some(claim);
        }
        let mut turn = self.volume.enter();
        let inner = turn.as_mut().ok_or(Errno::EIO)?;
        self.volume.free_orphans(inner);
        let done = inner.remount(wanted, now()).map_err(errno);
        let is_done = inner.access() == wanted;
        drop(turn);
        paged::sync_all();
        if self.volume.access() == ext2::Access::ReadOnly {
            let claim = self.volume.claim().lock().take();
            drop(claim);
        }
        done?;
        if is_done { Ok(()) } else { Err(Errno::EROFS) }
    }

    fn is_mapped(&self) -> bool {
        self.volume.is_in_use()
    }

    fn sync(&self) -> Result<(), Errno> {
        paged::sync_all();
        match self.volume.access() {
            ext2::Access::ReadOnly => Ok(()),
            ext2::Access::ReadWrite => paged::write_books(self.volume.books()),
        }
    }

    fn close(&self) {
        if !self.volume.is_in_use() {
            return self.volume.leave();
        }
        let mut left_over = LEFT_OVER.lock();
        if left_over.try_reserve(1).is_ok() {
            left_over.push(self.volume.clone());
        } else {
            drop(left_over);
            self.volume.leave();
        }
    }
}

impl Volume {
    /// Whether a mapping shows a file of it, which nobody else has. The root is always there.
    fn is_in_use(&self) -> bool {
        const TRIES: usize = 100;
        paged::sync_all();
        self.forget_recent();
        for _ in 0..TRIES {
            paged::collect();
            if self.in_use() <= 1 {
                return false;
            }
            // Who writes back may hold one for a moment.
            sched::yield_now();
        }
        true
    }
}

fn is_left_over(device: u64) -> bool {
    let left_over = LEFT_OVER.lock();
    left_over.iter().any(|volume| volume.device() == device)
}

/// Leaves volumes that no mapping shows any more.
pub(in crate::fs) fn finish_left_over() {
    loop {
        let mut left_over = LEFT_OVER.lock();
        let place = left_over.iter().position(|volume| volume.in_use() == 0);
        let volume = place.map(|place| left_over.swap_remove(place));
        drop(left_over);
        match volume {
            Some(volume) => volume.leave(),
            None => return,
        }
    }
}
