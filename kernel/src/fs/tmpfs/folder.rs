//! The entries of a folder: by name for those who know it, by age for those who list all.
//!
//! A cookie says how old an entry is. It is never given twice, so a listing goes on where it was, whatever came and went.
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;

use super::Node;
use super::label::Label;
use crate::fs::inode::{FIRST_COOKIE, Name};

/// A folder's entries.
pub(super) struct Folder {
    /// By age.
    entries: Vec<Entry>,
    /// The cookies of all, sorted by name.
    by_name: Vec<u64>,
    next_cookie: u64,
}

/// A name, and what it stands for.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) cookie: u64,
    pub(super) name: Name,
    pub(super) node: Arc<Node>,
    pub(super) label: Arc<Label>,
}

impl Default for Folder {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            by_name: Vec::new(),
            next_cookie: FIRST_COOKIE,
        }
    }
}

impl Folder {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What `name` stands for.
    pub(super) fn find(&self, name: &[u8]) -> Option<&Entry> {
        let place = self.place_of(name).ok()?;
        Some(self.of_cookie(self.by_name[place]))
    }

    /// The first entry whose cookie is `from` or behind it.
    pub(super) fn next(&self, from: u64) -> Option<&Entry> {
        let place = self.entries.partition_point(|entry| entry.cookie < from);
        self.entries.get(place)
    }

    /// Makes room for one entry more, so that adding it can't fail.
    pub(super) fn reserve(&mut self) -> Result<(), Errno> {
        let room = self.entries.try_reserve(1);
        room.and_then(|()| self.by_name.try_reserve(1))
            .map_err(|_| Errno::ENOMEM)
    }

    /// Makes `name` stand for `node`, and returns the entry that it had. Room for a new name is reserved.
    pub(super) fn put(&mut self, name: Name, node: Arc<Node>, label: Arc<Label>) -> Option<Entry> {
        match self.place_of(&name) {
            Ok(place) => {
                let cookie = self.by_name[place];
                let at = self.entries.partition_point(|entry| entry.cookie < cookie);
                let entry = Entry {
                    cookie,
                    name,
                    node,
                    label,
                };
                Some(core::mem::replace(&mut self.entries[at], entry))
            }
            Err(place) => {
                let cookie = self.next_cookie;
                self.next_cookie += 1;
                self.by_name.insert(place, cookie);
                self.entries.push(Entry {
                    cookie,
                    name,
                    node,
                    label,
                });
                None
            }
        }
    }

    /// Takes `name` out.
    pub(super) fn remove(&mut self, name: &[u8]) -> Option<Entry> {
        let place = self.place_of(name).ok()?;
        let cookie = self.by_name.remove(place);
        let at = self.entries.partition_point(|entry| entry.cookie < cookie);
        let entry = self.entries.remove(at);
        if self.entries.is_empty() {
            (self.entries, self.by_name) = (Vec::new(), Vec::new());
        }
        Some(entry)
    }

    /// Takes the youngest entry out.
    pub(super) fn pop(&mut self) -> Option<Entry> {
        let name = self.entries.last()?.name.clone();
        self.remove(&name)
    }

    /// The youngest entry.
    pub(super) fn last(&self) -> Option<Arc<Node>> {
        self.entries.last().map(|entry| entry.node.clone())
    }

    fn place_of(&self, name: &[u8]) -> Result<usize, usize> {
        self.by_name
            .binary_search_by(|&cookie| self.of_cookie(cookie).name.as_slice().cmp(name))
    }

    fn of_cookie(&self, cookie: u64) -> &Entry {
        let place = self.entries.partition_point(|entry| entry.cookie < cookie);
        &self.entries[place]
    }
}
