//! Why a request was refused, in the field's words; the kernel's system calls turn them into errno values.
use core::fmt;

/// No frame, or no room for a record, was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

/// Why a file in memory got no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPage {
    /// No frame is left.
    OutOfMemory,
    /// Strict overcommit: the machine makes no more promises.
    NotPromised,
}

impl From<OutOfMemory> for NoPage {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

impl From<NoPage> for Error {
    fn from(refusal: NoPage) -> Self {
        match refusal {
            NoPage::OutOfMemory => Self::OutOfMemory,
            NoPage::NotPromised => Self::NoSpace,
        }
    }
}

/// Why a change of an address space was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// ENOMEM: memory, areas, address space or a limit ran out, or a range has a hole where none may be.
    OutOfMemory,
    /// ENOMEM, when part of the work was done: trying again would begin anew with what has changed by now.
    OutOfMemoryMidway,
    /// EINVAL: an argument makes no sense.
    Invalid,
    /// EEXIST: MAP_FIXED_NOREPLACE met an area.
    Exists,
    /// EPERM: an address below `mmap_min_addr`, or a lock where none is allowed.
    NotPermitted,
    /// EACCES: the backing does not allow that protection.
    Forbidden,
    /// EOVERFLOW: the offset in the file plus the length passes the largest offset.
    Overflow,
    /// EAGAIN: a limit of locked memory, or room for a record, ran out.
    TryAgain,
    /// ENOSPC: strict overcommit promises a memory file no more pages.
    NoSpace,
    /// EBUSY: locked pages can't be given up.
    Busy,
    /// EFAULT: the kernel reached for a page that the program could not have reached itself.
    BadAddress,
}

impl From<OutOfMemory> for Error {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

/// Room in a `Vec` could not be had.
impl From<alloc::collections::TryReserveError> for OutOfMemory {
    fn from(_: alloc::collections::TryReserveError) -> Self {
        Self
    }
}

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("out of memory")
    }
}
