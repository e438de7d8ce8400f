//! The buddy allocator: free memory as blocks of 2^order frames, split in halves on demand and joined again on return.
//!
//! Blocks are aligned to their size, so a block's buddy differs from it in one bit of the frame number and joining needs
//! no search. Lists are linked through `mem_map`, which makes the allocator free of memory of its own. Nearly all
//! traffic is single frames; those pass through a small stack of frames per CPU, and the lock here is taken once for
//! every [`BATCH`] of them.
use core::fmt::{self, Display, Formatter};
use core::ops::Range;

use crate::MAX_CPUS;
use crate::frame::{Frame, FrameRecord, NIL, Use};
use crate::machine::Machine;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The largest order: blocks of 8 MiB, enough for the largest table that one process can make the kernel keep.
pub const MAX_ORDER: u32 = 11;

/// Frames that move between a CPU's cache and the lists at a time.
const BATCH: usize = 32;

/// Frames that a CPU's cache holds at most.
const CACHE: usize = 2 * BATCH;

/// Free frames, in blocks and in the caches of the CPUs.
///
/// Lock order: the CPUs' caches by number, then the lists. All are taken with interrupts off and held for a bounded time.
pub struct Buddy {
    lists: Mutex<FreeLists>,
    caches: [Mutex<CpuCache>; MAX_CPUS],
    /// Frames in the lists and in the caches together.
    free: AtomicUsize,
    managed: AtomicUsize,
}

impl Buddy {
    pub(crate) const fn new() -> Self {
        Self {
            lists: Mutex::new(FreeLists {
                heads: [NIL; MAX_ORDER as usize + 1],
            }),
            caches: [const { Mutex::new(CpuCache::new()) }; MAX_CPUS],
            free: AtomicUsize::new(0),
            managed: AtomicUsize::new(0),
        }
    }

    /// Frames that are free now.
    pub fn free_frames(&self) -> usize {
        self.free.load(Relaxed)
    }

    /// Frames that were ever given to the allocator.
    pub fn managed_frames(&self) -> usize {
        self.managed.load(Relaxed)
    }

    /// Takes frames `numbers` into management, as the largest aligned blocks that fit.
    pub(crate) fn add<M: Machine>(&self, machine: &M, numbers: Range<u32>) {
        let mut at = numbers.start;
        while at < numbers.end {
            let order = MAX_ORDER
                .min(at.trailing_zeros())
                .min((numbers.end - at).ilog2());
            machine.pinned(|_| self.lists.lock().insert(machine.mem_map(), at, order));
            at += 1 << order;
        }
        let count = numbers.len();
        self.managed.fetch_add(count, Relaxed);
        self.free.fetch_add(count, Relaxed);
    }

    /// A block of 2^`order` frames with one reference on its first, or `None` where no such block is left.
    pub(crate) fn allocate<M: Machine>(
        &self,
        machine: &M,
        order: u32,
        usage: Use,
    ) -> Option<Frame> {
        let map = machine.mem_map();
        let number = machine.pinned(|cpu| {
            if order == 0 {
                self.caches[cpu].lock().take(map, &self.lists)
            } else {
                self.lists.lock().take(map, order)
            }
        })?;
        Some(self.hand_out(map, number, order, usage))
    }

    /// The same once every CPU's cache was emptied into the lists: the last attempt.
    ///
    /// All locks are held at once, or another CPU would take what its own cache just gave up, and memory would have run
    /// out in spite of free frames.
    pub(crate) fn allocate_drained<M: Machine>(
        &self,
        machine: &M,
        order: u32,
        usage: Use,
    ) -> Option<Frame> {
        let map = machine.mem_map();
        let number = machine.pinned(|_| {
            let mut caches = self.caches.each_ref().map(Mutex::lock);
            let mut lists = self.lists.lock();
            for cache in &mut caches {
                cache.spill(map, &mut lists, CACHE);
            }
            lists.take(map, order)
        })?;
        Some(self.hand_out(map, number, order, usage))
    }

    fn hand_out(&self, map: &[FrameRecord], number: u32, order: u32, usage: Use) -> Frame {
        self.free.fetch_sub(1 << order, Relaxed);
        let record = &map[number as usize];
        record.set(usage, order);
        record.set_references(1);
        Frame::from_number(number)
    }

    /// Gives a block back. The caller held its last reference.
    pub(crate) fn release<M: Machine>(&self, machine: &M, frame: Frame) {
        let map = machine.mem_map();
        let record = &map[frame.number() as usize];
        let order = record.order();
        debug_assert_eq!(
            record.references(),
            0,
            "frame {} is freed while held",
            frame.number()
        );
        debug_assert_eq!(
            record.mappings(),
            0,
            "frame {} is freed while mapped",
            frame.number()
        );
        machine.pinned(|cpu| {
            if order == 0 {
                self.caches[cpu]
                    .lock()
                    .put(map, &self.lists, frame.number());
            } else {
                self.lists.lock().free(map, frame.number(), order);
            }
        });
        self.free.fetch_add(1 << order, Relaxed);
    }

    /// Walks every list, for the first contradiction.
    ///
    /// The answer is made of numbers: whoever words it may allocate, which needs the lists, and by then they are free.
    pub(crate) fn check<M: Machine>(&self, machine: &M) -> Result<(), Contradiction> {
        let map = machine.mem_map();
        let listed = machine.pinned(|_| self.lists.lock().check(map))?;
        let cached = self
            .caches
            .iter()
            .map(|cache| machine.pinned(|_| cache.lock().len))
            .sum();
        let counted = self.free_frames();
        if listed + cached == counted {
            return Ok(());
        }
        Err(Contradiction::Count {
            listed,
            cached,
            counted,
        })
    }
}

/// What can be wrong with the free lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contradiction {
    /// A block's record says that it stands on another list, or in another place on it.
    Misplaced {
        number: u32,
        order: u32,
        before: u32,
        recorded: (Use, u32, u32),
    },
    /// A block on a list is held.
    Held { number: u32, references: u32 },
    /// Lists and caches don't add up to the count of free frames.
    Count {
        listed: usize,
        cached: usize,
        counted: usize,
    },
}

impl Display for Contradiction {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Misplaced {
                number,
                order,
                before,
                recorded: (usage, its_order, prev),
            } => write!(
                f,
                "frame {number} on the free list of order {order} is {usage:?} of order {its_order}, after {prev} instead of {before}"
            ),
            Self::Held { number, references } => {
                write!(f, "frame {number} is free and has {references} references")
            }
            Self::Count {
                listed,
                cached,
                counted,
            } => write!(
                f,
                "{listed} frames in lists and {cached} in caches, but the count of free frames says {counted}"
            ),
        }
    }
}

/// One list of free blocks for each order.
struct FreeLists {
    heads: [u32; MAX_ORDER as usize + 1],
}

impl FreeLists {
    /// Takes a block of `order`, splitting a larger one where needed; the halves not taken go on their lists.
    fn take(&mut self, map: &[FrameRecord], order: u32) -> Option<u32> {
        let found = (order..=MAX_ORDER).find(|&larger| self.heads[larger as usize] != NIL)?;
        let number = self.heads[found as usize];
        self.remove(map, number, found);
        for half in (order..found).rev() {
            self.insert(map, number + (1 << half), half);
        }
        Some(number)
    }

    /// Puts a block back, joined with its buddy as often as that one is free and whole.
    fn free(&mut self, map: &[FrameRecord], mut number: u32, mut order: u32) {
        // Nothing of its past life stays, wherever in a larger block it ends up.
        map[number as usize].set(Use::FreeTail, 0);
        while order < MAX_ORDER {
            let buddy = number ^ 1 << order;
            let Some(record) = map.get(buddy as usize) else {
                break;
            };
            if record.usage() != Use::FreeBlock || record.order() != order {
                break;
            }
            self.remove(map, buddy, order);
            number = number.min(buddy);
            order += 1;
        }
        self.insert(map, number, order);
    }

    fn insert(&mut self, map: &[FrameRecord], number: u32, order: u32) {
        let head = self.heads[order as usize];
        let record = &map[number as usize];
        record.set(Use::FreeBlock, order);
        record.set_references(0);
        record.link(NIL, head);
        if head != NIL {
            map[head as usize].set_prev(number);
        }
        self.heads[order as usize] = number;
    }

    fn remove(&mut self, map: &[FrameRecord], number: u32, order: u32) {
        let record = &map[number as usize];
        let (prev, next) = (record.prev(), record.next());
        if prev == NIL {
            self.heads[order as usize] = next;
        } else {
            map[prev as usize].set_next(next);
        }
        if next != NIL {
            map[next as usize].set_prev(prev);
        }
        record.link(NIL, NIL);
        record.set(Use::FreeTail, 0);
    }

    /// Counts the frames on all lists, unless a block stands wrong. A list can't lead back into itself: the block where
    /// it did would have two before it, and its record names one.
    fn check(&self, map: &[FrameRecord]) -> Result<usize, Contradiction> {
        let mut frames = 0;
        for order in 0..=MAX_ORDER {
            let (mut at, mut before) = (self.heads[order as usize], NIL);
            while at != NIL {
                let record = &map[at as usize];
                check_block(record, at, order, before)?;
                frames += 1 << order;
                (before, at) = (at, record.next());
            }
        }
        Ok(frames)
    }
}

/// Compares a block's record with its place: behind `before` on the list of `order`.
fn check_block(
    record: &FrameRecord,
    number: u32,
    order: u32,
    before: u32,
) -> Result<(), Contradiction> {
    let recorded = (record.usage(), record.order(), record.prev());
    if recorded != (Use::FreeBlock, order, before) {
        return Err(Contradiction::Misplaced {
            number,
            order,
            before,
            recorded,
        });
    }
    match record.references() {
        0 => Ok(()),
        references => Err(Contradiction::Held { number, references }),
    }
}

/// A stack of free frames for one CPU.
struct CpuCache {
    frames: [u32; CACHE],
    len: usize,
}

impl CpuCache {
    const fn new() -> Self {
        Self {
            frames: [NIL; CACHE],
            len: 0,
        }
    }

    fn take(&mut self, map: &[FrameRecord], lists: &Mutex<FreeLists>) -> Option<u32> {
        if self.len == 0 {
            self.refill(map, &mut lists.lock());
        }
        self.len = self.len.checked_sub(1)?;
        Some(self.frames[self.len])
    }

    fn put(&mut self, map: &[FrameRecord], lists: &Mutex<FreeLists>, number: u32) {
        if self.len == CACHE {
            self.spill(map, &mut lists.lock(), BATCH);
        }
        map[number as usize].set(Use::CpuCache, 0);
        self.frames[self.len] = number;
        self.len += 1;
    }

    fn refill(&mut self, map: &[FrameRecord], lists: &mut FreeLists) {
        while self.len < BATCH {
            let Some(number) = lists.take(map, 0) else {
                return;
            };
            map[number as usize].set(Use::CpuCache, 0);
            self.frames[self.len] = number;
            self.len += 1;
        }
    }

    fn spill(&mut self, map: &[FrameRecord], lists: &mut FreeLists, count: usize) {
        for _ in 0..count.min(self.len) {
            self.len -= 1;
            lists.free(map, self.frames[self.len], 0);
        }
    }
}

#[cfg(test)]
mod tests;
