//! Slabs: frames cut into objects of one size, with no memory spent on the cutting.
//!
//! What is to know of a slab stands in its frame's record ([`State`] and the neighbours in the list of slabs with room);
//! a free object holds the number of the next free one in its first word. Objects that were never used are not in that
//! list but above a mark, so a new slab costs nothing to set up, and an empty one goes back to the buddy at once: free
//! memory is then exactly what it was. All of it is safe code on `mm`'s terms, and so it runs in tests on the
//! workstation.
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use mm::machine::Machine;
use mm::{Frame, FrameRecord, Memory, PAGE_SIZE};

use super::sizes::SIZES;

/// No frame: the end of a list.
const NIL: u32 = u32::MAX;

/// No object: the end of a slab's list of free ones.
const NONE: u32 = 0x1ff;

/// Where an object lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The slab.
    pub(crate) frame: Frame,
    /// Bytes from the slab's beginning.
    pub(crate) offset: usize,
}

/// A slab's own numbers, as they stand in the record's `private` word: 9 bits each, and 5 for the class.
#[derive(Clone, Copy)]
struct State {
    /// The first of the free objects that were used before.
    free: u32,
    /// Objects in use.
    live: u32,
    /// Objects that were ever used: those above are free.
    used: u32,
    class: u32,
}

impl State {
    fn load(record: &FrameRecord) -> Self {
        let bits = record.private.load(Relaxed);
        Self {
            free: bits & 0x1ff,
            live: bits >> 9 & 0x1ff,
            used: bits >> 18 & 0x1ff,
            class: bits >> 27,
        }
    }

    fn store(self, record: &FrameRecord) {
        record.private.store(
            self.free | self.live << 9 | self.used << 18 | self.class << 27,
            Relaxed,
        );
    }
}

/// Neighbours in the list of slabs with room, as they stand in the record's `owner` word.
#[derive(Clone, Copy)]
struct Links {
    prev: u32,
    next: u32,
}

impl Links {
    fn load(record: &FrameRecord) -> Self {
        let bits = record.owner.load(Relaxed);
        Self {
            prev: bits as u32,
            next: (bits >> 32) as u32,
        }
    }

    fn store(self, record: &FrameRecord) {
        record
            .owner
            .store(u64::from(self.prev) | u64::from(self.next) << 32, Relaxed);
    }
}

/// All objects of one size. The caller's lock guards it and the records of its slabs.
pub(crate) struct Class {
    index: usize,
    /// The first slab with room, by number.
    first: u32,
    slabs: usize,
    objects: usize,
}

impl Class {
    /// The class of objects of `SIZES[index]` bytes, without any.
    pub(crate) const fn new(index: usize) -> Self {
        Self {
            index,
            first: NIL,
            slabs: 0,
            objects: 0,
        }
    }

    /// Slabs held and objects in use.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.slabs, self.objects)
    }

    /// An object with undefined contents, or `None` where no frame is left.
    pub(crate) fn allocate<M: Machine>(&mut self, memory: &Memory<M>) -> Option<Place> {
        let frame = memory
            .kernel_block(self.first)
            .or_else(|| self.grow(memory))?;
        let record = memory.record(frame);
        let mut state = State::load(record);
        let object = if state.free == NONE {
            state.used += 1;
            state.used - 1
        } else {
            state.free
        };
        let place = Place {
            frame,
            offset: object as usize * self.size(),
        };
        if object == state.free {
            state.free = link(memory, place).load(Relaxed) as u32;
        }
        state.live += 1;
        state.store(record);
        if state.live == self.capacity() {
            self.unlist(memory, frame);
        }
        self.objects += 1;
        Some(place)
    }

    /// Takes an object back.
    pub(crate) fn free<M: Machine>(&mut self, memory: &Memory<M>, place: Place) {
        let record = memory.record(place.frame);
        let mut state = State::load(record);
        let object = (place.offset / self.size()) as u32;
        let is_ours = state.class as usize == self.index && object < state.used && state.live > 0;
        assert!(
            is_ours && place.offset.is_multiple_of(self.size()),
            "{place:?} is freed as an object of {} bytes; its slab has {} in use, of class {}",
            self.size(),
            state.live,
            state.class,
        );
        let was_full = state.live == self.capacity();
        link(memory, place).store(u64::from(state.free), Relaxed);
        state.free = object;
        state.live -= 1;
        state.store(record);
        self.objects -= 1;
        match (was_full, state.live) {
            (true, _) => self.list(memory, place.frame),
            (false, 0) => self.shrink(memory, place.frame),
            (false, _) => {}
        }
    }

    fn size(&self) -> usize {
        SIZES[self.index]
    }

    fn capacity(&self) -> u32 {
        (PAGE_SIZE as usize / self.size()) as u32
    }

    /// Makes a slab of a fresh frame.
    fn grow<M: Machine>(&mut self, memory: &Memory<M>) -> Option<Frame> {
        let frame = memory.allocate(0).ok()?;
        State {
            free: NONE,
            live: 0,
            used: 0,
            class: self.index as u32,
        }
        .store(memory.record(frame));
        self.list(memory, frame);
        self.slabs += 1;
        Some(frame)
    }

    /// Gives an empty slab back.
    fn shrink<M: Machine>(&mut self, memory: &Memory<M>, frame: Frame) {
        self.unlist(memory, frame);
        self.slabs -= 1;
        memory.free(frame);
    }

    /// Puts a slab on the list of those with room.
    fn list<M: Machine>(&mut self, memory: &Memory<M>, frame: Frame) {
        Links {
            prev: NIL,
            next: self.first,
        }
        .store(memory.record(frame));
        if let Some(second) = record(memory, self.first) {
            Links {
                prev: frame.number(),
                ..Links::load(second)
            }
            .store(second);
        }
        self.first = frame.number();
    }

    /// Takes a slab off that list.
    fn unlist<M: Machine>(&mut self, memory: &Memory<M>, frame: Frame) {
        let Links { prev, next } = Links::load(memory.record(frame));
        match record(memory, prev) {
            Some(before) => Links {
                next,
                ..Links::load(before)
            }
            .store(before),
            None => self.first = next,
        }
        if let Some(after) = record(memory, next) {
            Links {
                prev,
                ..Links::load(after)
            }
            .store(after);
        }
    }
}

/// The record of a slab that a link names; `None` at the end of the list.
fn record<M: Machine>(memory: &Memory<M>, number: u32) -> Option<&FrameRecord> {
    memory.machine.mem_map().get(number as usize)
}

/// The word of a free object that holds the number of the next.
fn link<M: Machine>(memory: &Memory<M>, place: Place) -> &AtomicU64 {
    &memory.machine.words(place.frame)[place.offset / size_of::<u64>()]
}
