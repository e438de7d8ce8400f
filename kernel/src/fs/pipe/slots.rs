//! What is in a pipe: a queue of pages, each with the bytes of it that nobody read yet.
//!
//! A write puts its bytes into pages of its own, unless the last page has room for all of what it has beyond whole pages:
//! that is Linux's rule, and programs that fill pipes can tell. Bytes that share a page are never torn apart by another
//! writer, which is why PIPE_BUF is a page. Pure: tested on the workstation.
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::cell::Cell;
use core::ops::Range;

/// Bytes in a page.
pub(crate) const PAGE: usize = 4096;

/// A page of bytes on their way.
pub(crate) struct Slot {
    page: Box<[u8; PAGE]>,
    unread: Range<usize>,
    kind: Write,
}

/// How writes become slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// Bytes follow bytes.
    Stream,
    /// Each write is a packet, and a read takes one (O_DIRECT).
    Packets,
    /// Pages that came by splice(2): nothing joins them.
    Pages,
}

/// No memory for a page, or for the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoMemory;

impl Slot {
    /// An empty page.
    pub(crate) fn try_new(kind: Write) -> Result<Self, NoMemory> {
        let page = Box::try_new([0; PAGE]).map_err(|_| NoMemory)?;
        Ok(Self {
            page,
            unread: 0..0,
            kind,
        })
    }

    /// The page, to be filled from its start.
    pub(crate) fn room(&mut self) -> &mut [u8; PAGE] {
        &mut self.page
    }

    /// The first `count` bytes were filled.
    pub(crate) fn set_filled(&mut self, count: usize) {
        self.unread = 0..count;
    }

    pub(crate) fn unread(&self) -> &[u8] {
        &self.page[self.unread.clone()]
    }

    /// The same, for a transfer.
    pub(crate) fn unread_cells(&mut self) -> &[Cell<u8>] {
        Cell::from_mut(&mut self.page[self.unread.clone()]).as_slice_of_cells()
    }

    /// The first `count` bytes of the page, for a transfer that fills them.
    pub(crate) fn room_cells(&mut self, count: usize) -> &[Cell<u8>] {
        Cell::from_mut(&mut self.page[..count]).as_slice_of_cells()
    }

    /// A page of its own with up to `most` of the bytes that nobody read.
    pub(crate) fn copy(&self, most: usize) -> Result<Self, NoMemory> {
        let mut copy = Self::try_new(match self.kind {
            Write::Packets => Write::Packets,
            Write::Stream | Write::Pages => Write::Pages,
        })?;
        let count = self.unread.len().min(most);
        copy.page[..count].copy_from_slice(&self.unread()[..count]);
        copy.unread = 0..count;
        Ok(copy)
    }

    /// The first `count` bytes were read.
    pub(crate) fn consume(&mut self, count: usize) {
        self.unread.start += count;
    }

    pub(crate) fn is_packet(&self) -> bool {
        self.kind == Write::Packets
    }

    /// Whether `count` bytes more fit behind those that are there.
    fn takes(&self, count: usize) -> bool {
        self.kind == Write::Stream && self.unread.end + count <= PAGE
    }
}

/// The queue.
pub(crate) struct Slots {
    queue: VecDeque<Slot>,
    capacity: usize,
    /// A reader has the first slot in its hands.
    lent: bool,
    /// A page that was read, for the next write: a pipe that is never full needs no other.
    spare: Option<Slot>,
}

impl Slots {
    /// Room for `capacity` slots.
    pub(crate) fn try_new(capacity: usize) -> Result<Self, NoMemory> {
        let mut queue = VecDeque::new();
        queue.try_reserve_exact(capacity).map_err(|_| NoMemory)?;
        Ok(Self {
            queue,
            capacity,
            lent: false,
            spare: None,
        })
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    fn used(&self) -> usize {
        self.queue.len() + usize::from(self.lent)
    }

    /// Gives the pipe room for `capacity` slots; false where more are in use.
    pub(crate) fn resize(&mut self, capacity: usize) -> Result<bool, NoMemory> {
        if capacity < self.used() {
            return Ok(false);
        }
        let more = capacity.saturating_sub(self.queue.len());
        self.queue.try_reserve_exact(more).map_err(|_| NoMemory)?;
        self.capacity = capacity;
        Ok(true)
    }

    /// Bytes that nobody read yet.
    pub(crate) fn unread(&self) -> usize {
        self.queue.iter().map(|slot| slot.unread.len()).sum()
    }

    /// Nothing is there, and nobody is reading what was.
    pub(crate) fn is_empty(&self) -> bool {
        self.used() == 0
    }

    /// Whether a reader would get something.
    pub(crate) fn can_lend(&self) -> bool {
        !self.lent && !self.queue.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.used() >= self.capacity
    }

    /// Whether the last slot takes `count` bytes more: what a write has beyond whole pages.
    pub(crate) fn merges(&self, count: usize) -> bool {
        count > 0 && self.queue.back().is_some_and(|last| last.takes(count))
    }

    /// Adds bytes behind the last one, in its slot; [`Self::merges`] said that they fit.
    pub(crate) fn merge(&mut self, bytes: &[u8]) {
        if let Some(last) = self.queue.back_mut() {
            let end = last.unread.end + bytes.len();
            last.page[last.unread.end..end].copy_from_slice(bytes);
            last.unread.end = end;
        }
    }

    /// Adds a slot; the pipe is not full.
    pub(crate) fn push(&mut self, slot: Slot) {
        self.queue.push_back(slot);
    }

    /// Lends the first slot to a reader; `None` where there is none, or it is lent.
    pub(crate) fn lend(&mut self) -> Option<Slot> {
        if self.lent {
            return None;
        }
        let slot = self.queue.pop_front()?;
        self.lent = true;
        Some(slot)
    }

    /// Slot `number` from the first on, unless the first is lent.
    pub(crate) fn get(&self, number: usize) -> Option<&Slot> {
        self.queue.get(number).filter(|_| !self.lent)
    }

    /// Takes the lent slot back, with what is left of it.
    pub(crate) fn give_back(&mut self, slot: Slot) {
        self.lent = false;
        if !slot.unread.is_empty() {
            self.queue.push_front(slot);
        } else {
            self.spare = Some(slot);
        }
    }

    /// The page that the last reader emptied, for another write; what was in it is as good as gone.
    pub(crate) fn take_spare(&mut self, kind: Write) -> Option<Slot> {
        let spare = self.spare.take()?;
        let (page, unread) = (spare.page, 0..0);
        Some(Slot { page, unread, kind })
    }
}
