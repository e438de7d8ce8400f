//! The second extended file system, ext2: what is on the disk, and how it changes; pure, so that it runs on the
//! workstation too.
//!
//! It knows one [`Disk`] of bytes, and nothing of pages, processes or time. No bytes of an image make it panic, loop
//! without end or recurse deeper than a constant; no memory is taken for granted. `README.md` says in which order
//! operations write, and what the caller must see to. The layout is that of the ext2 documentation by Dave Poirier and
//! of Linux's `Documentation/filesystems/ext2.rst`; names such as `s_state` are theirs.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

mod allocate;
mod attributes;
mod bitmap;
mod blocks;
mod bytes;
mod create;
mod disk;
mod error;
mod folder;
mod geometry;
mod group;
mod inode;
mod inodes;
mod link;
mod map;
mod rename;
mod superblock;
mod truncate;
mod unlink;
mod volume;

pub use create::{MOST_LINKS, New};
pub use disk::Disk;
pub use error::Error;
pub use folder::{LONGEST_NAME, Listed};
pub use inode::{Attributes, Inode, Kind, ROOT};
pub use map::Run;
pub use rename::Name;
pub use superblock::{Condition, OnDamage, Statistics};
pub use unlink::Removed;
pub use volume::{Access, Volume};
