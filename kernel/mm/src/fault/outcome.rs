//! The words of a fault: what was tried, and how it ended. Whoever calls `mm` carries the outcome out.
use crate::error::{NoPage, OutOfMemory};
use crate::page_cache::{Reached, Read, Room};

/// What the faulting instruction tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A load.
    Read,
    /// A store.
    Write,
    /// An instruction fetch.
    Execute,
}

/// How a fault ended.
#[derive(Debug)]
#[must_use]
pub enum Outcome {
    /// The entry now allows the access: run the instruction again.
    Resolved(Change),
    /// A page of a file must be read first: perform it, complete it, run the instruction again.
    NeedsRead(Read),
    /// Someone else is reading that page: let them, then run the instruction again.
    Busy,
    /// The page is there, and the first of those that were read before anybody asked for them: have more read, wait for
    /// none, and run the instruction again.
    ReadAhead(Reached),
    /// A store to a page of a file that has no place on its disk yet: ask the file system for one, which says so by
    /// [`CachedFile::back`](crate::page_cache::CachedFile::back), and run the instruction again; SIGBUS where there is
    /// none.
    NeedsRoom(Room),
    /// The address lies below an area that grows down: call [`AddressSpace::grow_stack`], run the instruction again.
    NeedsGrowth,
    /// No frame was left. Nothing has changed.
    OutOfMemory,
    /// The program had no right to the access.
    Denied(Denial),
}

/// Why an access was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// No area there: SIGSEGV, SEGV_MAPERR.
    Unmapped,
    /// The area doesn't allow it: SIGSEGV, SEGV_ACCERR.
    Forbidden,
    /// No page of the file there: SIGBUS, BUS_ADRERR.
    PastEnd,
    /// Strict overcommit promises the file no more pages: the same signal.
    NotPromised,
    /// The page could not be read: the same. Whoever performed the read says so.
    Unreadable,
}

/// The row of the table above that a fault took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is a row of the picture above")]
pub enum Path {
    ZeroRead,
    ZeroWrite,
    SharedMemory,
    FileRead,
    FileCow,
    FileStore,
    WriteNotify,
    CowZero,
    CowCopy,
    CowReuse,
    Spurious,
}

impl Path {
    /// Every path, in the order of the picture.
    pub const ALL: [Self; 11] = [
        Self::ZeroRead,
        Self::ZeroWrite,
        Self::SharedMemory,
        Self::FileRead,
        Self::FileCow,
        Self::FileStore,
        Self::WriteNotify,
        Self::CowZero,
        Self::CowCopy,
        Self::CowReuse,
        Self::Spurious,
    ];

    /// The words of the fault table in the specification.
    pub fn name(self) -> &'static str {
        match self {
            Self::ZeroRead => "demand-zero read",
            Self::ZeroWrite => "demand-zero write",
            Self::SharedMemory => "shared memory",
            Self::FileRead => "file read",
            Self::FileCow => "file COW",
            Self::FileStore => "file shared write",
            Self::WriteNotify => "write-notify",
            Self::CowZero => "COW of the zero page",
            Self::CowCopy => "COW copy",
            Self::CowReuse => "COW reuse",
            Self::Spurious => "spurious",
        }
    }
}

/// What a served fault did to its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The way it took.
    pub path: Path,
    /// The entry that was found.
    pub before: u64,
    /// The entry that stands there now.
    pub after: u64,
}

impl From<NoPage> for Outcome {
    fn from(refusal: NoPage) -> Self {
        match refusal {
            NoPage::OutOfMemory => Self::OutOfMemory,
            NoPage::NotPromised => Self::Denied(Denial::NotPromised),
        }
    }
}

impl From<OutOfMemory> for Outcome {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}
