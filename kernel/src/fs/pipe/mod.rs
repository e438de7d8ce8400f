//! Pipes: bytes from writers to readers, see pipe(7). Those with a name (fifo.rs) may be opened any number of times.
//!
//! Bytes move between ring 3 and pages that only the mover knows, so nothing is locked meanwhile: a writer fills a page and
//! adds it, a reader borrows the first page and gives the rest of it back. Each change wakes who waits for one.
mod fifo;
mod slots;
mod splice;

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use abi::Errno;
use abi::general::{
    O_DIRECT, O_NONBLOCK, O_RDONLY, O_WRONLY, POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM,
    POLLWRNORM, S_IFIFO,
};

pub(crate) use self::fifo::Fifo;
use self::slots::{NoMemory, Slots};
pub(crate) use self::slots::{PAGE, Slot, Write};
pub(crate) use self::splice::Put;
use super::buffers::Buffers;
use super::inode::Inode;
use super::open::{Kind, OpenFile, Status, Step, Wakes};
use crate::lock::{IrqLock, Rank};
use crate::process::waiting;

/// Slots of a new pipe: 64 KiB.
const USUAL: usize = 16;

/// Slots of the largest pipe, Linux's pipe-max-size: 1 MiB.
const MOST: usize = 256;

/// The number of the next one.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A pipe between its two ends.
pub(crate) struct Pipe {
    state: IrqLock<State>,
    number: u64,
}

struct State {
    slots: Slots,
    readers: Users,
    writers: Users,
}

/// Those who have one side of a pipe open.
#[derive(Clone, Copy, Default)]
struct Users {
    now: u32,
    /// How often it was opened.
    ever: u32,
}

impl Users {
    fn add(&mut self) {
        self.now += 1;
        self.ever = self.ever.wrapping_add(1);
    }

    fn is_some(self) -> bool {
        self.now > 0
    }
}

/// The end that is read from.
struct ReadEnd {
    pipe: Arc<Pipe>,
    named: Option<Arc<dyn Inode>>,
    /// Where nobody had written when it was opened: how many writers there had been. Until another comes, that there is
    /// none does not count as an end.
    unwritten: Option<u32>,
}

/// The end that is written to.
struct WriteEnd {
    pipe: Arc<Pipe>,
    named: Option<Arc<dyn Inode>>,
    write: Write,
}

/// A new pipe's ends, for reading and for writing, with pipe2(2)'s `flags`.
pub(crate) fn open(flags: u32) -> Result<[Arc<OpenFile>; 2], Errno> {
    let pipe = Pipe::try_new().map_err(|NoMemory| Errno::ENOMEM)?;
    let write = if flags & O_DIRECT != 0 {
        Write::Packets
    } else {
        Write::Stream
    };
    let flags = flags & (O_NONBLOCK | O_DIRECT);
    let from = ReadEnd::new(pipe.clone(), None);
    let to = WriteEnd::new(pipe, None, write);
    let from = OpenFile::try_new(from, flags | O_RDONLY).map_err(|_| Errno::ENOMEM)?;
    let to = OpenFile::try_new(to, flags | O_WRONLY).map_err(|_| Errno::ENOMEM)?;
    Ok([from, to])
}

impl Pipe {
    fn try_new() -> Result<Arc<Self>, NoMemory> {
        let state = State {
            slots: Slots::try_new(USUAL)?,
            readers: Users::default(),
            writers: Users::default(),
        };
        let pipe = Self {
            state: IrqLock::new(Rank::Files, state),
            number: NEXT.fetch_add(1, Relaxed),
        };
        Arc::try_new(pipe).map_err(|_| NoMemory)
    }

    /// How many bytes it holds at most: F_GETPIPE_SZ.
    pub(crate) fn size(&self) -> u64 {
        (self.state.lock().slots.capacity() * PAGE) as u64
    }

    /// Gives it room for `size` bytes or a little more: F_SETPIPE_SZ.
    pub(crate) fn set_size(&self, size: u32) -> Result<u64, Errno> {
        let slots = (size as usize).div_ceil(PAGE).next_power_of_two();
        if slots > MOST {
            return Err(Errno::EPERM);
        }
        let resized = self.state.lock().slots.resize(slots);
        let fits = resized.map_err(|NoMemory| Errno::ENOMEM)?;
        self.changed();
        if fits {
            Ok(self.size())
        } else {
            Err(Errno::EBUSY)
        }
    }

    /// What those who wait for it wait for.
    pub(crate) fn key(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    fn changed(&self) {
        waiting::wake(self.key());
    }

    /// What stat(2) says: of the name that it has, if it has one.
    fn status(&self, named: Option<&Arc<dyn Inode>>) -> Status {
        if let Some(inode) = named {
            return inode.status();
        }
        Status {
            device: 3,
            number: self.number,
            links: 1,
            mode: S_IFIFO | 0o600,
            block_size: mm::PAGE_SIZE,
            ..Status::default()
        }
    }

    fn unread(&self) -> u64 {
        self.state.lock().slots.unread() as u64
    }

    /// The first page with bytes, until it comes back; `None` where nothing is there now.
    pub(crate) fn lend(&self) -> Lent {
        let mut state = self.state.lock();
        if state.slots.is_empty() && !state.writers.is_some() {
            return Lent::End;
        }
        match state.slots.lend() {
            Some(slot) => Lent::Slot(slot),
            None => Lent::Nothing,
        }
    }

    /// Takes it back, with what was not read of it.
    pub(crate) fn give_back(&self, slot: Slot) {
        self.state.lock().slots.give_back(slot);
        self.changed();
    }

    /// Puts the filled `slot` into the pipe, or says why not.
    fn add(&self, slot: Slot, beyond_pages: usize) -> Result<Step, Errno> {
        let mut spare = None;
        let mut state = self.state.lock();
        if !state.readers.is_some() {
            return Err(Errno::EPIPE);
        }
        if slot.unread().len() == beyond_pages && state.slots.merges(beyond_pages) {
            state.slots.merge(slot.unread());
            // Freed when the lock is.
            spare = Some(slot);
        } else if state.slots.is_full() {
            return Ok(Step::Blocked);
        } else {
            state.slots.push(slot);
        }
        drop(state);
        drop(spare);
        self.changed();
        Ok(Step::More)
    }

    /// Whether the last page takes what a write has beyond whole pages.
    fn merges(&self, beyond_pages: usize) -> bool {
        self.state.lock().slots.merges(beyond_pages)
    }

    /// Whether a write with so many bytes beyond whole pages can go on.
    fn may_add(&self, beyond_pages: usize) -> Result<Step, Errno> {
        let state = self.state.lock();
        if !state.readers.is_some() {
            return Err(Errno::EPIPE);
        }
        let goes_on = !state.slots.is_full() || state.slots.merges(beyond_pages);
        Ok(if goes_on { Step::More } else { Step::Blocked })
    }
}

/// What a reader gets.
pub(crate) enum Lent {
    Slot(Slot),
    /// Nothing now.
    Nothing,
    /// Nothing any more.
    End,
}

impl ReadEnd {
    fn new(pipe: Arc<Pipe>, named: Option<Arc<dyn Inode>>) -> Self {
        let unwritten = {
            let mut state = pipe.state.lock();
            state.readers.add();
            let writers = state.writers;
            (named.is_some() && !writers.is_some()).then_some(writers.ever)
        };
        pipe.changed();
        Self {
            pipe,
            named,
            unwritten,
        }
    }
}

impl WriteEnd {
    fn new(pipe: Arc<Pipe>, named: Option<Arc<dyn Inode>>, write: Write) -> Self {
        pipe.state.lock().writers.add();
        pipe.changed();
        Self { pipe, named, write }
    }
}

impl Kind for ReadEnd {
    fn status(&self) -> Status {
        self.pipe.status(self.named.as_ref())
    }

    /// Takes what is there, up to the end of a packet.
    fn read(&self, _at: u64, into: &mut Buffers<'_>) -> Result<Step, Errno> {
        if into.left() == 0 {
            return Ok(Step::Done);
        }
        let mut slot = match self.pipe.lend() {
            Lent::End => return Ok(Step::Done),
            Lent::Nothing => return Ok(Step::Blocked),
            Lent::Slot(slot) => slot,
        };
        let stored = into.fill(slot.unread());
        let is_packet = slot.is_packet();
        if let Ok(count) = stored {
            slot.consume(if is_packet {
                slot.unread().len()
            } else {
                count
            });
        }
        self.pipe.give_back(slot);
        stored.map(|_| if is_packet { Step::Done } else { Step::More })
    }

    fn wakes(&self) -> Wakes {
        Wakes::Change(self.pipe.key())
    }

    fn ready(&self) -> u32 {
        let state = self.pipe.state.lock();
        let mut events = 0;
        if state.slots.can_lend() {
            events |= POLLIN | POLLRDNORM;
        }
        if !state.writers.is_some() && self.unwritten != Some(state.writers.ever) {
            events |= POLLHUP;
        }
        events
    }

    fn unread(&self, _at: u64) -> Option<u64> {
        Some(self.pipe.unread())
    }

    fn pipe(&self) -> Option<&Pipe> {
        Some(&self.pipe)
    }
}

impl Kind for WriteEnd {
    fn status(&self) -> Status {
        self.pipe.status(self.named.as_ref())
    }

    /// Adds one page at most.
    fn write(&self, _at: u64, from: &mut Buffers<'_>) -> Result<Step, Errno> {
        if from.left() == 0 {
            return Ok(Step::Done);
        }
        // As on Linux, what a write has beyond whole pages may join the last page only before those.
        let beyond_pages = match self.write {
            Write::Stream if from.moved() == 0 => from.left() as usize % PAGE,
            _ => 0,
        };
        if self.pipe.may_add(beyond_pages)? == Step::Blocked {
            return Ok(Step::Blocked);
        }
        let start = *from;
        let spare = self.pipe.state.lock().slots.take_spare(self.write);
        let mut slot = match spare {
            Some(slot) => slot,
            None => Slot::try_new(self.write).map_err(|NoMemory| Errno::ENOMEM)?,
        };
        let wanted = match beyond_pages {
            0 => PAGE,
            _ if self.pipe.merges(beyond_pages) => beyond_pages,
            _ => PAGE,
        };
        let count = from.take(&mut slot.room()[..wanted])?;
        slot.set_filled(count);
        let added = self.pipe.add(slot, beyond_pages);
        if added != Ok(Step::More) {
            *from = start;
        }
        added
    }

    fn wakes(&self) -> Wakes {
        Wakes::Change(self.pipe.key())
    }

    fn ready(&self) -> u32 {
        let state = self.pipe.state.lock();
        let mut events = 0;
        if !state.slots.is_full() {
            events |= POLLOUT | POLLWRNORM;
        }
        if !state.readers.is_some() {
            events |= POLLERR;
        }
        events
    }

    fn unread(&self, _at: u64) -> Option<u64> {
        Some(self.pipe.unread())
    }

    fn pipe(&self) -> Option<&Pipe> {
        Some(&self.pipe)
    }
}

impl Drop for ReadEnd {
    fn drop(&mut self) {
        self.pipe.state.lock().readers.now -= 1;
        self.pipe.changed();
    }
}

impl Drop for WriteEnd {
    fn drop(&mut self) {
        self.pipe.state.lock().writers.now -= 1;
        self.pipe.changed();
    }
}
