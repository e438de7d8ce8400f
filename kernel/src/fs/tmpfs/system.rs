//! A volume in memory as something that can be mounted: its limits, as mount(2) takes them and proc(5) shows them.
use alloc::sync::Arc;
use core::fmt;

use abi::Errno;
use abi::general::TMPFS_MAGIC;
use mm::PAGE_SIZE;

use super::{Node, Volume};
use crate::arch::memory::memory;
use crate::fs::inode::Inode;
use crate::fs::system::{Access, FileSystem, Room};

/// What a volume's root may be used for, unless an option says otherwise.
const USUAL_MODE: u32 = 0o1777;

/// A volume in memory.
pub(crate) struct Tmpfs {
    kind: &'static str,
    root: Arc<Node>,
}

/// What mount(2) may say of one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(super) mode: u32,
    pub(super) user: u32,
    pub(super) group: u32,
    pub(super) limits: Limits,
}

/// How much a volume may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// `None`: as much as all volumes together.
    pub(super) pages: Option<u64>,
    pub(super) inodes: Option<u64>,
}

impl Limits {
    pub(super) const USUAL: Self = Self {
        pages: None,
        inodes: None,
    };
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: USUAL_MODE,
            user: 0,
            group: 0,
            limits: Limits::USUAL,
        }
    }
}

impl Options {
    /// Changes what `words`, as mount(2) has them, name. `EINVAL` for words that mean nothing here.
    fn take(&mut self, words: &[u8]) -> Result<(), Errno> {
        let words = core::str::from_utf8(words).map_err(|_| Errno::EINVAL)?;
        words
            .split(',')
            .filter(|word| !word.is_empty())
            .try_for_each(|word| self.take_word(word).ok_or(Errno::EINVAL))
    }

    fn take_word(&mut self, word: &str) -> Option<()> {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        match name {
            "size" => self.limits.pages = limit(size(value)?.div_ceil(PAGE_SIZE)),
            "nr_blocks" => self.limits.pages = limit(number(value)?),
            "nr_inodes" => self.limits.inodes = limit(number(value)?),
            "mode" => self.mode = u32::from_str_radix(value, 8).ok()? & 0o7777,
            "uid" => self.user = value.parse().ok()?,
            "gid" => self.group = value.parse().ok()?,
            "inode64" | "noswap" if value.is_empty() => {}
            _ => return None,
        }
        Some(())
    }
}

/// As on Linux 0 means that there is none.
fn limit(count: u64) -> Option<u64> {
    (count > 0).then_some(count)
}

/// Bytes, or a part of memory: `50%`.
fn size(text: &str) -> Option<u64> {
    match text.strip_suffix('%') {
        Some(percent) => {
            let percent: u64 = percent.parse().ok()?;
            let pages = memory().managed_frames() as u64;
            Some(pages.checked_mul(percent)? / 100 * PAGE_SIZE)
        }
        None => number(text),
    }
}

/// A number with a unit: `k`, `m`, `g`, `t`.
fn number(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|unit: char| unit.is_ascii_alphabetic());
    let shift = match &text[digits.len()..] {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        "t" | "T" => 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

impl Tmpfs {
    /// A new volume, by mount(2)'s words.
    pub(crate) fn try_new(device: u64, words: &[u8]) -> Result<Arc<Self>, Errno> {
        let mut options = Options::default();
        options.take(words)?;
        let root = Volume::try_new(device, options.mode)?;
        root.volume.set_limits(options.limits);
        let mut attributes = root.attributes.lock();
        attributes.user = options.user;
        attributes.group = options.group;
        drop(attributes);
        Self::of("tmpfs", root)
    }

    /// The volume that begins at `root`, as a file system of this kind.
    pub(crate) fn of(kind: &'static str, root: Arc<Node>) -> Result<Arc<Self>, Errno> {
        Arc::try_new(Self { kind, root }).map_err(|_| Errno::ENOMEM)
    }

    fn volume(&self) -> &Volume {
        &self.root.volume
    }
}

impl FileSystem for Tmpfs {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn magic(&self) -> u32 {
        TMPFS_MAGIC
    }

    fn device(&self) -> u64 {
        self.volume().device
    }

    fn root(&self) -> Arc<dyn Inode> {
        self.root.clone()
    }

    fn room(&self) -> Room {
        self.volume().room()
    }

    fn write_options(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let limits = *self.volume().limits.lock();
        if let Some(pages) = limits.pages {
            write!(out, ",size={}k", pages * (PAGE_SIZE / 1024))?;
        }
        if let Some(inodes) = limits.inodes {
            write!(out, ",nr_inodes={inodes}")?;
        }
        let attributes = *self.root.attributes.lock();
        let mode = attributes.mode & 0o7777;
        if self.kind == "tmpfs" && mode != USUAL_MODE {
            write!(out, ",mode={mode:03o}")?;
        }
        Ok(())
    }

    fn remount(&self, words: &[u8], _access: Access) -> Result<(), Errno> {
        let mut options = Options {
            limits: *self.volume().limits.lock(),
            ..Options::default()
        };
        options.take(words)?;
        let too_many = |used: u64, most: Option<u64>| most.is_some_and(|most| used > most);
        let room = self.volume().room();
        let used = [room.blocks - room.free, room.inodes - room.free_inodes];
        if too_many(used[0], options.limits.pages) || too_many(used[1], options.limits.inodes) {
            return Err(Errno::EINVAL);
        }
        self.volume().set_limits(options.limits);
        Ok(())
    }

    fn is_mapped(&self) -> bool {
        self.root.holds_mapped()
    }

    fn close(&self) {
        self.root.clear();
    }
}
