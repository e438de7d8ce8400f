//! The boot image's archive ("newc" cpio) becomes the root: names, modes, times and links now, bytes when they are needed.
use alloc::sync::Arc;

use abi::Errno;
use abi::general::{S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG};
use cpio_reader::Entry;

use super::Node;
use super::archived::Archived;
use super::card::Card;
use crate::fs::inode::{Change, Directory, Inode, New, Time};

/// Puts every entry of `archive` below `root`. A later one takes the place of an earlier, except that folders stay.
pub(crate) fn unpack(root: &Arc<Node>, archive: &'static [u8]) -> Result<(), Errno> {
    for entry in cpio_reader::iter_files(archive) {
        let path = entry.name().trim_start_matches(['.', '/']);
        let path = path.trim_end_matches('/').as_bytes();
        if path.is_empty() {
            continue;
        }
        let mut folder = root.clone();
        let mut parts = path.split(|&byte| byte == b'/').peekable();
        while let Some(part) = parts.next() {
            folder = match parts.peek() {
                Some(_) => folder_in(&folder, part)?,
                None => put(&folder, part, &entry)?,
            };
        }
    }
    Ok(())
}

/// The folder `name`, which the archive need not have named.
pub(crate) fn folder_in(parent: &Arc<Node>, name: &[u8]) -> Result<Arc<Node>, Errno> {
    match parent.find(name) {
        Err(Errno::ENOENT) => {
            let new = New {
                mode: S_IFDIR | 0o755,
                target: &[],
                special: 0,
            };
            add(parent, name, Node::try_new(&parent.volume, &new)?)
        }
        found => found,
    }
}

/// Puts `node` in, in the place of what was there.
fn add(parent: &Arc<Node>, name: &[u8], node: Arc<Node>) -> Result<Arc<Node>, Errno> {
    if parent.find(name).is_ok() {
        parent.remove(name, crate::fs::inode::Removal::File)?;
    }
    parent.insert(name, &node)?;
    Ok(node)
}

fn put(parent: &Arc<Node>, name: &[u8], entry: &Entry<'static>) -> Result<Arc<Node>, Errno> {
    let mode = entry.mode().bits();
    let kind = mode & S_IFMT;
    let node = if kind == S_IFDIR {
        folder_in(parent, name)?
    } else {
        add(parent, name, make(parent, entry)?)?
    };
    node.change(Change::Permissions(mode))?;
    node.change(Change::Owner(Some(entry.uid()), Some(entry.gid())))?;
    let time = Time {
        seconds: entry.mtime() as i64,
        nanoseconds: 0,
    };
    node.change(Change::Times(Some(time), Some(time)))?;
    Ok(node)
}

fn make(parent: &Arc<Node>, entry: &Entry<'static>) -> Result<Arc<Node>, Errno> {
    let mode = entry.mode().bits();
    let kind = mode & S_IFMT;
    let (target, archived) = match kind {
        S_IFLNK => (entry.file(), None),
        S_IFREG => (&[][..], Some(Archived::new(entry.file()))),
        _ => (&[][..], None),
    };
    let special = match (kind, entry.rdevmajor(), entry.rdevminor()) {
        (S_IFCHR | S_IFBLK, Some(major), Some(minor)) => crate::fs::devices::number(major, minor),
        _ => 0,
    };
    let new = New {
        mode,
        target,
        special,
    };
    let volume = &parent.volume;
    let number = volume
        .next_number
        .fetch_add(1, core::sync::atomic::Ordering::Relaxed);
    Node::with_card(volume, &new, Card::new(volume.device, number, archived)?)
}
