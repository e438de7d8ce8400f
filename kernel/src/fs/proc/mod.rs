//! `/proc` and `/sys`: files that are made up when they are read.
//!
//! Each is an entry of a table: a path, and what produces its bytes. Folders are there because paths have slashes. What is
//! below `/proc/PID` is one table for all processes; `/proc/self` is a link to the reader's own.
mod cpuinfo;
mod disks;
mod inode;
mod machine;
mod mem;
mod memory;
mod mounts;
mod numbers;
mod open;
mod process;
mod stat;
mod status;
mod text;
mod vmstat;

use alloc::sync::Arc;
use core::fmt::{Error, Result as Written};
use core::ops::Range;

use abi::Errno;
use abi::general::{S_IFDIR, S_IFLNK, S_IFREG};
use mm::{AddressSpace, Page};

use super::inode::Inode;
use super::open::Status;
use crate::process::{Facts, Process, table};
pub(crate) use open::Open;
use text::Text;

/// What produces the bytes of a file.
#[derive(Clone, Copy)]
enum Content {
    /// One text about the machine.
    Machine(fn(&mut Text) -> Written),
    /// One text about a process.
    Process(fn(&Process, &mut Text) -> Written),
    /// One text about a process's memory; nothing where it has none any more.
    Memory(fn(&AddressSpace, &mut Text) -> Written),
    /// A text for each area: the first that ends above a page, and where to go on.
    Areas(fn(&AddressSpace, Page, &mut Text) -> Result<Option<Page>, Error>),
    /// Bytes of the process's memory, where `execve` put them.
    Strings(fn(&Facts) -> Range<u64>),
    /// A word for each page.
    Pagemap,
    /// All bytes of the process's memory.
    Bytes,
    /// `oom_score_adj`, which can be written.
    Adjustment,
    /// A number about the machine: what it is, and what takes another.
    Setting(fn() -> u32, fn(u32) -> Result<(), Errno>),
    /// A link to a process's program.
    Program,
    /// A link to where its paths begin.
    WorkingDirectory,
    /// A link to the root.
    Root,
}

/// A file below `/proc`, `/proc/PID` or `/sys`.
struct Entry {
    path: &'static str,
    content: Content,
}

const fn entry(path: &'static str, content: Content) -> Entry {
    Entry { path, content }
}

/// Where an entry's path begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tree {
    Machine,
    Process(u32),
    Sys,
}

/// What stands at a path.
#[derive(Clone, Copy)]
enum Kind {
    /// A folder, by its path below the tree's root.
    Folder(&'static str),
    File(&'static Entry),
    /// `task`, whose one entry is the process once more.
    Tasks,
    /// `fd`: the descriptors of a process.
    Descriptors,
    /// One of them: a link to what it stands for.
    Descriptor(u32),
    /// `/proc/self`: a link to a folder.
    Own,
    /// `/proc/thread-self`: a link to the same, by way of `task`.
    OwnThread,
}

/// A file, folder or link of these trees.
#[derive(Clone, Copy)]
pub(crate) struct Node {
    tree: Tree,
    kind: Kind,
}

impl Tree {
    fn entries(self) -> &'static [Entry] {
        match self {
            Self::Machine => machine::PROC,
            Self::Process(_) => process::ENTRIES,
            Self::Sys => machine::SYS,
        }
    }

    fn root(self) -> Node {
        Node {
            tree: self,
            kind: Kind::Folder(""),
        }
    }

    /// What is called `name` in the folder at path `folder`.
    fn find(self, folder: &'static str, name: &[u8]) -> Option<Node> {
        let (kind, _) = self
            .kinds(folder, 0)
            .find(|&(kind, _)| kind_name(folder, kind) == name)?;
        Some(Node { tree: self, kind })
    }

    /// What the table has in the folder at path `folder`, from the place `from` of the table on, and the place of each. A
    /// folder comes with the first of its entries.
    fn kinds(self, folder: &'static str, from: usize) -> impl Iterator<Item = (Kind, usize)> {
        let entries = self.entries();
        let places = from.min(entries.len())..entries.len();
        places.filter_map(move |place| {
            let kind = kind_in(folder, &entries[place])?;
            let is_first = |kind| {
                let name = kind_name(folder, kind);
                let mut before = entries[..place].iter();
                !before.any(|entry| {
                    kind_in(folder, entry).is_some_and(|other| kind_name(folder, other) == name)
                })
            };
            is_first(kind).then_some((kind, place))
        })
    }
}

/// What of `entry` is in the folder at path `folder`: itself, a folder in which it is, or nothing.
fn kind_in(folder: &'static str, entry: &'static Entry) -> Option<Kind> {
    let rest = entry.path.strip_prefix(folder)?;
    let rest = match folder {
        "" => rest,
        _ => rest.strip_prefix('/')?,
    };
    Some(match rest.find('/') {
        Some(slash) => Kind::Folder(&entry.path[..entry.path.len() - rest.len() + slash]),
        None => Kind::File(entry),
    })
}

/// What `kind` of the folder at path `folder` is called.
fn kind_name(folder: &str, kind: Kind) -> &'static [u8] {
    let path = match kind {
        Kind::Folder(path) => path,
        Kind::File(entry) => entry.path,
        _ => "",
    };
    let start = match folder {
        "" => 0,
        _ => folder.len() + 1,
    };
    path.as_bytes().get(start..).unwrap_or_default()
}

/// The root of `/proc`.
pub(super) fn root() -> Result<Arc<dyn Inode>, Errno> {
    node(Tree::Machine.root())
}

/// The root of `/sys`.
pub(super) fn root_of_sys() -> Result<Arc<dyn Inode>, Errno> {
    node(Tree::Sys.root())
}

fn node(node: Node) -> Result<Arc<dyn Inode>, Errno> {
    Ok(Arc::try_new(node).map_err(|_| Errno::ENOMEM)?)
}

/// A number as Linux writes it: no sign, no zero in front.
fn number(name: &[u8]) -> Option<u32> {
    let text = core::str::from_utf8(name).ok()?;
    let is_plain = text.starts_with(|first: char| matches!(first, '1'..='9'));
    is_plain.then(|| text.parse().ok()).flatten()
}

impl Node {
    /// What `stat` says. Sizes are not known before somebody reads.
    pub(super) fn status(&self) -> Status {
        /// Of the trees: major 0, minors 4 and 5.
        const PROC: u64 = 4;
        const SYS: u64 = 5;
        let (device, base) = match self.tree {
            Tree::Machine => (PROC, 1),
            Tree::Process(pid) => (PROC, u64::from(pid) << 16),
            Tree::Sys => (SYS, 1),
        };
        let (number, mode) = match self.kind {
            Kind::Folder("") => (0, S_IFDIR | 0o555),
            Kind::Folder(path) => (0x4000 + self.place_below(path), S_IFDIR | 0o555),
            Kind::Tasks => (0x8002, S_IFDIR | 0o555),
            Kind::Descriptors => (0x8003, S_IFDIR | 0o500),
            Kind::Descriptor(number) => (0x9000 + u64::from(number), S_IFLNK | 0o700),
            Kind::File(entry) => (1 + self.place(entry), entry.mode()),
            Kind::Own => (0x8000, S_IFLNK | 0o777),
            Kind::OwnThread => (0x8001, S_IFLNK | 0o777),
        };
        Status {
            device,
            number: base + number,
            links: 1,
            mode,
            block_size: 1024,
            ..Status::default()
        }
    }

    fn place(&self, wanted: &Entry) -> u64 {
        let entries = self.tree.entries().iter();
        let place = entries.take_while(|entry| !core::ptr::eq(*entry, wanted));
        place.count() as u64
    }

    /// The place of the first entry in the folder at `path`.
    fn place_below(&self, path: &str) -> u64 {
        let entries = self.tree.entries().iter();
        entries
            .take_while(|entry| !entry.path.starts_with(path))
            .count() as u64
    }

    /// The process that the file is about, if it is about one.
    fn process(&self) -> Result<Option<Arc<Process>>, Errno> {
        match self.tree {
            Tree::Process(pid) => table::find(pid).map(Some).ok_or(Errno::ENOENT),
            Tree::Machine | Tree::Sys => Ok(None),
        }
    }
}

impl Node {
    /// Whether it tells what only those may know who may look into the process's memory.
    fn tells_of_memory(&self) -> bool {
        let Kind::File(entry) = self.kind else {
            return false;
        };
        let content = entry.content;
        matches!(
            content,
            Content::Areas(_) | Content::Memory(_) | Content::Pagemap
        )
    }
}

impl Entry {
    fn mode(&self) -> u32 {
        match self.content {
            Content::Program | Content::WorkingDirectory | Content::Root => S_IFLNK | 0o777,
            Content::Adjustment | Content::Setting(..) => S_IFREG | 0o644,
            Content::Bytes => S_IFREG | 0o600,
            Content::Pagemap => S_IFREG | 0o400,
            _ => S_IFREG | 0o444,
        }
    }
}
