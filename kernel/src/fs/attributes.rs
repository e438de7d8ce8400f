//! What is known of a file that lives in memory, beside its bytes: rights, owners, names and times.
//!
//! File systems on disks keep theirs there; a tmpfs and the files of memfd_create(2) have nothing but this.
use abi::general::{S_IFDIR, S_IFMT, S_ISGID, S_ISUID, S_IXGRP};

use super::inode::{Change, PERMISSIONS, Time, Unnamed};
use super::status::Status;

#[derive(Clone, Copy)]
pub(super) struct Attributes {
    /// Type and permissions.
    pub(super) mode: u32,
    pub(super) links: u32,
    pub(super) user: u32,
    pub(super) group: u32,
    pub(super) accessed: Time,
    modified: Time,
    changed: Time,
    born: Time,
    /// What may become of it where it has no name.
    pub(super) unnamed: Unnamed,
}

impl Attributes {
    /// Those of a file that is made now, and has no name yet.
    pub(super) fn new(mode: u32) -> Self {
        let now = Time::now();
        Self {
            mode,
            links: 0,
            user: 0,
            group: 0,
            accessed: now,
            modified: now,
            changed: now,
            born: now,
            unnamed: Unnamed::ForGood,
        }
    }

    /// chmod(2) and its kin.
    pub(super) fn change(&mut self, change: Change) {
        match change {
            Change::Permissions(mode) => self.mode = self.mode & S_IFMT | mode & PERMISSIONS,
            Change::Owner(user, group) => {
                self.drop_privileges();
                self.user = user.unwrap_or(self.user);
                self.group = group.unwrap_or(self.group);
            }
            Change::Times(accessed, modified) => {
                self.accessed = accessed.unwrap_or(self.accessed);
                self.modified = modified.unwrap_or(self.modified);
            }
        }
        self.note_status_change();
    }

    /// Who executes a file that changed hands does so as himself. A group's bit without its right to execute means locks.
    fn drop_privileges(&mut self) {
        if self.mode & S_IFMT == S_IFDIR {
            return;
        }
        self.mode &= !S_ISUID;
        if self.mode & S_IXGRP != 0 {
            self.mode &= !S_ISGID;
        }
    }

    /// The file's bytes or entries are others now.
    pub(super) fn note_change(&mut self) {
        self.modified = Time::now();
        self.changed = self.modified;
    }

    /// What is said of it, and nothing else, is other now.
    pub(super) fn note_status_change(&mut self) {
        self.changed = Time::now();
    }

    /// Its bytes or entries were read. As Linux does by default (`relatime`), this is written down only where nobody read
    /// it since it changed, or for a day.
    pub(super) fn note_access(&mut self) {
        const DAY: i64 = 24 * 60 * 60;
        let changed = self.modified.max(self.changed);
        let now = Time::now();
        if self.accessed <= changed || now.seconds - self.accessed.seconds >= DAY {
            self.accessed = now;
        }
    }

    /// As stat(2) says it. What only the file knows is left out.
    pub(super) fn status(&self) -> Status {
        Status {
            links: self.links.into(),
            mode: self.mode,
            user: self.user,
            group: self.group,
            block_size: mm::PAGE_SIZE,
            accessed: self.accessed,
            modified: self.modified,
            changed: self.changed,
            born: self.born,
            ..Status::default()
        }
    }
}
