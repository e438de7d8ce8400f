//! ext2 on a disk: the crate `ext2` knows the disk, the page cache has the bytes of files, and here both are inodes.
//!
//! An inode in use is known by two things. Its [`Card`] is what its pages need: they may outlive every descriptor. Its
//! [`Node`] is what paths and descriptors hold. A table of the volume (`volume.rs`) has one card for each number, so all
//! who reach an inode reach the same. One gate of the volume is held around each call of the crate.
//!
//! An inode whose last name is gone is freed once its card is: that is noted where the card is dropped, which may be
//! anywhere, and done by the next who enters the volume.
mod buffer;
mod card;
mod direct;
mod directory;
mod freed;
mod open;
mod recent;
mod regular;
mod system;
mod volume;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

use abi::Errno;
use abi::general::{S_IFDIR, S_IFMT};

use super::inode::{Change, Directory, Identity, Inode, Link, Time, Whereabouts, copy};
use super::open::{OpenFile, Status};
use super::pipe::Fifo;
use super::place::Place;
use super::{devices, listing};
use card::Card;
use regular::Regular;
pub(super) use system::{finish_left_over, mount};
use volume::Volume;

/// An inode that somebody has.
pub(super) struct Node {
    card: Arc<Card>,
    content: Content,
}

enum Content {
    Regular(Regular),
    Folder,
    Link(Vec<u8>),
    Fifo(Fifo),
    /// A device's number; of a socket, nothing.
    Special(u64),
}

/// Seconds since 1970, as the disk has them.
fn now() -> u32 {
    Time::now().seconds as u32
}

impl Node {
    fn volume(&self) -> &Arc<Volume> {
        &self.card.volume
    }

    fn number(&self) -> u32 {
        self.card.number
    }

    fn is_folder(&self) -> bool {
        matches!(self.content, Content::Folder)
    }

    fn regular(&self) -> Option<&Regular> {
        match &self.content {
            Content::Regular(regular) => Some(regular),
            _ => None,
        }
    }

    /// Its bytes were read. As Linux does by default (`relatime`), this is written down only where nobody read it since it
    /// changed, or for a day. That it can't be is no reason not to read.
    fn note_access(&self) {
        const DAY: i32 = 24 * 60 * 60;
        let known = self.card.known().attributes;
        let changed = known.modified.max(known.changed);
        let now = now().cast_signed();
        if known.accessed <= changed || now.wrapping_sub(known.accessed) >= DAY {
            let _ = self.volume().with(|volume| {
                volume.change(self.number(), |attributes| attributes.accessed = now)
            });
            self.volume().refresh(&[self.number()]);
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Content::Regular(regular) = &mut self.content {
            regular.close();
        }
    }
}

impl Inode for Node {
    fn status(&self) -> Status {
        let known = self.card.known();
        let time = |seconds: i32| Time {
            seconds: seconds.into(),
            nanoseconds: 0,
        };
        let attributes = known.attributes;
        Status {
            device: self.volume().device(),
            number: self.number().into(),
            links: known.links.into(),
            mode: attributes.mode.into(),
            user: attributes.user,
            group: attributes.group,
            special: match self.content {
                Content::Special(number) => number,
                _ => 0,
            },
            size: match &self.content {
                Content::Regular(regular) => regular.pages().size(),
                _ => known.size,
            },
            block_size: self.volume().block_size(),
            direct_unit: self.regular().map_or(0, |_| self.volume().disk().unit()),
            blocks: known.sectors.into(),
            accessed: time(attributes.accessed),
            modified: time(attributes.modified),
            changed: time(attributes.changed),
            born: Time::default(),
        }
    }

    fn identity(&self) -> Identity {
        Identity {
            device: self.volume().device(),
            number: self.number().into(),
        }
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn open(self: Arc<Self>, place: &Place, flags: u32) -> Result<Arc<OpenFile>, Errno> {
        match &self.content {
            Content::Regular(_) => open::open(self, place, flags),
            Content::Folder => listing::open(place, flags),
            Content::Fifo(fifo) => fifo.open(place, flags),
            Content::Special(number) => {
                let kind = self.status().mode & S_IFMT;
                devices::open(kind, *number, place, flags)
            }
            Content::Link(_) => Err(Errno::ELOOP),
        }
    }

    fn directory(&self) -> Option<&dyn Directory> {
        self.is_folder().then_some(self as &dyn Directory)
    }

    fn link(&self) -> Result<Link, Errno> {
        match &self.content {
            Content::Link(target) => copy(target).map(Link::Path),
            _ => Err(Errno::EINVAL),
        }
    }

    fn set_size(&self, size: u64) -> Result<(), Errno> {
        let regular = self.regular().ok_or(Errno::EINVAL)?;
        regular.set_size(&self.card, size)
    }

    fn change(&self, change: Change) -> Result<(), Errno> {
        let now = now().cast_signed();
        let seconds = |time: Time| time.seconds.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        let changed = self.volume().with(|volume| {
            volume.change(self.number(), |attributes| {
                match change {
                    Change::Permissions(mode) => {
                        attributes.mode = attributes.mode & S_IFMT as u16 | mode as u16 & 0o7777;
                    }
                    Change::Owner(user, group) => {
                        attributes.user = user.unwrap_or(attributes.user);
                        attributes.group = group.unwrap_or(attributes.group);
                    }
                    Change::Times(accessed, modified) => {
                        attributes.accessed = accessed.map_or(attributes.accessed, seconds);
                        attributes.modified = modified.map_or(attributes.modified, seconds);
                    }
                }
                attributes.changed = now;
            })
        });
        self.volume().refresh(&[self.number()]);
        changed
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
        match self.regular() {
            Some(regular) => regular.read_at(offset, buffer),
            None if self.status().mode & S_IFMT == S_IFDIR => Err(Errno::EISDIR),
            None => Err(Errno::EINVAL),
        }
    }

    fn write_path(&self, path: &mut Vec<u8>) -> Result<Whereabouts, Errno> {
        self.card.write_within(path)
    }

    fn begin_execution(&self) -> Result<(), Errno> {
        let regular = self.regular().ok_or(Errno::EACCES)?;
        regular.users.deny_writing()
    }

    fn end_execution(&self) {
        if let Some(regular) = self.regular() {
            regular.users.allow_writing();
        }
    }
}
