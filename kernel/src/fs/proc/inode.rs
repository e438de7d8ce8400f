//! `/proc` and `/sys` as file systems: folders are what the tables' paths have in common, and the processes.
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::fmt::Write;

use abi::Errno;
use abi::general::{S_IFDIR, S_IFMT};

use super::mem::Memory;
use super::text::Text;
use super::{Content, Entry, Kind, Node, Open, Tree, kind_name, node, number};
use crate::fs::again;
use crate::fs::inode::{self, Directory, FIRST_COOKIE, Inode, Link, Listed, Whereabouts, name_of};
use crate::fs::listing;
use crate::fs::open::{OpenFile, Status};
use crate::fs::place::Place;
use crate::process::{Process, current, table};

/// Where in the listing of `/proc` processes begin.
const PROCESSES: u64 = 1 << 16;

/// Where in the listing of a folder its entries begin that are in no table.
const OTHERS: u64 = 1 << 15;

/// What is in `/proc` beside the table: name and kind.
const OWN: [(&[u8], Kind); 2] = [(b"self", Kind::Own), (b"thread-self", Kind::OwnThread)];

/// What is in `/proc/PID` beside the table.
const OF_PROCESS: [(&[u8], Kind); 2] = [(b"task", Kind::Tasks), (b"fd", Kind::Descriptors)];

impl Node {
    /// What is in a tree's root beside the table.
    fn others(&self) -> &'static [(&'static [u8], Kind)] {
        match (self.tree, self.kind) {
            (Tree::Machine, Kind::Folder("")) => &OWN,
            (Tree::Process(_), Kind::Folder("")) => &OF_PROCESS,
            _ => &[],
        }
    }

    fn with(&self, kind: Kind) -> Self {
        Self { kind, ..*self }
    }

    /// The process; `ENOENT` once it is gone.
    fn its_process(&self) -> Result<Arc<Process>, Errno> {
        self.process()?.ok_or(Errno::ENOENT)
    }

    fn find_in_folder(&self, folder: &'static str, name: &[u8]) -> Option<Self> {
        let other = self.others().iter().find(|(known, _)| *known == name);
        if let Some((_, kind)) = other {
            return Some(self.with(*kind));
        }
        let is_root = self.tree == Tree::Machine && folder.is_empty();
        match number(name).filter(|_| is_root) {
            Some(pid) => table::find(pid).map(|_| Tree::Process(pid).root()),
            None => self.tree.find(folder, name),
        }
    }

    fn text(&self) -> Result<Vec<u8>, Errno> {
        let mut text = Text::default();
        let pid = current().pid;
        let written = match self.kind {
            Kind::Own => write!(text, "{pid}"),
            Kind::OwnThread => write!(text, "{pid}/task/{pid}"),
            _ => return Err(Errno::EINVAL),
        };
        written.map_err(|_| Errno::ENOMEM)?;
        inode::copy(text.bytes())
    }

    /// Where a link about a process leads.
    fn link_of_process(&self, content: Content) -> Result<Place, Errno> {
        let process = self.its_process()?;
        match content {
            Content::Program => {
                let space = process.space().ok_or(Errno::ENOENT)?;
                let facts = space.facts().ok_or(Errno::ENOENT)?;
                Ok(facts.program.place().clone())
            }
            Content::WorkingDirectory => Ok(process.working.directory()),
            Content::Root => Ok(Place::root()),
            _ => Err(Errno::EINVAL),
        }
    }

    fn next_in_folder(&self, folder: &'static str, from: u64) -> Result<Option<Listed>, Errno> {
        let first = from - FIRST_COOKIE;
        if let Some((kind, place)) = self.tree.kinds(folder, first as usize).next() {
            let cookie = FIRST_COOKIE + place as u64;
            return self.listed(cookie, kind_name(folder, kind), self.with(kind));
        }
        let skipped = from.saturating_sub(OTHERS);
        if let Some((name, kind)) = self.others().get(skipped as usize) {
            return self.listed(OTHERS + skipped, name, self.with(*kind));
        }
        let is_root = self.tree == Tree::Machine && folder.is_empty();
        let least = from.saturating_sub(PROCESSES);
        let pid = table::numbers()
            .filter(|&pid| is_root && u64::from(pid) >= least)
            .min();
        let Some(pid) = pid else { return Ok(None) };
        let name = digits(pid)?;
        self.listed(PROCESSES + u64::from(pid), &name, Tree::Process(pid).root())
    }

    fn next_descriptor(&self, from: u64) -> Result<Option<Listed>, Errno> {
        let files = &self.its_process()?.files;
        let mut numbers = from - FIRST_COOKIE..files.places() as u64;
        let Some(open) = numbers.find(|&number| files.get(number).is_ok()) else {
            return Ok(None);
        };
        let node = self.with(Kind::Descriptor(open as u32));
        self.listed(FIRST_COOKIE + open, &digits(open as u32)?, node)
    }

    fn listed(&self, cookie: u64, name: &[u8], node: Self) -> Result<Option<Listed>, Errno> {
        let status = node.status();
        Ok(Some(Listed {
            cookie,
            number: status.number,
            kind: status.mode,
            name: name_of(name)?,
        }))
    }
}

fn digits(number: u32) -> Result<Vec<u8>, Errno> {
    let mut text = Text::default();
    write!(text, "{number}").map_err(|_| Errno::ENOMEM)?;
    inode::copy(text.bytes())
}

/// The number that `name` is, 0 among them.
fn descriptor_number(name: &[u8]) -> Option<u32> {
    if name == b"0" { Some(0) } else { number(name) }
}

impl Inode for Node {
    fn status(&self) -> Status {
        self.status()
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn open(self: Arc<Self>, place: &Place, flags: u32) -> Result<Arc<OpenFile>, Errno> {
        match self.kind {
            Kind::File(Entry {
                content: Content::Bytes,
                ..
            }) => OpenFile::at(place, Memory::new(*self)?, flags),
            Kind::File(_) => OpenFile::at(place, Open::new(*self)?, flags),
            Kind::Folder(_) | Kind::Tasks | Kind::Descriptors => listing::open(place, flags),
            Kind::Own | Kind::OwnThread | Kind::Descriptor(_) => Err(Errno::ELOOP),
        }
    }

    fn directory(&self) -> Option<&dyn Directory> {
        let is_folder = self.status().mode & S_IFMT == S_IFDIR;
        is_folder.then_some(self as &dyn Directory)
    }

    fn link(&self) -> Result<Link, Errno> {
        match self.kind {
            Kind::Own | Kind::OwnThread => self.text().map(Link::Path),
            Kind::Descriptor(number) => {
                let file = self.its_process()?.files.get(number.into());
                let file = file.map_err(|_| Errno::ENOENT)?.file;
                again::place_of(file).map(Link::Place)
            }
            Kind::File(Entry { content, .. }) => self.link_of_process(*content).map(Link::Place),
            Kind::Folder(_) | Kind::Tasks | Kind::Descriptors => Err(Errno::EINVAL),
        }
    }

    fn target(&self) -> Result<Vec<u8>, Errno> {
        if let Kind::Descriptor(number) = self.kind {
            let file = self.its_process()?.files.get(number.into());
            if let Some(path) = file.map_err(|_| Errno::ENOENT)?.file.path() {
                return path;
            }
        }
        match Inode::link(self)? {
            Link::Path(path) => Ok(path),
            Link::Place(place) => place.path(),
        }
    }

    /// Where it would be: whoever asks has opened it.
    fn write_path(&self, path: &mut Vec<u8>) -> Result<Whereabouts, Errno> {
        if let Tree::Process(pid) = self.tree {
            inode::extend(path, b"/")?;
            inode::extend(path, &digits(pid)?)?;
        }
        let below: &[u8] = match self.kind {
            Kind::Folder(below) => below.as_bytes(),
            Kind::File(entry) => entry.path.as_bytes(),
            Kind::Own => b"self",
            Kind::OwnThread => b"thread-self",
            Kind::Tasks => b"task",
            Kind::Descriptors | Kind::Descriptor(_) => b"fd",
        };
        if !below.is_empty() {
            inode::extend(path, b"/")?;
            inode::extend(path, below)?;
        }
        if let Kind::Descriptor(number) = self.kind {
            inode::extend(path, b"/")?;
            inode::extend(path, &digits(number)?)?;
        }
        Ok(Whereabouts::There)
    }
}

impl Directory for Node {
    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        let found = match self.kind {
            Kind::Folder(folder) => {
                self.process()?;
                self.find_in_folder(folder, name)
            }
            Kind::Tasks => match self.tree {
                Tree::Process(pid) if number(name) == Some(pid) => Some(self.tree.root()),
                _ => None,
            },
            Kind::Descriptors => {
                let process = self.its_process()?;
                let number = descriptor_number(name);
                let is_open = |number: &u32| process.files.get((*number).into()).is_ok();
                number
                    .filter(is_open)
                    .map(|number| self.with(Kind::Descriptor(number)))
            }
            _ => return Err(Errno::ENOTDIR),
        };
        node(found.ok_or(Errno::ENOENT)?)
    }

    fn next(&self, from: u64) -> Result<Option<Listed>, Errno> {
        match (self.kind, self.tree) {
            (Kind::Folder(folder), _) => self.next_in_folder(folder, from),
            (Kind::Tasks, Tree::Process(pid)) if from == FIRST_COOKIE => {
                self.listed(from, &digits(pid)?, self.tree.root())
            }
            (Kind::Descriptors, _) => self.next_descriptor(from),
            _ => Ok(None),
        }
    }

    fn parent(&self) -> Option<Arc<dyn Inode>> {
        let parent = match (self.tree, self.kind) {
            (Tree::Machine | Tree::Sys, Kind::Folder("")) => return None,
            (Tree::Process(_), Kind::Folder("")) => Tree::Machine.root(),
            (_, Kind::Folder(path)) => {
                let above = path.rfind('/').map_or("", |slash| &path[..slash]);
                self.with(Kind::Folder(above))
            }
            _ => self.with(Kind::Folder("")),
        };
        node(parent).ok()
    }
}
