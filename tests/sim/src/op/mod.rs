//! What can happen in a run, as data: generated first, then executed, so that a run can be printed, cut and replayed.
//!
//! Every operation names its process and its address outright and means nothing more than it says. Leaving any of them
//! out gives another valid run, which is what the shrinker lives on. These are also the words that the oracle and the
//! machine's side share; none of them is `mm`'s.
mod calls;
pub mod seals;
mod text;

use crate::oracle::Overcommit;

pub use calls::{Advice, Call, Lock, Remap, Way};

/// One operation on one CPU.
#[derive(Clone, Debug)]
pub struct Step {
    /// The CPU that executes it.
    pub cpu: usize,
    /// What it does.
    pub op: Op,
}

/// The number of a process; numbers are used again.
pub type Pid = usize;

/// Something that happens.
#[derive(Clone, Debug)]
pub enum Op {
    /// `pid` begins with a fresh program.
    Spawn(Pid),
    /// `pid` replaces its program.
    Exec(Pid),
    /// `parent` forks `child`.
    Fork {
        /// Who forks.
        parent: Pid,
        /// The new process.
        child: Pid,
    },
    /// clone(2) with CLONE_VM, as vfork(2) does it: `child` runs in the very space of `parent`.
    Share {
        /// Whose space it is.
        parent: Pid,
        /// The new process.
        child: Pid,
    },
    /// `pid` ends.
    Exit(Pid),
    /// mmap(2).
    Map(Pid, Request),
    /// munmap(2).
    Unmap(Pid, Span),
    /// mprotect(2).
    Protect(Pid, Span, Rights, Extent),
    /// brk(2).
    Brk(Pid, u64),
    /// Another call on its memory.
    Call(Pid, Call),
    /// An instruction of ring 3 touches memory.
    Touch(Pid, Touch, Option<Rival>),
    /// The kernel reads the process's memory.
    Peek(Pid, Span, Reach),
    /// The kernel writes the process's memory: bytes that follow from the number.
    Poke(Pid, Span, u64, Reach),
    /// A device fills the word at this address with a number, past the processor: what happens before it has.
    Device(Pid, u64, u64, Meanwhile),
    /// The oldest read but `skip` ends.
    FinishRead {
        /// How many older ones wait on.
        skip: usize,
        /// How it ends.
        result: DiskResult,
    },
    /// A file that nobody maps leaves the page cache. One that was in memory is gone, and another has its number.
    Evict(usize),
    /// ftruncate(2) of a file in memory or on the disk to so many bytes.
    Resize(usize, u64),
    /// A hole is punched into a file in memory.
    Punch(usize, Span),
    /// fcntl(2) with F_ADD_SEALS, on a file in memory: bits of [`seals`].
    Seal(usize, u32),
    /// fallocate(2) of a file in memory.
    Allocate(usize, Span, Length),
    /// lseek(2) of a file in memory to the next data, and to the next hole.
    Seek(usize, u64),
    /// setrlimit(2), in bytes.
    Limit(Pid, Limit, u64),
    /// sysctl(8): vm.overcommit_memory and vm.overcommit_ratio are these from now on.
    Overcommit(Overcommit, u32),
    /// pread(2) of a file in memory or on the disk.
    ReadFile(usize, Span),
    /// pwrite(2) to a file in memory or on the disk: bytes that follow from the number.
    WriteFile(usize, Span, u64),
    /// fsync(2) of a file on the disk, and of what came of its writes.
    Sync(usize, DiskResult),
    /// The kernel begins to write so many dirty pages of a file back.
    Flush(usize, u64),
    /// The oldest write but `skip` ends.
    FinishWrite {
        /// How many older ones wait on.
        skip: usize,
        /// How it ends.
        result: DiskResult,
    },
    /// The page cache gives up to so many pages of a file back.
    GiveBack(usize, u64),
    /// The page cache drops those of some pages of a file that are clean and nobody's: POSIX_FADV_DONTNEED.
    DropUnused(usize, Span),
    /// The page cache drops what it can of some pages of a file, as a write past it has it do.
    Invalidate(usize, Span),
    /// The kernel takes a block of 2^order frames.
    Hoard(u32),
    /// The kernel takes single frames until so many are left.
    LeaveFree(usize),
    /// The kernel gives back all that it took.
    Release,
    /// One frame is refused: that behind so many others, in the first operation from now on that takes so many.
    RefuseFrame(u32),
    /// Allocations of the kernel's heap fail, in the first operation from now on that makes so many.
    FailHeap(Failing),
}

/// What becomes of a file's length when pages behind its end are reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// It reaches that far.
    Grows,
    /// It stays: FALLOC_FL_KEEP_SIZE.
    Stays,
}

/// What setrlimit(2) may limit of a process's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// RLIMIT_AS.
    AddressSpace,
    /// RLIMIT_DATA.
    Data,
    /// The hard limit of RLIMIT_DATA.
    DataHard,
    /// RLIMIT_STACK.
    Stack,
    /// RLIMIT_MEMLOCK.
    Locked,
}

/// Which of an operation's allocations fail; the first is number 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failing {
    /// This one alone: memory comes back at once.
    Only(u64),
    /// This one and every later one.
    From(u64),
}

/// What happens while a device has a page of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meanwhile {
    /// Nothing.
    Nothing,
    /// The process forks this one.
    Forks(Pid),
    /// The page is unmapped.
    Unmaps,
    /// The program stores to another word of the page.
    Stores,
    /// All that is dirty is written back.
    WritesBack,
}

/// For whom the kernel reads or writes a process's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// For the process itself.
    Own,
    /// For another one, as far as the areas allow that.
    Granted,
    /// For another one, whatever the areas say.
    Forced,
}

/// Some bytes of an address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first one's address.
    pub address: u64,
    /// How many.
    pub length: u64,
}

/// The arguments of `mmap`.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Where, and how much.
    pub span: Span,
    /// How binding the address is.
    pub place: Place,
    /// What may be done with the pages.
    pub rights: Rights,
    /// MAP_GROWSDOWN.
    pub growth: Growth,
    /// Whether the promise is accounted.
    pub reserve: Reserve,
    /// Who sees what is stored.
    pub sharing: Sharing,
    /// Where the contents come from.
    pub source: Source,
    /// MAP_POPULATE.
    pub populate: Populate,
    /// Whose it is.
    pub nature: Nature,
}

/// Whose an area is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// The program's.
    Own,
    /// The kernel put its one page there, as `[vdso]`.
    Special,
    /// The same, and it is no memory that is counted, or looked at by others, as `[vvar]`.
    Raw,
}

/// How binding the address of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A hint; 0 for none.
    Hint,
    /// MAP_FIXED.
    Fixed,
    /// MAP_FIXED_NOREPLACE.
    NoReplace,
    /// MAP_32BIT.
    Low,
}

/// Whether an area grows down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// It stays as it is.
    Fixed,
    /// It grows on a fault below it.
    Down,
}

/// Whether a promise of memory is accounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserve {
    /// It is.
    Accounted,
    /// MAP_NORESERVE.
    Not,
}

/// Who sees what is stored in an area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Its process alone: MAP_PRIVATE.
    Private,
    /// All who map the file: MAP_SHARED. A file of an archive was opened for reading.
    Shared,
}

/// Whether pages are touched in advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Populate {
    /// On first use.
    Lazy,
    /// At once, as far as memory goes.
    Now,
}

/// Where an area's contents come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Zeroes.
    Zero,
    /// Zeroes of `/dev/zero`, which private mappings alone show.
    ZeroDevice {
        /// In pages.
        offset: u64,
    },
    /// A file's pages from number `offset` on.
    File {
        /// Which file.
        file: usize,
        /// In pages.
        offset: u64,
    },
}

/// Which pages `mprotect` means beside those named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// None.
    Named,
    /// PROT_GROWSDOWN.
    GrowsDown,
}

/// A set of PROT_READ, PROT_WRITE and PROT_EXEC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights(pub u8);

impl Rights {
    /// PROT_NONE.
    pub const NONE: Self = Self(0);
    /// PROT_READ.
    pub const R: Self = Self(1);
    /// PROT_WRITE.
    pub const W: Self = Self(2);
    /// PROT_EXEC.
    pub const X: Self = Self(4);
    /// Read and write.
    pub const RW: Self = Self(3);
    /// Read and execute.
    pub const RX: Self = Self(5);
    /// All three.
    pub const RWX: Self = Self(7);

    /// Whether every right of `other` is in the set.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// An instruction's access to a word.
#[derive(Clone, Copy, Debug)]
pub struct Touch {
    /// The word's address, a multiple of 8.
    pub address: u64,
    /// What is done.
    pub kind: Kind,
    /// How the disk behaves, should a page have to be read.
    pub disk: Disk,
}

/// What an instruction does with memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Loads the word.
    Read,
    /// Stores this word.
    Write(u64),
    /// Fetches from the word.
    Execute,
}

/// A signal that a wrong access earns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGSEGV with SEGV_MAPERR.
    MapErr,
    /// SIGSEGV with SEGV_ACCERR.
    AccErr,
    /// SIGBUS with BUS_ADRERR.
    Bus,
}

/// How the disk answers a read that a fault asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    /// At once.
    Prompt,
    /// Later: the process sleeps, its instruction did not happen.
    Late,
    /// At once, with an error.
    Broken,
}

/// How a read ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskResult {
    /// With the page.
    Done,
    /// With an error.
    Failed,
}

/// Another thread's access to the same page, in the middle of a fault: just as the fault clears or copies a frame.
#[derive(Clone, Copy, Debug)]
pub struct Rival {
    /// Its CPU.
    pub cpu: usize,
    /// Which word of the page.
    pub word: u64,
    /// What it does.
    pub kind: Kind,
}
