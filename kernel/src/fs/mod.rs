//! Files: paths, mounts, open files, and the file systems behind them.
//!
//! The root is in memory and begins as the archive that came with the boot image; `/dev` is one of the same kind. What is
//! below `/proc` and `/sys` the kernel makes up. A path leads to a [`place`](place::Place), which is an inode of some
//! mount; opening it gives an [`OpenFile`](open::OpenFile), which is all that most system calls see.
mod again;
mod attributes;
pub(crate) mod buffers;
pub(crate) mod devices;
pub(crate) mod disk;
pub(crate) mod eventfd;
mod ext2;
pub(crate) mod files;
pub(crate) mod gate;
pub(crate) mod inode;
pub(crate) mod kinds;
pub(crate) mod listing;
pub(crate) mod locks;
pub(crate) mod memfd;
pub(crate) mod mount;
mod names;
pub(crate) mod open;
pub(crate) mod paged;
pub(crate) mod path;
pub(crate) mod pidfd;
pub(crate) mod pipe;
pub(crate) mod place;
pub(crate) mod proc;
pub(crate) mod program;
mod reached;
pub(crate) mod signalfd;
mod status;
pub(crate) mod stream;
pub(crate) mod system;
pub(crate) mod timerfd;
pub(crate) mod tmpfs;
mod users;
pub(crate) mod working;

use alloc::sync::Arc;

use abi::Errno;
use abi::general::{MS_RELATIME, SYSFS_MAGIC};
use mm::page_cache::{CachedFile, Read};

pub(crate) use again::place_of;
use inode::{Change, Inode, copy};
use mount::Mount;
use path::Links;
use place::Place;
use program::Program;
use system::Access::Write;
use system::{MadeUp, System};
use tmpfs::{Node, Tmpfs, Volume};

/// Where files in memory without a path are, as `st_dev`: major 0, minor 1, as on Linux.
const MEMORY_DEVICE: u64 = 1;

/// Where the root's are: Linux's has this number too.
const ROOT_DEVICE: u64 = 2;

/// Where those of `/dev` are.
const DEV_DEVICE: u64 = 6;

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
    let rootfs = System::try_new(Tmpfs::of("rootfs", root.clone())?, copy(b"rootfs")?, Write)?;
    let first = Mount::try_new(rootfs.clone(), root.clone(), 0)?;
    mount::init(first)?;
    let sys = MadeUp {
        kind: "sysfs",
        magic: SYSFS_MAGIC,
        root: proc::root_of_sys()?,
    };
    let sys = Arc::try_new(sys).map_err(|_| Errno::ENOMEM)?;
    let proc = System::try_new(kinds::proc_system()?, copy(b"proc")?, Write)?;
    let sys = System::try_new(sys, copy(b"sysfs")?, Write)?;
    let dev = System::try_new(Tmpfs::of("devtmpfs", dev)?, copy(b"devtmpfs")?, Write)?;
    let places: [(&[u8], _); 3] = [(b"proc", &proc), (b"sys", &sys), (b"dev", &dev)];
    for (name, system) in places {
        hang(&root, name, system)?;
    }
    kinds::share([sys, dev]);
    Ok(())
}

/// Hangs `system` on folder `name` of the root, which is made.
fn hang(root: &Arc<Node>, name: &[u8], system: &Arc<System>) -> Result<(), Errno> {
    let inode = tmpfs::folder_in(root, name)?;
    let its_root = system.files.root();
    let mount = Mount::try_new(system.clone(), its_root, MS_RELATIME)?;
    mount::attach(
        mount,
        Place {
            inode,
            ..Place::root()
        },
    )
}

/// Takes everything apart: the run is over, and what file systems held must be free again.
pub(crate) fn close() {
    let mounts = mount::take_all();
    for entry in mounts.iter().rev() {
        entry.mount.system.files.close();
    }
    for system in kinds::shared() {
        system.files.close();
    }
    // With them go what they have of files on disks.
    drop(mounts);
    paged::collect();
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
        paged::complete(read)
    }
}

/// Performs a read that a program announced a need for; those of the `more` pages behind it that are absent are read with
/// it, as far as one request goes. Waits for a disk only where it has too much to do already.
pub(crate) fn read_soon(read: Read, more: u64) -> Result<(), Errno> {
    if tmpfs::of_cached(read.file()).is_some() {
        tmpfs::complete(read);
        Ok(())
    } else {
        paged::read_soon(read, more)
    }
}

/// Has the pages read behind page `index`, to which a fault has come, and which was read before anybody asked for it. Waits
/// for none of them.
pub(crate) fn read_on(file: &Arc<CachedFile>, index: u64) {
    paged::read_on(file, index);
}

/// Finds a place on the disk for page `index` of `file`, which a program is about to store to through a mapping, and says
/// so to the page (`CachedFile::back`); may wait. `ENOSPC` or `EIO` where there is none: SIGBUS.
pub(crate) fn make_room(file: &Arc<CachedFile>, index: u64) -> Result<(), Errno> {
    let paged = paged::of(file).ok_or(Errno::EIO)?;
    paged.owner().make_room(file, index)
}

/// Waits while another reads page `index`; `EINTR` where the process has to end first.
pub(crate) fn wait_for_page(file: &CachedFile, index: u64) -> Result<(), Errno> {
    paged::wait_for_page(file, index)
}
