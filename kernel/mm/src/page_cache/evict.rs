//! Pages of disks that leave memory, because it is needed or because what the disk has is newer.
//!
//! Nobody may hold a page that is given back but the cache: a holder may be about to store to it, or to mark it. So entries
//! are emptied through the reverse map, then the frame's count goes from one to none, which nobody can raise, while the
//! slot is emptied. A lookup that comes meanwhile finds the old slot and a frame that is free, hence looks again and finds
//! the page absent; a fault that had the page already holds it, and the page stays.
use core::ops::Range;

use super::slot::{ABSENT, DIRTY, PRESENT, READING, WRITEBACK, frame};
use super::{CachedFile, Source};
use crate::frame::Frame;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::rmap::{Copies, Mappings, Usage};
use crate::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};
use crate::sync::atomic::{AtomicU64, fence};

/// What a page needs not to be if it is to go.
const NEEDED: u64 = DIRTY | WRITEBACK | READING;

impl CachedFile {
    /// Gives up to `most` clean pages back that nobody has used lately, and returns how many those were. A page that
    /// somebody has used since the last visit gets away with that, once: two calls that give nothing back mean that nothing
    /// can be. Locked pages stay. Waits for no lock: whoever needs memory may be holding one.
    pub fn give_back<M: Machine>(&self, memory: &Memory<M>, most: u64) -> u64 {
        if self.source != Source::Disk {
            return 0;
        }
        let start = self.hand.load(Relaxed);
        let above = self.give_back_from(memory, start..u64::MAX, most);
        let below = self.give_back_from(memory, 0..start, most - above);
        above + below
    }

    /// The same for pages of `range`.
    fn give_back_from<M: Machine>(&self, memory: &Memory<M>, range: Range<u64>, most: u64) -> u64 {
        let mut given = 0;
        let mut from = range.start;
        while given < most
            && let Some((index, slot)) = self.pages.next(memory, from)
            && index < range.end
        {
            given += u64::from(self.give_page_back(memory, index, slot));
            from = index + 1;
            self.hand.store(from, Relaxed);
        }
        given
    }

    fn give_page_back<M: Machine>(&self, memory: &Memory<M>, index: u64, slot: &AtomicU64) -> bool {
        let bits = slot.load(Acquire);
        if bits & PRESENT == 0 || bits & NEEDED != 0 {
            return false;
        }
        // Lengths and pages hold still; so do areas and entries' rights.
        let (Some(_seals), Some(mappings)) = (self.seals.try_lock(), self.mappings.try_lock())
        else {
            return false;
        };
        mappings.usage(memory, index) == Usage::Idle && self.evict(memory, &mappings, index, slot)
    }

    /// Takes pages `range` out of the cache, so that the disk is read again: somebody writes to it past the cache. What is
    /// dirty or on its way stays; the answer is the first page that does. As on Linux locked pages go, too, and those that
    /// somebody holds: who copies from one has what was there before. Who copies to one the caller keeps out.
    pub fn invalidate<M: Machine>(&self, memory: &Memory<M>, range: Range<u64>) -> Option<u64> {
        let _length_stays = self.seals.lock();
        let mut stays = None;
        let mut next = self.pages.next(memory, range.start);
        while let Some((index, slot)) = next.filter(|(index, _)| *index < range.end) {
            if !self.invalidate_page(memory, index, slot) {
                stays = stays.or(Some(index));
            }
            next = self.pages.next(memory, index + 1);
        }
        stays
    }

    /// The same for page `index`; true where it is absent afterwards. First the cache loses it, then the entries that show
    /// it do, as where a file is cut: a fault that is on its way with the frame looks again. None may be stored through,
    /// for the page is clean, and the lock of the books keeps it so.
    fn invalidate_page<M: Machine>(
        &self,
        memory: &Memory<M>,
        index: u64,
        slot: &AtomicU64,
    ) -> bool {
        let mappings = self.mappings.lock();
        let idle = |bits| (bits & PRESENT != 0 && bits & NEEDED == 0).then_some(ABSENT);
        match slot.fetch_update(SeqCst, Acquire, idle) {
            Ok(before) => {
                fence(SeqCst);
                mappings.empty(memory, &(index..index + 1), Copies::Keep);
                self.resident.fetch_sub(1, Relaxed);
                memory.put(frame(before));
                true
            }
            Err(bits) => bits == ABSENT,
        }
    }

    /// Takes page `index` out of all entries and out of the cache, if it is clean and nobody else holds it. The caller
    /// holds the locks of the seals and of the books: nobody drops it, and nobody lets an entry store to it.
    fn evict<M: Machine>(
        &self,
        memory: &Memory<M>,
        mappings: &Mappings,
        index: u64,
        slot: &AtomicU64,
    ) -> bool {
        let bits = slot.load(Acquire);
        if bits & PRESENT == 0 || bits & NEEDED != 0 {
            return false;
        }
        mappings.empty(memory, &(index..index + 1), Copies::Keep);
        self.take_out(memory, slot, bits)
    }

    /// Takes clean pages of `range` out of the cache that nobody maps or holds, because somebody said that nobody will need
    /// them soon. Others stay.
    pub fn drop_unused<M: Machine>(&self, memory: &Memory<M>, range: Range<u64>) {
        if self.source != Source::Disk {
            return;
        }
        let mut next = self.pages.next(memory, range.start);
        while let Some((index, slot)) = next.filter(|(index, _)| *index < range.end) {
            let length_stays = self.seals.lock();
            let bits = slot.load(Acquire);
            if bits & PRESENT != 0 && bits & NEEDED == 0 {
                self.take_out(memory, slot, bits);
            }
            drop(length_stays);
            next = self.pages.next(memory, index + 1);
        }
    }

    /// Takes the page out whose `slot` said `bits`, if the cache alone holds it.
    fn take_out<M: Machine>(&self, memory: &Memory<M>, slot: &AtomicU64, bits: u64) -> bool {
        let frame = frame(bits);
        let is_out = empty(memory, frame, slot, bits);
        if is_out {
            self.resident.fetch_sub(1, Relaxed);
            memory.put(frame);
        }
        is_out
    }
}

/// Empties `slot`, which said `bits`, if the cache alone holds `frame`. Not for long: lookups turn around meanwhile.
fn empty<M: Machine>(memory: &Memory<M>, frame: Frame, slot: &AtomicU64, bits: u64) -> bool {
    let record = memory.record(frame);
    memory.machine.pinned(|_| {
        let is_frozen = record.freeze();
        // Who found a place on the disk for the page needs no hold to say so; then it stays for this time.
        let is_out = is_frozen && slot.compare_exchange(bits, ABSENT, SeqCst, Relaxed).is_ok();
        if is_frozen {
            record.set_references(1);
        }
        is_out
    })
}
