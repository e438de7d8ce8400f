//! An area as the manual pages speak of it: pages in a row with the same rights, behaviour and source.
use std::fmt;

use super::Notes;
use crate::op::{Advice, Growth, Lock, Nature, Reserve, Rights, Sharing, Source};

/// Pages kept free below an area that grows down.
const GUARD: u64 = 256;

/// Whether an area's pages are accounted as memory that may be needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// They are not.
    None,
    /// They are.
    Made,
}

/// Whether stores may ever be allowed in an area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stores {
    /// They are, or mprotect(2) may allow them.
    Possible,
    /// Not even by mprotect(2).
    Never,
}

/// The `anon_vma` of an area, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kin {
    /// It never had a private page.
    None,
    /// Given to it by this space.
    Own(u64),
    /// Its own since a fork, beside those of its ancestors.
    Inherited(u64),
}

/// Pages `start..end`, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// First page.
    pub start: u64,
    /// The page behind the last.
    pub end: u64,
    /// What may be done with it.
    pub rights: Rights,
    /// Whether it grows.
    pub growth: Growth,
    /// Whether it is accounted.
    pub reserve: Reserve,
    /// Who sees what is stored.
    pub sharing: Sharing,
    /// Whether it counts as memory that may be needed; see [`Self::is_promise`].
    pub promise: Promise,
    /// Whether stores may come to be allowed.
    pub stores: Stores,
    /// Whether its pages stay in memory.
    pub lock: Option<Lock>,
    /// Advice that it remembers.
    pub notes: Notes,
    /// Whose it is.
    pub nature: Nature,
    /// Where its contents come from; a file's offset is that of the first page.
    pub source: Source,
    /// Where its first page was mapped, by number: `vm_pgoff` of anonymous areas. Of others it says nothing.
    pub home: u64,
    /// Whose private pages it holds.
    pub kin: Kin,
}

impl Area {
    /// Length in pages.
    pub fn pages(&self) -> u64 {
        self.end - self.start
    }

    /// Where the pages begin that nothing else may be placed in.
    pub fn guarded_start(&self) -> u64 {
        match self.growth {
            Growth::Fixed => self.start,
            Growth::Down => self.start.saturating_sub(GUARD),
        }
    }

    /// The lock that it gets where `lock` is wanted: nobody locks what the kernel put there.
    pub fn lock_of(&self, lock: Option<Lock>) -> Option<Lock> {
        lock.filter(|_| self.nature == Nature::Own)
    }

    /// Whether it counts against RLIMIT_DATA.
    pub fn is_data(&self) -> bool {
        self.is_private_and_writable() && self.growth == Growth::Fixed
    }

    /// Whether Linux accounts a new area like this as memory that may be needed.
    pub fn is_promise(&self) -> bool {
        self.is_private_and_writable() && self.reserve == Reserve::Accounted
    }

    fn is_private_and_writable(&self) -> bool {
        self.rights.has(Rights::W) && self.sharing == Sharing::Private
    }

    /// Pages that are accounted.
    pub fn promised(&self) -> u64 {
        match self.promise {
            Promise::None => 0,
            Promise::Made => self.pages(),
        }
    }

    /// Whether it begins as zeroes that are its own.
    pub fn is_anonymous(&self) -> bool {
        matches!(self.source, Source::Zero | Source::ZeroDevice { .. })
    }

    /// The page of the file behind `page`.
    pub fn file_page(&self, page: u64) -> Option<(usize, u64)> {
        match self.source {
            Source::Zero | Source::ZeroDevice { .. } => None,
            Source::File { file, offset } => Some((file, offset + (page - self.start))),
        }
    }

    /// The part in pages `start..end`.
    pub fn part(&self, start: u64, end: u64) -> Self {
        let source = match self.source {
            Source::Zero => Source::Zero,
            Source::ZeroDevice { offset } => Source::ZeroDevice {
                offset: offset + (start - self.start),
            },
            Source::File { file, offset } => Source::File {
                file,
                offset: offset + (start - self.start),
            },
        };
        Self {
            start,
            end,
            source,
            home: self.home.wrapping_add(start.wrapping_sub(self.start)),
            ..*self
        }
    }

    /// The two as one, where `above` continues `self` in every respect.
    pub fn joined(&self, above: &Self) -> Option<Self> {
        if self.nature != Nature::Own {
            return None;
        }
        let kin = match (self.kin, above.kin) {
            (kin, other) if kin == other => kin,
            (Kin::None, Kin::Own(number)) | (Kin::Own(number), Kin::None) => Kin::Own(number),
            _ => return None,
        };
        let whole = Self { kin, ..*self };
        self.is_alike(above).then_some(Self {
            end: above.end,
            ..whole
        })
    }

    /// Whether `above` continues `self` in every respect but whose pages it holds.
    pub fn is_alike(&self, above: &Self) -> bool {
        let mut next = Self {
            end: above.end,
            kin: above.kin,
            ..*self
        }
        .part(self.end, above.end);
        if self.source != Source::Zero {
            next.home = above.home;
        }
        self.end == above.start && next == *above
    }

    /// Whether a private page of one may become a neighbour's of the other: they are alike but for their rights, which
    /// may change.
    pub fn may_be_kin(&self, above: &Self) -> bool {
        let rights = above.rights;
        Self { rights, ..*self }.is_alike(above)
    }

    /// Whether an area that grows down must keep its distance from this one.
    pub fn resists_growth(&self) -> bool {
        self.growth == Growth::Fixed && self.rights != Rights::NONE
    }

    /// The guard gap in pages.
    pub const fn guard() -> u64 {
        GUARD
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "pages {:#x}..{:#x} {}",
            self.start, self.end, self.rights
        )?;
        for (holds, word) in [
            (self.growth == Growth::Down, " growsdown"),
            (self.reserve == Reserve::Not, " noreserve"),
            (self.sharing == Sharing::Shared, " shared"),
            (self.promise == Promise::Made, " promised"),
            (self.stores == Stores::Never, " never to be stored to"),
            (self.nature == Nature::Special, " special"),
            (self.nature == Nature::Raw, " raw"),
            (self.lock == Some(Lock::Now), " locked"),
            (self.lock == Some(Lock::OnFault), " locked on fault"),
            (self.notes.order == Some(Advice::Random), " random"),
            (self.notes.order == Some(Advice::Sequential), " sequential"),
            (self.notes.fork.is_some(), " dontfork"),
            (self.notes.wipe.is_some(), " wipeonfork"),
            (self.notes.huge == Some(Advice::HugePage), " hugepage"),
            (self.notes.huge == Some(Advice::NoHugePage), " nohugepage"),
            (self.notes.dump.is_some(), " dontdump"),
            (self.notes.merge.is_some(), " mergeable"),
        ] {
            f.write_str(if holds { word } else { "" })?;
        }
        match self.source {
            Source::Zero if self.home == self.start => Ok(()),
            Source::Zero => write!(f, " mapped at {:#x}", self.home),
            Source::ZeroDevice { offset } => write!(f, " of /dev/zero from page {offset}"),
            Source::File { file, offset } => write!(f, " of file{file} from page {offset}"),
        }?;
        match self.kin {
            Kin::None => Ok(()),
            Kin::Own(_) => f.write_str(" with pages"),
            Kin::Inherited(_) => f.write_str(" with inherited pages"),
        }
    }
}
