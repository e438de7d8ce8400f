//! Operations drawn from a seed, done to a volume and to its model, which must agree on what works.
mod bytes;

use std::collections::BTreeMap;

use ext2::{Attributes, Error, Name, New, Removed, Volume};

use crate::changes::Changes;
use crate::disk::TestDisk;
use crate::model::{Content, Model, Node};
use crate::random::Random;

/// The moment of all that happens, not in e2fsck's future.
pub(crate) const NOW: u32 = 1_700_000_000;

/// A volume, what it should hold, and where chance comes from.
pub(crate) struct Scene {
    pub(crate) volume: Volume<TestDisk>,
    pub(crate) model: Model,
    pub(crate) random: Random,
    /// What the operations changed.
    pub(crate) changes: Changes,
}

/// How a new inode is asked for.
fn new(mode: u16) -> New<'static> {
    let attributes = Attributes {
        mode,
        accessed: 5,
        changed: 6,
        modified: 7,
        ..Attributes::default()
    };
    New {
        attributes,
        target: b"",
        device: (0, 0),
    }
}

/// The volume must refuse for the reason `why`, unless the disk or the heap failed on the way.
fn refused<T: std::fmt::Debug + PartialEq>(
    result: Result<T, Error>,
    why: Error,
) -> Result<(), Error> {
    match result {
        Err(error @ (Error::Io | Error::OutOfMemory)) => Err(error),
        other => {
            assert_eq!(other, Err(why));
            Ok(())
        }
    }
}

impl Scene {
    pub(crate) fn new(volume: Volume<TestDisk>, seed: u64) -> Self {
        let lost = volume
            .lookup(ext2::ROOT, b"lost+found")
            .expect("mke2fs makes it");
        Self {
            volume,
            model: Model::new(lost),
            random: Random(seed),
            changes: Changes::default(),
        }
    }

    /// One operation. An error of the volume's is returned where the model has no reason for one.
    pub(crate) fn step(&mut self) -> Result<(), Error> {
        match self.random.below(100) {
            0..14 => self.create_file(),
            14..21 => self.create_folder(),
            21..26 => self.create_link(),
            26..28 => self.create_device(),
            28 => self.create_unnamed(),
            29..34 => self.add_name(),
            34..46 => self.remove(),
            46..58 => self.rename(),
            58..84 => self.write(),
            84..92 => self.truncate(),
            92..97 => self.change(),
            _ => self.close(),
        }
    }

    fn folder(&mut self) -> u32 {
        let folders = self.model.numbers(Node::is_folder);
        self.random.pick(&folders)
    }

    fn file(&mut self) -> Option<u32> {
        let files = self
            .model
            .numbers(|node| matches!(node.content, Content::File { .. }));
        (!files.is_empty()).then(|| self.random.pick(&files))
    }

    /// A name out of few, so that they meet; long ones fill blocks.
    fn name(&mut self) -> Vec<u8> {
        let number = self.random.below(24);
        let length = if self.random.chance(30) {
            60 + 8 * number as usize
        } else {
            3
        };
        format!("{number:0length$}").into_bytes()
    }

    /// A name of the folder, if it has any.
    fn taken(&mut self, folder: u32) -> Option<(Vec<u8>, u32)> {
        let entries: Vec<_> = self.model.entries(folder).iter().collect();
        let lost_and_found = b"lost+found".as_slice();
        let entries: Vec<_> = entries
            .into_iter()
            .filter(|(name, _)| *name != lost_and_found)
            .collect();
        if entries.is_empty() {
            return None;
        }
        let (name, &number) = entries[self.random.below(entries.len() as u64) as usize];
        Some((name.clone(), number))
    }

    fn create(&mut self, new: &New<'_>, node: Node) -> Result<(), Error> {
        let (folder, name) = (self.folder(), self.name());
        let made = self.volume.create(folder, &name, new, NOW);
        if self.model.entries(folder).contains_key(&name) {
            return refused(made, Error::Exists);
        }
        let number = made?;
        let mut node = node;
        if let Content::Folder { parent, .. } = &mut node.content {
            *parent = folder;
        }
        let old = self.model.nodes.insert(number, node);
        assert!(old.is_none(), "inode {number} is {old:?}");
        self.changes.removed.insert(number);
        self.model.entries_mut(folder).insert(name, number);
        Ok(())
    }

    fn create_file(&mut self) -> Result<(), Error> {
        let content = Content::File {
            size: 0,
            pages: BTreeMap::new(),
        };
        self.create(&new(0o100_644), Node::new(content, 0o644))
    }

    fn create_folder(&mut self) -> Result<(), Error> {
        let content = Content::Folder {
            entries: BTreeMap::new(),
            parent: 0,
        };
        self.create(&new(0o040_751), Node::new(content, 0o751))
    }

    fn create_link(&mut self) -> Result<(), Error> {
        let length = self.random.pick(&[1, 59, 60, 61, 700, 1023]);
        let target = vec![b'x'; length];
        let content = Content::Link {
            target: target.clone(),
        };
        let link = New {
            target: &target,
            ..new(0o120_777)
        };
        self.create(&link, Node::new(content, 0o777))
    }

    fn create_device(&mut self) -> Result<(), Error> {
        let mode = self
            .random
            .pick(&[0o020_600, 0o060_600, 0o010_600, 0o140_600]);
        let device = match mode {
            0o020_600 | 0o060_600 => self.random.pick(&[(1, 3), (259, 0), (8, 1000)]),
            _ => (0, 0),
        };
        let content = Content::Device { mode, device };
        self.create(
            &New {
                device,
                ..new(mode)
            },
            Node::new(content, 0o600),
        )
    }

    /// A file without a name, which may get one.
    fn create_unnamed(&mut self) -> Result<(), Error> {
        let (folder, name) = (self.folder(), self.name());
        let number = self.volume.create_unnamed(folder, &new(0o100_600))?;
        let content = Content::File {
            size: 0,
            pages: BTreeMap::new(),
        };
        let node = Node::new(content, 0o600);
        self.model.nodes.insert(number, Node { names: 0, ..node });
        self.model.open.insert(number);
        self.changes.removed.insert(number);
        if self.model.entries(folder).contains_key(&name) {
            return Ok(());
        }
        self.volume.link(folder, &name, number, NOW)?;
        self.model.open.remove(&number);
        self.model.entries_mut(folder).insert(name, number);
        self.named(number, 1);
        Ok(())
    }

    fn add_name(&mut self) -> Result<(), Error> {
        let (folder, name) = (self.folder(), self.name());
        let Some(number) = self.file() else {
            return Ok(());
        };
        self.changes.moved.insert(number);
        let linked = self.volume.link(folder, &name, number, NOW);
        if self.model.entries(folder).contains_key(&name) {
            return refused(linked, Error::Exists);
        }
        linked?;
        self.model.entries_mut(folder).insert(name, number);
        self.named(number, 1);
        Ok(())
    }

    fn named(&mut self, number: u32, change: i16) {
        let node = self
            .model
            .nodes
            .get_mut(&number)
            .expect("the inode is there");
        node.names = node.names.saturating_add_signed(change);
    }

    fn remove(&mut self) -> Result<(), Error> {
        let folder = self.folder();
        let Some((name, number)) = self.taken(folder) else {
            return refused(self.volume.unlink(folder, b"none", NOW), Error::NotFound);
        };
        self.changes.removed.insert(number);
        let removed = if self.model.nodes[&number].is_folder() {
            let removed = self.volume.remove_folder(folder, &name, NOW);
            if !self.model.entries(number).is_empty() {
                return refused(removed, Error::NotEmpty);
            }
            removed?
        } else {
            self.volume.unlink(folder, &name, NOW)?
        };
        self.model.entries_mut(folder).remove(&name);
        self.lost(number, removed)
    }

    /// Inode `number` has lost a name; the last one, and nobody may have it open.
    fn lost(&mut self, number: u32, removed: Removed) -> Result<(), Error> {
        self.named(number, -1);
        let left = self.model.nodes[&number].names;
        assert_eq!((removed.number, removed.links), (number, left));
        if left > 0 {
            return Ok(());
        }
        if self.random.chance(30) {
            self.model.open.insert(number);
            return Ok(());
        }
        self.model.nodes.remove(&number);
        self.volume.free(number, NOW)
    }

    fn rename(&mut self) -> Result<(), Error> {
        let (from, to) = (self.folder(), self.folder());
        let Some((name, number)) = self.taken(from) else {
            return Ok(());
        };
        let aim = self.taken(to).filter(|_| self.random.chance(40));
        let new_name = aim.map_or_else(|| self.name(), |aim| aim.0);
        let old = self.model.entries(to).get(&new_name).copied();
        self.moved(number);
        self.changes
            .removed
            .extend(old.filter(|&old| old != number));
        let source = Name {
            folder: from,
            name: &name,
        };
        let renamed = self.volume.rename(
            source,
            Name {
                folder: to,
                name: &new_name,
            },
            NOW,
        );
        if let Some(error) = self.refusal(number, to, old) {
            return refused(renamed, error);
        }
        let removed = renamed?;
        if old == Some(number) {
            assert_eq!(removed, None);
            return Ok(());
        }
        self.model.entries_mut(from).remove(&name);
        self.model.entries_mut(to).insert(new_name, number);
        if let Content::Folder { parent, .. } = &mut self.node(number).content {
            *parent = to;
        }
        match (old, removed) {
            (Some(old), Some(removed)) => self.lost(old, removed),
            (None, None) => Ok(()),
            other => panic!("replaced: {other:?}"),
        }
    }

    fn node(&mut self, number: u32) -> &mut Node {
        self.model
            .nodes
            .get_mut(&number)
            .expect("the inode is there")
    }

    /// All that is below `number` may be somewhere else now.
    fn moved(&mut self, number: u32) {
        let mut left = vec![number];
        while let Some(number) = left.pop() {
            self.changes.moved.insert(number);
            if self.model.nodes[&number].is_folder() {
                left.extend(self.model.entries(number).values());
            }
        }
    }

    /// Why `number` can't go to folder `to`, in place of `old`.
    fn refusal(&self, number: u32, to: u32, old: Option<u32>) -> Option<Error> {
        if old == Some(number) {
            return None;
        }
        let is_folder = self.model.nodes[&number].is_folder();
        if let Some(old) = old {
            match (is_folder, self.model.nodes[&old].is_folder()) {
                (true, false) => return Some(Error::NotAFolder),
                (false, true) => return Some(Error::IsAFolder),
                (true, true) if !self.model.entries(old).is_empty() => {
                    return Some(Error::NotEmpty);
                }
                _ => {}
            }
        }
        (is_folder && self.model.way_up(to).contains(&number)).then_some(Error::Invalid)
    }
}
