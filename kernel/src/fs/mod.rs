//! Files: paths, mounts, open files, and the file systems behind them.
//!
//! The root is in memory and begins as the archive that came with the boot image; `/dev` is one of the same kind. What is
//! below `/proc` and `/sys` the kernel makes up. A path leads to a [`place`](place::Place), which is an inode of some
//! mount; opening it gives an [`OpenFile`](open::OpenFile), which is all that most system calls see.
mod again;
pub(crate) mod buffers;
pub(crate) mod devices;
mod disk;
pub(crate) mod eventfd;
pub(crate) mod files;
pub(crate) mod gate;
pub(crate) mod inode;
pub(crate) mod listing;
pub(crate) mod locks;
pub(crate) mod memfd;
pub(crate) mod mount;
mod names;
pub(crate) mod open;
pub(crate) mod path;
pub(crate) mod pidfd;
pub(crate) mod pipe;
pub(crate) mod place;
pub(crate) mod proc;
pub(crate) mod program;
pub(crate) mod signalfd;
pub(crate) mod stream;
pub(crate) mod timerfd;
pub(crate) mod tmpfs;
pub(crate) mod working;

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::general::{PROC_SUPER_MAGIC, SYSFS_MAGIC, TMPFS_MAGIC};
use mm::page_cache::{CachedFile, Read};
use spin::Once;

pub(crate) use again::place_of;
use inode::{Change, Inode};
use mount::Mount;
use path::Links;
use place::Place;
use program::Program;
use tmpfs::{Node, Volume};

/// Where files in memory without a path are, as `st_dev`: major 0, minor 1, as on Linux.
const MEMORY_DEVICE: u64 = 1;

/// Where the root's are: Linux's has this number too.
const ROOT_DEVICE: u64 = 2;

/// Where those of `/dev` are.
const DEV_DEVICE: u64 = 6;

/// The volumes in memory, whose contents are the run's.
static VOLUMES: Once<[Arc<Node>; 2]> = Once::new();

/// The kernel's command line: the archive's first file. Needs no memory.
pub(crate) fn command_line(archive: &'static [u8]) -> &'static [u8] {
    let first = cpio_reader::iter_files(archive).next();
    first
        .filter(|entry| entry.name() == "boot/cmdline")
        .map_or(&[], |entry| entry.file())
}

/// Makes the tree, with what is in `archive`. Call once, before the first process.
pub(crate) fn init(archive: &'static [u8]) {
    if let Err(errno) = mount_all(archive) {
        panic!("the root can't be made of the boot image: {errno:?}");
    }
}

fn mount_all(archive: &'static [u8]) -> Result<(), Errno> {
    let root = Volume::try_new(ROOT_DEVICE, 0o755)?;
    tmpfs::unpack(&root, archive)?;
    tmpfs::folder_in(&root, b"tmp")?.change(Change::Permissions(0o1777))?;
    let dev = Volume::try_new(DEV_DEVICE, 0o755)?;
    devices::populate(&dev)?;
    disk::populate(&dev)?;
    tmpfs::folder_in(&dev, b"shm")?.change(Change::Permissions(0o1777))?;
    let (proc, sys) = (proc::root()?, proc::root_of_sys()?);
    let mut mounts = Vec::new();
    mounts.push(Mount::new("rootfs", TMPFS_MAGIC, root.clone(), None));
    let others: [(_, _, Arc<dyn Inode>, &'static [u8]); 3] = [
        ("proc", PROC_SUPER_MAGIC, proc, b"proc"),
        ("sysfs", SYSFS_MAGIC, sys, b"sys"),
        ("devtmpfs", TMPFS_MAGIC, dev.clone(), b"dev"),
    ];
    for (kind, magic, its_root, name) in others {
        let covered = tmpfs::folder_in(&root, name)?;
        mounts.push(Mount::new(kind, magic, its_root, Some((name, covered))));
    }
    mount::init(mounts);
    VOLUMES.call_once(|| [root, dev]);
    Ok(())
}

/// Takes everything out of the volumes in memory: the run is over, and what they held must be free again.
pub(crate) fn close() {
    for root in VOLUMES.get().into_iter().flatten() {
        root.clear();
    }
}

/// The program at `path`, which begins at `start` unless it begins at the root.
pub(crate) fn open_program(start: Place, path: &[u8]) -> Result<Arc<Program>, Errno> {
    Program::try_new(path::resolve(start, path, Links::Follow)?)
}

/// Performs a read that a fault asked for. `EIO` where that failed, and the page is as absent as before; `EINTR` where the
/// process has to end before it is over.
pub(crate) fn complete(read: Read) -> Result<(), Errno> {
    if tmpfs::of_cached(read.file()).is_some() {
        tmpfs::complete(read);
        Ok(())
    } else {
        disk::complete(read)
    }
}

/// Finds a place on the disk for page `index` of `file`, which a program is about to store to through a mapping, and says so to
/// the page (`CachedFile::back`); may wait. `ENOSPC` or `EIO` where there is none: SIGBUS.
pub(crate) fn make_room(_file: &CachedFile, _index: u64) -> Result<(), Errno> {
    // Nothing on a disk can be opened for writing yet.
    Err(Errno::EIO)
}

/// Waits while another reads page `index`; `EINTR` where the process has to end first.
pub(crate) fn wait_for_page(file: &CachedFile, index: u64) -> Result<(), Errno> {
    disk::wait_for_page(file, index)
}
