//! The calls that came with the whole address space: locks, advice, moves.
use std::fmt;

use super::Span;

/// A system call on some pages.
#[derive(Clone, Copy, Debug)]
pub enum Call {
    /// mlock2(2).
    Lock(Span, Lock),
    /// munlock(2).
    Unlock(Span),
    /// mlockall(2): what there is, what will be.
    LockAll(Option<Lock>, Option<Lock>),
    /// munlockall(2).
    UnlockAll,
    /// mincore(2).
    Resident(Span),
    /// madvise(2).
    Advise(Span, Advice),
    /// msync(2), with the bits of MS_*.
    Sync(Span, u32),
    /// mremap(2).
    Remap(Remap),
    /// No call: memory runs short, and what was given up lazily goes.
    Reclaim,
    /// No call: one of its pages, counted around, is taken from all who map it.
    Expel(u64),
}

/// How pages are locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// At once.
    Now,
    /// Once they are touched.
    OnFault,
}

/// Advice of madvise(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "see madvise(2)")]
pub enum Advice {
    Normal,
    Random,
    Sequential,
    DontNeed,
    DontNeedLocked,
    Free,
    DontFork,
    DoFork,
    WipeOnFork,
    KeepOnFork,
    Cold,
    PageOut,
    WillNeed,
    Remove,
    PopulateRead,
    PopulateWrite,
    HugePage,
    NoHugePage,
    DontDump,
    DoDump,
    Mergeable,
    Unmergeable,
}

impl Advice {
    /// All of it.
    pub const ALL: [Self; 22] = [
        Self::Normal,
        Self::Random,
        Self::Sequential,
        Self::DontNeed,
        Self::DontNeedLocked,
        Self::Free,
        Self::DontFork,
        Self::DoFork,
        Self::WipeOnFork,
        Self::KeepOnFork,
        Self::Cold,
        Self::PageOut,
        Self::WillNeed,
        Self::Remove,
        Self::PopulateRead,
        Self::PopulateWrite,
        Self::HugePage,
        Self::NoHugePage,
        Self::DontDump,
        Self::DoDump,
        Self::Mergeable,
        Self::Unmergeable,
    ];
}

/// The arguments of `mremap`.
#[derive(Clone, Copy, Debug)]
pub struct Remap {
    /// What is there.
    pub old: Span,
    /// How much there shall be.
    pub length: u64,
    /// How it may get there.
    pub way: Way,
    /// Where it shall be; heeded as `way` says.
    pub target: u64,
}

/// How an area may move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Not at all.
    Stay,
    /// Anywhere: MREMAP_MAYMOVE.
    Move,
    /// To the target: MREMAP_FIXED.
    Fixed,
    /// Near the target, and leaves an empty area: MREMAP_DONTUNMAP.
    Keep,
    /// Both.
    FixedKeep,
}

impl Way {
    /// Whether the target is where it goes.
    pub fn is_fixed(self) -> bool {
        matches!(self, Self::Fixed | Self::FixedKeep)
    }

    /// Whether the old area stays.
    pub fn keeps(self) -> bool {
        matches!(self, Self::Keep | Self::FixedKeep)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lock(span, lock) => write!(f, "mlock2({span}, {lock:?})"),
            Self::Unlock(span) => write!(f, "munlock({span})"),
            Self::LockAll(now, future) => write!(f, "mlockall({now:?}, {future:?})"),
            Self::UnlockAll => write!(f, "munlockall()"),
            Self::Resident(span) => write!(f, "mincore({span})"),
            Self::Advise(span, advice) => write!(f, "madvise({span}, {advice:?})"),
            Self::Sync(span, bits) => write!(f, "msync({span}, {bits:#x})"),
            Self::Remap(remap) => write!(
                f,
                "mremap({}, to {:#x} bytes, {:?}, {:#x})",
                remap.old, remap.length, remap.way, remap.target
            ),
            Self::Reclaim => write!(f, "loses what it gave up"),
            Self::Expel(number) => write!(f, "loses page number {number}, as do its relatives"),
        }
    }
}
