//! Names that come, go and move.
//!
//! Everything that changes names holds the volume's lock, so what was looked up stays true until it is used; a folder's
//! own lock is held only while its entries are touched.
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use abi::Errno;
use abi::general::{S_IFCHR, S_IFREG};

use super::folder::{Entry, Folder};
use super::label::Label;
use super::regular::Regular;
use super::{Content, Node};
use crate::fs::gate::Turn;
use crate::fs::inode::{
    self, Directory, FIRST_COOKIE, Inode, Listed, Name, New, Removal, Taken, Unnamed,
};
use crate::process::sched;

impl Node {
    pub(super) fn entries(&self) -> Result<Turn<'_, Folder>, Errno> {
        match &self.content {
            Content::Folder(folder) => Ok(folder.enter()),
            _ => Err(Errno::ENOTDIR),
        }
    }

    /// The entries, where the folder itself still has a name: others get no new ones.
    pub(super) fn live_entries(&self) -> Result<Turn<'_, Folder>, Errno> {
        if self.attributes.lock().links == 0 {
            return Err(Errno::ENOENT);
        }
        self.entries()
    }

    pub(super) fn find(&self, name: &[u8]) -> Result<Arc<Self>, Errno> {
        self.entry_of(name).map(|entry| entry.node)
    }

    pub(super) fn entry_of(&self, name: &[u8]) -> Result<Entry, Errno> {
        let entries = self.entries()?;
        entries.find(name).cloned().ok_or(Errno::ENOENT)
    }

    /// Puts `node` in under a name that is free.
    pub(super) fn insert(&self, name: &[u8], node: &Arc<Self>) -> Result<(), Errno> {
        let name = inode::name_of(name)?;
        let label = Label::try_new(self.me(), name.clone())?;
        let mut entries = self.live_entries()?;
        if entries.find(&name).is_some() {
            return Err(Errno::EEXIST);
        }
        entries.reserve()?;
        entries.put(name, node.clone(), label.clone());
        drop(entries);
        node.add_link(self, label);
        self.note_change();
        Ok(())
    }

    /// It has one name more, an entry of `parent`.
    pub(super) fn add_link(&self, parent: &Self, label: Arc<Label>) {
        self.card.note_entry(label);
        let is_folder = self.is_folder();
        self.attributes.lock().links += if is_folder { 2 } else { 1 };
        if is_folder {
            parent.attributes.lock().links += 1;
        }
        self.note_status_change();
    }

    /// It has one name less, an entry of `parent`.
    pub(super) fn drop_link(&self, parent: &Self, label: &Label) {
        label.remove();
        let is_folder = self.is_folder();
        let links = {
            let mut attributes = self.attributes.lock();
            attributes.links -= if is_folder { 2 } else { 1 };
            attributes.links
        };
        if is_folder {
            parent.attributes.lock().links -= 1;
        }
        if links != 0 {
            self.volume.give_inode_back();
        }
        self.note_status_change();
    }

    /// Whether it may have one more name; `Some` where that name is its first.
    fn check_linkable(&self) -> Result<Option<Unnamed>, Errno> {
        let mut attributes = self.attributes.lock();
        match (attributes.links, attributes.unnamed) {
            (0, Unnamed::ForGood) => Err(Errno::ENOENT),
            (0, Unnamed::Linkable) => Ok(Some(core::mem::replace(
                &mut attributes.unnamed,
                Unnamed::ForGood,
            ))),
            _ => Ok(None),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries().is_ok_and(|entries| entries.len() == 0)
    }

    /// Whether it is `other`, or somewhere in it.
    pub(super) fn is_within(self: &Arc<Self>, other: &Self) -> bool {
        let mut at = Some(self.clone());
        while let Some(node) = at {
            if core::ptr::eq(&*node, other) {
                return true;
            }
            at = node.card.parent();
        }
        false
    }

    /// Whether a mapping shows a file of the tree below, or one that has no name any more.
    pub(super) fn holds_mapped(self: &Arc<Self>) -> bool {
        if self.volume.orphans.load(Relaxed) > 0 {
            return true;
        }
        let (mut at, mut from) = (self.clone(), FIRST_COOKIE);
        loop {
            sched::breathe();
            let next = at
                .entries()
                .ok()
                .and_then(|entries| entries.next(from).cloned());
            match next {
                Some(entry) if entry.node.regular().is_some_and(Regular::is_mapped) => return true,
                Some(entry) if entry.node.is_folder() => (at, from) = (entry.node, FIRST_COOKIE),
                Some(entry) => from = entry.cookie + 1,
                None if Arc::ptr_eq(&at, self) => return false,
                None => {
                    let Some((parent, behind)) = at.behind() else {
                        return false;
                    };
                    (at, from) = (parent, behind);
                }
            }
        }
    }

    /// The folder that it is in, and the cookie behind its own there.
    fn behind(&self) -> Option<(Arc<Self>, u64)> {
        let parent = self.card.parent()?;
        let mut name = Vec::new();
        self.card.write_path(&mut name).ok()?;
        let start = name.iter().rposition(|&byte| byte == b'/')? + 1;
        let cookie = parent.entries().ok()?.find(&name[start..])?.cookie;
        Some((parent, cookie + 1))
    }

    /// Takes everything out, however deep it is, without a stack that grows with the depth.
    pub(crate) fn clear(self: &Arc<Self>) {
        let mut at = self.clone();
        loop {
            let last = at.entries().ok().and_then(|entries| entries.last());
            match last {
                Some(child) if child.is_folder() && !child.is_empty() => at = child,
                Some(child) => {
                    let gone = at.entries().ok().and_then(|mut entries| entries.pop());
                    drop((child, gone));
                }
                None if Arc::ptr_eq(&at, self) => return,
                None => at = at.card.parent().unwrap_or_else(|| self.clone()),
            }
        }
    }
}

impl Directory for Node {
    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        let entries = self.entries()?;
        let entry = entries.find(name).ok_or(Errno::ENOENT)?;
        // Under the folder's lock, so that a removal is noted after this.
        if !entry.node.is_folder() {
            entry.node.card.note_entry(entry.label.clone());
        }
        Ok(entry.node.clone())
    }

    fn next(&self, from: u64) -> Result<Option<Listed>, Errno> {
        let entries = self.entries()?;
        Ok(entries.next(from).map(|entry| Listed {
            cookie: entry.cookie,
            number: entry.node.card.number,
            kind: entry.node.kind(),
            name: entry.name.clone(),
        }))
    }

    fn parent(&self) -> Option<Arc<dyn Inode>> {
        Some(self.card.parent()?)
    }

    fn create(&self, name: &[u8], new: &New<'_>) -> Result<Arc<dyn Inode>, Errno> {
        let _names = self.volume.names.enter();
        if self.live_entries()?.find(name).is_some() {
            return Err(Errno::EEXIST);
        }
        let node = Self::try_new(&self.volume, new)?;
        self.insert(name, &node)?;
        Ok(node)
    }

    fn create_unnamed(&self, mode: u32, later: Unnamed) -> Result<Arc<dyn Inode>, Errno> {
        let new = New {
            mode: S_IFREG | mode,
            target: &[],
            special: 0,
        };
        let node = Self::try_new(&self.volume, &new)?;
        let name = unnamed(node.card.number)?;
        let label = Label::try_new(self.me(), name)?;
        label.remove();
        node.card.note_entry(label);
        node.attributes.lock().unnamed = later;
        Ok(node)
    }

    fn link(&self, name: &[u8], inode: Arc<dyn Inode>) -> Result<(), Errno> {
        let node = of_volume(self, inode)?;
        if node.is_folder() {
            return Err(Errno::EPERM);
        }
        let _names = self.volume.names.enter();
        // As on Linux each name counts as an inode, but an inode's first.
        let first = node.check_linkable()?;
        if first.is_none() {
            self.volume.take_inode()?;
        }
        let done = self.insert(name, &node);
        match (&done, first) {
            (Ok(()), _) => {}
            (Err(_), None) => self.volume.give_inode_back(),
            (Err(_), Some(unnamed)) => node.attributes.lock().unnamed = unnamed,
        }
        done
    }

    fn remove(&self, name: &[u8], removal: Removal) -> Result<(), Errno> {
        let _names = self.volume.names.enter();
        let node = self.find(name)?;
        match removal {
            Removal::File if node.is_folder() => return Err(Errno::EISDIR),
            Removal::Folder if !node.is_folder() => return Err(Errno::ENOTDIR),
            Removal::Folder if !node.is_empty() => return Err(Errno::ENOTEMPTY),
            _ => {}
        }
        let gone = self.entries()?.remove(name);
        if let Some(gone) = gone {
            node.drop_link(self, &gone.label);
        }
        self.note_change();
        Ok(())
    }

    fn rename(
        &self,
        name: &[u8],
        to: Arc<dyn Inode>,
        new_name: &[u8],
        taken: Taken,
    ) -> Result<(), Errno> {
        self.move_entry(name, to, new_name, taken, None)
    }

    fn rename_from_whiteout(
        &self,
        name: &[u8],
        to: Arc<dyn Inode>,
        new_name: &[u8],
        taken: Taken,
    ) -> Result<(), Errno> {
        let whiteout = New {
            mode: S_IFCHR,
            target: &[],
            special: 0,
        };
        let whiteout = Self::try_new(&self.volume, &whiteout)?;
        self.move_entry(name, to, new_name, taken, Some(whiteout))
    }
}

/// The inode, if it is one of the folder's volume.
pub(super) fn of_volume(folder: &Node, inode: Arc<dyn Inode>) -> Result<Arc<Node>, Errno> {
    let node: Arc<Node> = inode.into_any().downcast().map_err(|_| Errno::EXDEV)?;
    if Arc::ptr_eq(&node.volume, &folder.volume) {
        Ok(node)
    } else {
        Err(Errno::EXDEV)
    }
}

/// What shows an inode without a name calls it, as on Linux: `#` and its number.
fn unnamed(number: u64) -> Result<Name, Errno> {
    let mut name = inode::copy(b"#")?;
    inode::extend_number(&mut name, number)?;
    inode::name_of(&name)
}
