//! Open files: what descriptors of several processes may share, and what each kind of them can do.
//!
//! A kind answers for itself, in a file of its own; what it does not say is what Linux answers for files that can't. No
//! method waits: one that can't go on says [`Step::Blocked`], and its caller, who holds no lock, waits for what
//! [`Kind::wakes`] names.
use alloc::sync::Arc;
use core::ops::Range;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use abi::Errno;
use abi::general::{
    O_ACCMODE, O_APPEND, O_DIRECT, O_NOATIME, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR, O_WRONLY,
    POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM,
};
use mm::OutOfMemory;
use mm::opening::Opening;
use mm::page_cache::{CachedFile, Seen};

use super::buffers::Buffers;
use super::gate::{Gate, Turn};
use super::inode::Change;
use super::locks::Description;
use super::locks::table::Owner;
use super::memfd::Memfd;
use super::mount::Writer;
use super::paged::{self, Reader};
use super::pipe::Pipe;
use super::place::Place;
use super::reached::Reached;
use super::signalfd::Signalfd;
pub(crate) use super::status::{Status, nameless};
use super::timerfd::Timerfd;
use crate::block::Volume;
use crate::lock::{IrqLock, Rank};
use crate::process::Process;

/// What fcntl(2) may change of a file's flags.
const CHANGEABLE: u32 = O_APPEND | O_DIRECT | O_NOATIME | O_NONBLOCK;

/// What poll(2) says of a file that never makes anybody wait.
const ALWAYS: u32 = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;

/// The longest file, in bytes.
pub(crate) const MAX_SIZE: u64 = i64::MAX as u64;

/// An open file description.
pub(crate) struct OpenFile<K: ?Sized = dyn Kind> {
    /// What was opened, if it was by a path.
    pub(crate) place: Option<Place>,
    /// The opening, as mappings of the file know it: with the entry by which it was reached, if its file system has that.
    pub(crate) opening: Opening,
    /// Its mount can be written to as long as this is open, where it may be written.
    _writer: Option<Writer>,
    /// Where the next `read` begins, in bytes.
    position: AtomicU64,
    /// Held by who reads the position and moves it on.
    moving: Gate<()>,
    /// Access mode and flags, as open(2) has them.
    flags: AtomicU32,
    /// What it is to locks, unless its opening is that.
    description: Description,
    /// Which failures to write its pages are known to whoever has it open.
    seen: IrqLock<Option<Seen>>,
    /// What is open.
    pub(crate) kind: K,
}

/// How far a transfer got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is over.
    Done,
    /// There may be more; others may want to run first.
    More,
    /// It can't go on before something changes.
    Blocked,
}

/// Who lets a blocked transfer go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wakes {
    /// Whoever changes the thing with this key.
    Change(usize),
    /// A device, which has to be asked.
    Device,
}

/// Whether a file has a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Any byte can be reached, and there are so many.
    Random(u64),
    /// Any byte can be reached, and nobody knows before reading how many there are.
    Endless,
    /// Bytes come as they come.
    Stream,
}

/// What fallocate(2) is to do with a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allocation {
    /// Reserve it; the file reaches to its end.
    Extend,
    /// Reserve it, and leave the length alone.
    Keep,
    /// Make it a hole.
    PunchHole,
}

/// A kind of open file.
pub(crate) trait Kind: Send + Sync {
    /// What stat(2) says of it.
    fn status(&self) -> Status;

    /// Whether it has a position.
    fn order(&self) -> Order {
        Order::Stream
    }

    /// Moves bytes from position `at` on to ring 3.
    fn read(&self, _at: u64, _into: &mut Buffers<'_>) -> Result<Step, Errno> {
        Err(Errno::EINVAL)
    }

    /// Moves bytes of ring 3's to position `at`.
    fn write(&self, _at: u64, _from: &mut Buffers<'_>) -> Result<Step, Errno> {
        Err(Errno::EINVAL)
    }

    /// The same as `read` for who asked for O_DIRECT: all of it at once, past the page cache, where there is one.
    fn read_direct(&self, at: u64, into: &mut Buffers<'_>) -> Result<Step, Errno> {
        self.read(at, into)
    }

    /// The same as `write`, in that way.
    fn write_direct(&self, at: u64, from: &mut Buffers<'_>) -> Result<Step, Errno> {
        self.write(at, from)
    }

    /// Who lets a blocked transfer go on.
    fn wakes(&self) -> Wakes {
        Wakes::Device
    }

    /// What poll(2) says of it.
    fn ready(&self) -> u32 {
        ALWAYS
    }

    /// What a reader at `at` has before it: FIONREAD.
    fn unread(&self, at: u64) -> Option<u64> {
        match self.order() {
            Order::Random(size) => Some(size.wrapping_sub(at)),
            Order::Endless | Order::Stream => None,
        }
    }

    /// The pages that mmap(2) shows.
    fn pages(&self) -> Option<&Arc<CachedFile>> {
        None
    }

    /// How far ahead calls read of it, where it lies on a disk.
    fn reader(&self) -> Option<&Reader> {
        None
    }

    /// Whether mmap(2) of it is memory without a file.
    fn is_zeroes(&self) -> bool {
        false
    }

    /// Whether RLIMIT_FSIZE is about it.
    fn is_regular(&self) -> bool {
        false
    }

    /// What a writer holds until its call is over, so that calls don't mix.
    fn writers_turn(&self) -> Option<Turn<'_, ()>> {
        None
    }

    /// Gives it another length: ftruncate(2).
    fn set_size(&self, _size: u64) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    /// fchmod(2) and its kin, where no inode has it that a path leads to.
    fn change(&self, _change: Change) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }

    /// Reserves bytes, or frees them: fallocate(2).
    fn allocate(&self, _bytes: Range<u64>, _how: Allocation) -> Result<(), Errno> {
        Err(Errno::ENODEV)
    }

    /// The memory file that it is.
    fn memfd(&self) -> Option<&Memfd> {
        None
    }

    /// The disk, or the part of one, that it is.
    fn volume(&self) -> Option<&Volume> {
        None
    }

    /// The process that it stands for.
    fn process(&self) -> Option<&Arc<Process>> {
        None
    }

    /// The timer that it is.
    fn timerfd(&self) -> Option<&Timerfd> {
        None
    }

    /// The signals that it is about.
    fn signalfd(&self) -> Option<&Signalfd> {
        None
    }

    /// The pipe that it is an end of.
    fn pipe(&self) -> Option<&Pipe> {
        None
    }

    /// Whether it is the console, of which terminals' questions may be asked.
    fn is_console(&self) -> bool {
        false
    }

    /// The next byte from `at` on that is no hole, SEEK_DATA. Most files have no holes.
    fn next_data(&self, at: u64) -> Option<u64> {
        match self.order() {
            Order::Random(size) if at < size => Some(at),
            _ => None,
        }
    }

    /// The next hole from `at` on, SEEK_HOLE: at the latest the end.
    fn next_hole(&self, at: u64) -> Option<u64> {
        match self.order() {
            Order::Random(size) if at < size => Some(size),
            _ => None,
        }
    }
}

impl<K: Kind + 'static> OpenFile<K> {
    /// An open file with open(2)'s `flags`.
    pub(crate) fn try_new(kind: K, flags: u32) -> Result<Arc<OpenFile>, OutOfMemory> {
        Self::with_place(kind, flags, (None, Opening::default()), None)
    }

    /// The same, opened by a path that led to `place`.
    pub(crate) fn at(place: &Place, kind: K, flags: u32) -> Result<Arc<OpenFile>, Errno> {
        let is_writer = kind.is_regular() && flags & O_ACCMODE != O_RDONLY;
        let writer = is_writer.then(|| place.mount.begin_writing());
        let opening = Reached::opening(place);
        let (place, writer) = (Some(place.clone()), writer.transpose()?);
        let opening = opening.map_err(|_| Errno::ENOMEM)?;
        Self::with_place(kind, flags, (place, opening), writer).map_err(|_| Errno::ENOMEM)
    }

    fn with_place(
        kind: K,
        flags: u32,
        (place, opening): (Option<Place>, Opening),
        writer: Option<Writer>,
    ) -> Result<Arc<OpenFile>, OutOfMemory> {
        let seen = kind.pages().map(|pages| pages.failures_seen());
        let file = Arc::try_new(Self {
            place,
            opening,
            _writer: writer,
            position: AtomicU64::new(0),
            moving: Gate::new(()),
            flags: AtomicU32::new(flags),
            description: Description::new(),
            seen: IrqLock::new(Rank::Files, seen),
            kind,
        });
        Ok(file.map_err(|_| OutOfMemory)?)
    }
}

impl OpenFile {
    /// In whose name locks are taken that belong to the open file.
    pub(crate) fn as_owner(&self) -> Result<Owner, Errno> {
        let opening = self.opening.get::<Reached>();
        let description = opening.map_or(&self.description, |opening| &opening.description);
        Ok(description.as_owner()?)
    }

    /// Waits until nobody else who has the file from the same open(2) is about to move its position. Streams have none, and
    /// their readers may sleep.
    pub(crate) fn position_turn(&self) -> Option<Turn<'_, ()>> {
        (self.kind.order() != Order::Stream).then(|| self.moving.enter())
    }

    /// Where the next transfer begins: 0 where there is no position.
    pub(crate) fn position(&self) -> u64 {
        self.position.load(Relaxed)
    }

    /// The next transfer begins at `position`.
    pub(crate) fn set_position(&self, position: u64) {
        self.position.store(position, Relaxed);
    }

    /// As open(2) has them.
    pub(crate) fn flags(&self) -> u32 {
        self.flags.load(Relaxed)
    }

    /// Changes what F_SETFL may.
    pub(crate) fn set_flags(&self, flags: u32) {
        let kept = self.flags() & !CHANGEABLE;
        self.flags.store(kept | flags & CHANGEABLE, Relaxed);
    }

    /// Whether transfers don't wait.
    pub(crate) fn is_nonblocking(&self) -> bool {
        self.flags() & O_NONBLOCK != 0
    }

    /// Whether it stands for a place, and for nothing that could be read: O_PATH.
    pub(crate) fn is_path(&self) -> bool {
        self.flags() & O_PATH != 0
    }

    /// Has what was stored in `bytes` of it survive the loss of power. `EIO` where some of it could not be written, once.
    pub(crate) fn sync(&self, bytes: &Range<u64>) -> Result<(), Errno> {
        let Some(file) = self.kind.pages() else {
            return Ok(());
        };
        let synced = paged::sync(file, bytes);
        self.check_failures()?;
        synced
    }

    /// `EIO` where a page of it could not be written since this was asked last.
    pub(crate) fn check_failures(&self) -> Result<(), Errno> {
        let mut seen = self.seen.lock();
        let file = self.kind.pages().zip(seen.as_mut());
        if file.is_some_and(|(file, seen)| file.has_failed_since(seen)) {
            Err(Errno::EIO)
        } else {
            Ok(())
        }
    }

    /// `EBADF` unless it was opened for reading.
    pub(crate) fn check_readable(&self) -> Result<(), Errno> {
        self.check([O_RDONLY, O_RDWR])
    }

    /// `EBADF` unless it was opened for writing.
    pub(crate) fn check_writable(&self) -> Result<(), Errno> {
        self.check([O_WRONLY, O_RDWR])
    }

    fn check(&self, modes: [u32; 2]) -> Result<(), Errno> {
        if modes.contains(&(self.flags() & O_ACCMODE)) && !self.is_path() {
            Ok(())
        } else {
            Err(Errno::EBADF)
        }
    }
}
