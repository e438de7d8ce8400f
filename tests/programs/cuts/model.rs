//! What must be on the disk: names and bytes as a plan's steps leave them, and which of those were promised and are not
//! changed since.
//!
//! Of a file that is synchronised, all bytes are promised. Beyond Linux's ext2, so is all that the volume knows of all
//! files (names, folders, lengths): the kernel writes that with each synchronised file.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail, ensure};

use super::State;
use super::tree::Tree;
use super::workload::{FILES, FOLDERS, Name, Piece, Step, byte};

const PAGE: usize = 4096;

#[derive(Clone, Debug, Default)]
struct File {
    bytes: Vec<u8>,
    /// Whether the byte was promised, and is the same since.
    is_kept: Vec<bool>,
    has_its_length: bool,
    /// Pages that have blocks. One that gets some has a disk's old bytes until its own are written: to write to a hole puts
    /// at risk what is promised of the page, which are zeroes.
    backed: BTreeSet<usize>,
    /// Where it may be found; nowhere before any promise.
    places: BTreeSet<Name>,
    /// It has, or is about to have, no name.
    is_removed: bool,
}

/// Everything that a plan's steps made.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    files: Vec<File>,
    names: BTreeMap<Name, usize>,
    folders: [bool; FOLDERS as usize],
    /// Names and folders at the last promise, and those about which all can be true since.
    promised: BTreeMap<Name, usize>,
    promised_folders: [bool; FOLDERS as usize],
    touched: BTreeSet<Name>,
    touched_folders: BTreeSet<u8>,
}

impl Model {
    pub(crate) fn new() -> Self {
        let folders = std::array::from_fn(|folder| folder == 0);
        Self {
            files: Vec::new(),
            names: BTreeMap::new(),
            folders,
            promised: BTreeMap::new(),
            promised_folders: folders,
            touched: BTreeSet::new(),
            touched_folders: BTreeSet::new(),
        }
    }

    /// A step is done, or only begun: nothing is promised yet.
    pub(crate) fn begin(&mut self, number: u32, step: Step) {
        match step {
            Step::Create(name) => {
                self.touched.insert(name);
                self.names.insert(name, self.files.len());
                self.files.push(File::default());
            }
            Step::Write(piece) | Step::Store(piece) | Step::StoreAndSync(piece) => {
                self.write(number, piece);
            }
            Step::Resize(name, size) => {
                let file = &mut self.files[self.names[&name]];
                file.bytes.resize(size as usize, 0);
                file.is_kept.resize(size as usize, false);
                file.has_its_length = false;
                file.backed
                    .retain(|page| *page < (size as usize).div_ceil(PAGE));
            }
            Step::Rename(old, new) => {
                self.remove(new);
                if let Some(file) = self.names.remove(&old) {
                    self.touched.extend([old, new]);
                    self.names.insert(new, file);
                    self.files[file].places.insert(new);
                }
            }
            Step::Remove(name) => self.remove(name),
            Step::MakeFolder(folder) => self.set_folder(folder, true),
            Step::RemoveFolder(folder) => self.set_folder(folder, false),
            Step::Begin(_) | Step::Sync(_) | Step::SyncAll => {}
        }
    }

    fn write(&mut self, number: u32, Piece { name, at, length }: Piece) {
        let file = &mut self.files[self.names[&name]];
        let end = (at + length) as usize;
        if end > file.bytes.len() {
            file.bytes.resize(end, 0);
            file.is_kept.resize(end, false);
            file.has_its_length = false;
        }
        for page in at as usize / PAGE..end.div_ceil(PAGE) {
            if file.backed.insert(page) {
                let kept = file.is_kept.iter_mut().skip(page * PAGE);
                kept.take(PAGE).for_each(|is_kept| *is_kept = false);
            }
        }
        for at in at..at + length {
            file.bytes[at as usize] = byte(number, at);
            file.is_kept[at as usize] = false;
        }
    }

    fn remove(&mut self, name: Name) {
        if let Some(file) = self.names.remove(&name) {
            self.touched.insert(name);
            self.files[file].is_removed = true;
        }
    }

    fn set_folder(&mut self, folder: u8, is_there: bool) {
        self.touched_folders.insert(folder);
        self.folders[usize::from(folder)] = is_there;
    }

    /// What a step promises at its end is true from here on.
    pub(crate) fn acknowledge(&mut self, step: Step) {
        let named = |name| self.names.get(&name).copied();
        let synced = match step {
            Step::StoreAndSync(Piece { name, .. }) | Step::Sync(name) => named(name),
            _ => None,
        };
        for (number, file) in self.files.iter_mut().enumerate() {
            if step == Step::SyncAll || synced == Some(number) {
                file.is_kept.fill(true);
            }
            file.has_its_length = true;
            file.places.clear();
        }
        for (name, file) in &self.names {
            self.files[*file].places.insert(*name);
        }
        self.promised = self.names.clone();
        self.promised_folders = self.folders;
        self.touched.clear();
        self.touched_folders.clear();
    }

    /// Looks for all that was promised in what is on a disk.
    pub(crate) fn check(&self, tree: &Tree, state: State) -> Result<()> {
        for folder in (0..FOLDERS).filter(|folder| !self.touched_folders.contains(folder)) {
            let is_there = self.promised_folders[usize::from(folder)];
            ensure!(
                tree.has_folder(folder) == is_there,
                "folder {folder} should be there: {is_there}"
            );
            for file in 0..FILES {
                let name = Name { folder, file };
                if !self.touched.contains(&name) {
                    self.check_name(tree, name)?;
                }
            }
        }
        for file in self.files.iter().filter(|file| !file.is_removed) {
            file.check_places(tree, state)?;
        }
        Ok(())
    }

    fn check_name(&self, tree: &Tree, name: Name) -> Result<()> {
        match (self.promised.get(&name), tree.file(name)) {
            (None, None) => Ok(()),
            (None, Some(_)) => bail!("{name:?} should be gone"),
            (Some(_), None) => bail!("{name:?} is gone"),
            (Some(file), Some(bytes)) => match self.files[*file].differs(bytes) {
                Some(what) => bail!("{name:?}: {what}"),
                None => Ok(()),
            },
        }
    }
}

impl File {
    /// A file that was about to move has one of its names, or two; or none, for its folders reach the disk in any order:
    /// then e2fsck finds it.
    fn check_places(&self, tree: &Tree, state: State) -> Result<()> {
        if self.places.len() < 2 || !self.is_kept.contains(&true) {
            return Ok(());
        }
        let named = self.places.iter().filter_map(|name| tree.file(*name));
        let is_it = |bytes: &&_| self.differs(bytes).is_none();
        let is_there =
            named.clone().any(|bytes| is_it(&bytes)) || tree.lost().any(|bytes| is_it(&bytes));
        ensure!(
            is_there || state == State::Cut,
            "what moved is neither at {:?} nor found",
            self.places
        );
        Ok(())
    }

    /// Says what is not as it was promised.
    fn differs(&self, bytes: &Result<Vec<u8>, ext2::Error>) -> Option<String> {
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(_) if !self.is_kept.contains(&true) => return None,
            Err(error) => return Some(format!("can't be read: {error}")),
        };
        let (length, wanted) = (bytes.len(), self.bytes.len());
        if self.has_its_length && length != wanted {
            return Some(format!("is {length} bytes long, not {wanted}"));
        }
        let kept = self
            .is_kept
            .iter()
            .enumerate()
            .filter(|(_, is_kept)| **is_kept);
        let mut wrong = kept
            .map(|(at, _)| at)
            .filter(|&at| bytes.get(at) != Some(&self.bytes[at]));
        let first = wrong.next()?;
        let count = 1 + wrong.count();
        Some(format!(
            "{count} promised bytes are lost, from {first} on, of {wanted}"
        ))
    }
}
