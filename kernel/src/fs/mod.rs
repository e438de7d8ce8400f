//! The files that came with the boot image: an archive in memory, found by path, read by the page cache page by page; and
//! beside them `/proc`, `/sys` and `/dev`, which the kernel makes up.
//!
//! The archive stays where the loader put it. A page that a program needs is copied into a frame of its own when it is
//! first touched: the disk read of this first file system, served at once.
mod archived;
pub(crate) mod buffers;
pub(crate) mod devices;
pub(crate) mod files;
mod initramfs;
pub(crate) mod memfd;
mod mount;
mod names;
mod node;
pub(crate) mod open;
pub(crate) mod path;
pub(crate) mod pidfd;
pub(crate) mod pipe;
pub(crate) mod proc;
pub(crate) mod stream;

use alloc::sync::Arc;

use abi::Errno;
use abi::general::{S_IFDIR, S_IFLNK, S_IFMT, S_IFREG};
use mm::page_cache::{CachedFile, Read, ReadResult, Source};
use mm::{PAGE_SIZE, remote};
use spin::Once;

use crate::arch::memory::memory;
use initramfs::Archive;
pub(crate) use node::Node;

/// Permission to execute, for anyone.
const EXECUTE: u32 = 0o111;

/// A file, folder or link of the archive.
pub(crate) struct File {
    mode: u32,
    data: &'static [u8],
    cached: Arc<CachedFile>,
}

/// Where files in memory are, as `st_dev`: major 0, minor 1, as on Linux.
const MEMORY_DEVICE: u64 = 1;

/// Where the archive's are: Linux's root file system has this number.
const ARCHIVE_DEVICE: u64 = 2;

static ARCHIVE: Once<Archive> = Once::new();

/// The kernel's command line: the archive's first file. Needs no memory.
pub(crate) fn command_line(archive: &'static [u8]) -> &'static [u8] {
    let first = cpio_reader::iter_files(archive).next();
    first
        .filter(|entry| entry.name() == "boot/cmdline")
        .map_or(&[], |entry| entry.file())
}

/// Reads the archive's table. Call once, before the first process.
pub(crate) fn init(archive: &'static [u8]) {
    ARCHIVE.call_once(|| Archive::read(archive));
}

fn archive() -> &'static Archive {
    ARCHIVE
        .get()
        .expect("the archive is read before the first process")
}

impl File {
    fn new(number: u64, mode: u32, data: &'static [u8]) -> Self {
        let cached = CachedFile::new(number, Source::Device, data.len() as u64);
        Self {
            mode,
            data,
            cached: Arc::new(cached),
        }
    }

    /// The file's pages.
    pub(crate) fn cached(&self) -> &Arc<CachedFile> {
        &self.cached
    }

    /// Type and permissions, as `st_mode`.
    pub(crate) fn mode(&self) -> u32 {
        self.mode
    }

    /// Its number, as `st_ino`.
    pub(crate) fn number(&self) -> u64 {
        self.cached.id() + 1
    }

    /// Length in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.data.len() as u64
    }

    pub(crate) fn is_directory(&self) -> bool {
        self.mode & S_IFMT == S_IFDIR
    }

    pub(crate) fn is_link(&self) -> bool {
        self.mode & S_IFMT == S_IFLNK
    }

    /// Copies bytes from `offset` on and returns how many there were.
    pub(crate) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|offset| self.data.get(offset..))
            .unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        count
    }
}

/// Whether the last part of a path is followed where it is a link.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    Follow,
    Keep,
}

/// What stands at `path`, from the root where it doesn't begin there.
pub(crate) fn lookup(path: &[u8], links: Links) -> Result<Node, Errno> {
    path::resolve(path, links)
}

/// The file at `path`, if it may be executed.
pub(crate) fn open_program(path: &[u8]) -> Result<Arc<File>, Errno> {
    let Node::File(file) = lookup(path, Links::Follow)? else {
        return Err(Errno::EACCES);
    };
    let executable = file.mode & S_IFMT == S_IFREG && file.mode & EXECUTE != 0;
    if executable {
        Ok(file)
    } else {
        Err(Errno::EACCES)
    }
}

/// The path of the archive's file with that number.
pub(crate) fn path_of(number: u64) -> Option<&'static [u8]> {
    archive().path(number)
}

/// Performs a read that a fault asked for.
pub(crate) fn complete(read: Read) {
    let file = archive().file(read.file().id());
    let start = (read.index() * PAGE_SIZE) as usize;
    let end = file.data.len().min(start + PAGE_SIZE as usize);
    let words = mm::machine::PhysMem::words(&memory().machine, read.frame());
    remote::write_bytes(words, 0, &file.data[start..end]);
    read.complete(memory(), ReadResult::Filled);
}

/// How many pages of files are in memory.
pub(crate) fn resident_pages() -> u64 {
    archive()
        .files()
        .map(|file| file.cached.resident_pages())
        .sum()
}
