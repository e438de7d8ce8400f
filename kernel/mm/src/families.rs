//! The reverse map of private pages: from a frame to every entry that maps it, however often its process has forked.
//!
//! The spaces that descend from one `execve` by `fork` are a family. A private page knows its family and its home, the
//! place where it was mapped; each member of the family has it there or nowhere, or as far from there as areas of that
//! member have moved (`mremap`). So a walk takes one look into the tables of each member, from the one that mapped the page
//! first on, and ends as soon as it has found as many entries as there are. Faults pay two stores for it, `fork` a link;
//! Linux's `anon_vma`s, of which each area has a chain through all generations, pay at both. What it costs is a longer walk
//! in a large family, for pages that are all over it.
//!
//! ```text
//!  frame: family 3, home 0x7f00, first mapped by member 5
//!  family 3:  5 --- 6 --- 9        shifts of 9: +0x20
//!             |     |     |
//!           0x7f00 0x7f00 0x7f00, 0x7f20
//! ```
//! The lock is held while a walk looks into tables, hence: a member leaves before its tables go, entries move under the
//! lock, and tables that a living space gives up are free only after a moment in which nobody held it (`gather.rs`).
mod check;
mod walk;

use alloc::vec::Vec;

use crate::areas::Areas;
use crate::error::OutOfMemory;
use crate::frame::{Frame, FrameRecord, NIL, Use};
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::Page;
use crate::space::{AddressSpace, USER_END};
use crate::sync::Mutex;
use crate::sync::atomic::Ordering::Relaxed;

/// Bits of a home: the pages that 57-bit addresses name. Places and distances are numbers modulo this.
const PLACE_BITS: u32 = 44;
const PLACE: u64 = (1 << PLACE_BITS) - 1;

/// Shifts that are kept without asking whether any area still has them, at least.
const FEW_SHIFTS: usize = 8;

/// One area in so many may have shifts remembered for it that no area has: what bounds the cost of forgetting them.
const AREAS_A_SHIFT: usize = 16;

/// A shift that some area turned out to have, while others are forgotten.
const KEPT: u64 = 1 << 63;

/// All families, and the lock of the walks.
pub(crate) struct Families(Mutex<Registry>);

/// Who is of which family. Members have no numbers of their own that last: the last one takes the place of one that leaves.
struct Registry {
    members: Vec<Member>,
    /// By family one of its members; NIL where there is none any more.
    some: Vec<u32>,
}

/// A space, in the ring of its family.
struct Member {
    root: Frame,
    family: u32,
    next: u32,
    prev: u32,
    /// How far areas have moved that moved with pages; all that areas have, and some that they had. In order.
    shifts: Vec<u64>,
}

/// What a private page knows of where it is mapped.
#[derive(Clone, Copy)]
pub(crate) struct Home {
    pub(crate) family: u32,
    /// Where it was mapped; reaches around.
    pub(crate) place: u64,
}

impl AddressSpace {
    /// A frame that no entry leads to yet learns where it is about to be mapped, if it is a private page's. The number of
    /// the member is a hint, for members change theirs.
    #[inline]
    pub(crate) fn note_home<M: Machine>(&self, memory: &Memory<M>, frame: Frame, place: u64) {
        let record = memory.record(frame);
        if record.usage() == Use::Anonymous {
            let member = memory.record(self.table.root()).owner.load(Relaxed);
            let place = (place & PLACE) | (member << PLACE_BITS);
            record.private.store(self.family, Relaxed);
            record.owner.store(place, Relaxed);
        }
    }
}

impl Home {
    /// What was noted, and the hint.
    fn of(record: &FrameRecord) -> (Self, usize) {
        let place = record.owner.load(Relaxed);
        let home = Self {
            family: record.private.load(Relaxed),
            place: place & PLACE,
        };
        (home, (place >> PLACE_BITS) as usize)
    }
}

impl Member {
    /// Where the member may have a page whose home is `home`.
    fn places(&self, home: u64) -> impl Iterator<Item = Page> {
        let shifts = core::iter::once(0).chain(self.shifts.iter().copied());
        let places = shifts.map(move |shift| Page::new((home + shift) & PLACE));
        places.filter(|page| *page < USER_END)
    }
}

impl Registry {
    /// The members that may map a page of `home`, from the hinted one on.
    fn members_of(&self, home: Home, hint: usize) -> impl Iterator<Item = &Member> {
        let is_one = |&number: &usize| {
            let member = self.members.get(number);
            member.is_some_and(|member| member.family == home.family)
        };
        let some = || self.some.get(home.family as usize).map(|&one| one as usize);
        let first = Some(hint).filter(is_one).or_else(some).filter(is_one);
        let next = move |&number: &usize| {
            let next = self.members[number].next as usize;
            (Some(next) != first).then_some(next)
        };
        core::iter::successors(first, next).map(|number| &self.members[number])
    }

    /// A number for a family that begins; its place must be filled.
    fn free_family(&mut self) -> Result<usize, OutOfMemory> {
        if let Some(free) = self.some.iter().position(|&one| one == NIL) {
            return Ok(free);
        }
        self.some.try_reserve(1)?;
        self.some.push(NIL);
        Ok(self.some.len() - 1)
    }

    /// Makes whoever points to member number `to` by its ring, its family and its table do so.
    fn point_to<M: Machine>(&mut self, memory: &Memory<M>, to: usize) {
        let Member {
            root,
            family,
            next,
            prev,
            ..
        } = self.members[to];
        self.members[next as usize].prev = to as u32;
        self.members[prev as usize].next = to as u32;
        self.some[family as usize] = to as u32;
        memory.record(root).owner.store(to as u64, Relaxed);
    }

    /// Takes member number `gone` out of its ring, and with the last member the family.
    fn unlink(&mut self, gone: usize) {
        let Member {
            family, next, prev, ..
        } = self.members[gone];
        self.members[next as usize].prev = prev;
        self.members[prev as usize].next = next;
        let is_alone = next as usize == gone;
        self.some[family as usize] = if is_alone { NIL } else { next };
        while self.some.last() == Some(&NIL) {
            self.some.pop();
        }
    }

    /// Gives the place of member number `gone`, which is unlinked, to the last one.
    fn close_gap<M: Machine>(&mut self, memory: &Memory<M>, gone: usize) {
        let last = self.members.len() - 1;
        self.members.swap_remove(gone);
        if gone == last {
            return;
        }
        let moved = &mut self.members[gone];
        if moved.next as usize == last {
            (moved.next, moved.prev) = (gone as u32, gone as u32);
        }
        self.point_to(memory, gone);
    }

    /// Gives memory back where much less of it is needed than was; where there is none to do so with, later.
    fn shrink(&mut self) {
        shrink(&mut self.members);
        shrink(&mut self.some);
    }
}

fn shrink<T>(list: &mut Vec<T>) {
    let mut smaller = Vec::new();
    let is_worth_it = list.is_empty() || list.capacity() > 8 + 4 * list.len();
    if is_worth_it && smaller.try_reserve_exact(list.len()).is_ok() {
        smaller.append(list);
        *list = smaller;
    }
}

impl Families {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Registry {
            members: Vec::new(),
            some: Vec::new(),
        }))
    }

    /// Begins a family with the space of `root`; returns the family's number.
    pub(crate) fn found<M: Machine>(
        &self,
        memory: &Memory<M>,
        root: Frame,
    ) -> Result<u32, OutOfMemory> {
        let mut registry = self.0.lock();
        registry.members.try_reserve(1)?;
        let family = registry.free_family()? as u32;
        let number = registry.members.len();
        registry.members.push(Member {
            root,
            family,
            next: number as u32,
            prev: number as u32,
            shifts: Vec::new(),
        });
        registry.point_to(memory, number);
        Ok(family)
    }

    /// Takes the space of `root` into the family of the space of `parent`, whose areas it is about to get.
    pub(crate) fn join<M: Machine>(
        &self,
        memory: &Memory<M>,
        parent: Frame,
        root: Frame,
    ) -> Result<(), OutOfMemory> {
        let mut registry = self.0.lock();
        registry.members.try_reserve(1)?;
        let prev = member_number(memory, parent);
        let Member {
            family,
            next,
            ref shifts,
            ..
        } = registry.members[prev];
        let mut copy = Vec::new();
        copy.try_reserve_exact(shifts.len())?;
        copy.extend_from_slice(shifts);
        let number = registry.members.len();
        registry.members.push(Member {
            root,
            family,
            next,
            prev: prev as u32,
            shifts: copy,
        });
        registry.point_to(memory, number);
        Ok(())
    }

    /// The space of `root` is about to give up all that it maps: no walk comes to it from now on. It may never have been a
    /// member.
    pub(crate) fn leave<M: Machine>(&self, memory: &Memory<M>, root: Frame) {
        let mut registry = self.0.lock();
        let number = member_number(memory, root);
        if number < registry.members.len() {
            registry.unlink(number);
            registry.close_gap(memory, number);
            registry.shrink();
        }
    }

    /// The space of `root` is about to have an area that moved by `shift`, beside `areas`.
    pub(crate) fn enter_shift<M: Machine>(
        &self,
        memory: &Memory<M>,
        root: Frame,
        shift: u64,
        areas: &Areas,
    ) -> Result<(), OutOfMemory> {
        let shift = shift & PLACE;
        let mut registry = self.0.lock();
        let number = member_number(memory, root);
        let shifts = &mut registry.members[number].shifts;
        if shift == 0 || shifts.binary_search(&shift).is_ok() {
            return Ok(());
        }
        if shifts.len() == shifts.capacity() {
            make_room(shifts, areas)?;
        }
        let at = shifts.partition_point(|&other| other < shift);
        shifts.insert(at, shift);
        Ok(())
    }

    /// Keeps walks out for as long as the answer lives, once those under way are over.
    pub(crate) fn keep_walks_out(&self) -> impl Sized + '_ {
        self.0.lock()
    }
}

/// The number of the member whose top-level table is `root`; of none where it isn't one.
fn member_number<M: Machine>(memory: &Memory<M>, root: Frame) -> usize {
    memory.record(root).owner.load(Relaxed) as usize
}

/// Room for one shift more, in place of some that no area has any more, or at the end.
fn make_room(shifts: &mut Vec<u64>, areas: &Areas) -> Result<(), OutOfMemory> {
    let few = FEW_SHIFTS.max(areas.len() / AREAS_A_SHIFT);
    if shifts.len() >= few {
        for vma in areas.iter() {
            let shift = vma.shift() & PLACE;
            if let Ok(at) = shifts.binary_search_by_key(&shift, |shift| shift & PLACE) {
                shifts[at] |= KEPT;
            }
        }
        shifts.retain(|shift| shift & KEPT != 0);
        shifts.iter_mut().for_each(|shift| *shift &= PLACE);
    }
    if shifts.len() * 2 > shifts.capacity() || shifts.capacity() == 0 {
        shifts.try_reserve_exact(shifts.len().max(FEW_SHIFTS))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
