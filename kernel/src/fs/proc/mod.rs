//! `/proc` and `/sys`: files that are made up when they are read.
//!
//! Each is an entry of a table: a path, and what produces its bytes. Folders are there because paths have slashes. What is
//! below `/proc/PID` is one table for all processes; `/proc/self` is a link to the reader's own.
mod cpuinfo;
mod machine;
mod memory;
mod open;
mod process;
mod stat;
mod status;
mod text;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::{Error, Result as Written, Write};
use core::ops::Range;

use abi::Errno;
use abi::general::{S_IFDIR, S_IFLNK, S_IFREG};
use mm::{AddressSpace, Page};

use super::node;
use super::open::Status;
use crate::process::{Facts, Process, current, table};
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
    /// `oom_score_adj`, which can be written.
    Adjustment,
    /// The path of a process's program.
    Program,
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
    Folder,
    File(&'static Entry),
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

    /// What stands at `path` below the tree's root.
    fn find(self, path: &[u8]) -> Option<Node> {
        let kind = |kind| Some(Node { tree: self, kind });
        if path.is_empty() {
            return kind(Kind::Folder);
        }
        for entry in self.entries() {
            match entry.path.as_bytes().strip_prefix(path) {
                Some([]) => return kind(Kind::File(entry)),
                Some([b'/', ..]) => return kind(Kind::Folder),
                _ => {}
            }
        }
        None
    }
}

/// What stands at `path` below `/sys`.
pub(super) fn find_in_sys(path: &[u8]) -> Option<super::Node> {
    Tree::Sys.find(path).map(super::Node::Proc)
}

/// What stands at `path` below `/proc`.
pub(super) fn find(path: &[u8]) -> Option<super::Node> {
    let own = |kind| Node {
        tree: Tree::Machine,
        kind,
    };
    let node = match path {
        b"self" => Some(own(Kind::Own)),
        b"thread-self" => Some(own(Kind::OwnThread)),
        _ => Tree::Machine.find(path).or_else(|| of_process(path)),
    };
    node.map(super::Node::Proc)
}

/// What stands at `PID/...`. A process's one thread has the same files.
fn of_process(path: &[u8]) -> Option<Node> {
    let (name, mut below) = split(path);
    let pid = number(name)?;
    table::find(pid)?;
    if let Some(in_task) = below.strip_prefix(b"task") {
        let (thread, file) = split(in_task.strip_prefix(b"/").unwrap_or_default());
        if in_task.is_empty() || thread == name {
            below = file;
        }
    }
    Tree::Process(pid).find(below)
}

/// The part before the first slash, and what is behind it.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().position(|&byte| byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (path, &[]),
    }
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
            Kind::Folder => (0, S_IFDIR | 0o555),
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

    /// Where the link leads.
    pub(super) fn target(&self) -> Result<Vec<u8>, Errno> {
        let mut text = Text::default();
        let pid = current().pid;
        let written = match self.kind {
            Kind::Own => write!(text, "{pid}"),
            Kind::OwnThread => write!(text, "{pid}/task/{pid}"),
            Kind::File(Entry {
                content: Content::Program,
                ..
            }) => {
                let process = self.process()?.ok_or(Errno::ENOENT)?;
                process::write_program(&process, &mut text)
            }
            Kind::File(_) | Kind::Folder => return Err(Errno::EINVAL),
        };
        written.map_err(|_| Errno::ENOENT)?;
        node::copy(text.bytes())
    }

    /// The process that the file is about, if it is about one.
    fn process(&self) -> Result<Option<Arc<Process>>, Errno> {
        match self.tree {
            Tree::Process(pid) => table::find(pid).map(Some).ok_or(Errno::ENOENT),
            Tree::Machine | Tree::Sys => Ok(None),
        }
    }
}

impl Entry {
    fn mode(&self) -> u32 {
        match self.content {
            Content::Program => S_IFLNK | 0o777,
            Content::Adjustment => S_IFREG | 0o644,
            Content::Pagemap => S_IFREG | 0o400,
            _ => S_IFREG | 0o444,
        }
    }
}
