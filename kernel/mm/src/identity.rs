//! Which areas may be one for the sake of their private pages: what Linux's `anon_vma` has to say about merging.
//!
//! Linux finds the entries of a private page through the `anon_vma` of its area, and joins two areas only where one will do
//! for both. Programs can tell, so areas have an identity here too, though the reverse map does without: none until the
//! first private page, then the neighbour's where the two might be joined one day, else a new one. After `fork` each area
//! of the child has one of its own, inherited, which no other area may take on.
use crate::page::Page;
use crate::space::AddressSpace;
use crate::sync::Mutex;
use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::vma::{VmFlags, Vma};

/// Whose private pages an area holds. Means something only beside others of the same space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity(u32);

const INHERITED: u32 = 1 << 31;

impl Identity {
    /// Of an area that never had a private page.
    pub const NONE: Self = Self(0);

    /// Whether the area never had a private page.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// Whether the area came by `fork`, and may hold pages of ancestors.
    pub fn is_inherited(self) -> bool {
        self.0 & INHERITED != 0
    }

    /// The identity of two areas as one; `None` where they must stay two.
    pub(crate) fn joined(self, other: Self) -> Option<Self> {
        match (self, other) {
            (one, other) if one == other => Some(one),
            (one, Self::NONE) | (Self::NONE, one) if !one.is_inherited() => Some(one),
            _ => None,
        }
    }
}

/// How many identities a space gave out. After two thousand million they begin anew; the worst that comes of it is that
/// two areas merge which Linux would keep apart.
#[derive(Debug)]
pub(crate) struct Identities(Mutex<u32>);

impl Identities {
    pub(crate) const fn new(count: u32) -> Self {
        Self(Mutex::new(count))
    }
}

/// What a child's areas get: numbers from 1 on.
#[derive(Default)]
pub(crate) struct Heirs(u32);

impl Heirs {
    /// Makes the copy of an area the child's own.
    pub(crate) fn adopt(&mut self, vma: &mut Vma) {
        let identity = match vma.identity() {
            Identity::NONE => return,
            _ if vma.flags.contains(VmFlags::WIPE_ON_FORK) => Identity::NONE,
            _ => {
                self.0 += 1;
                Identity(INHERITED | self.0)
            }
        };
        vma.set_identity(identity);
    }

    /// What the child goes on from.
    pub(crate) fn into_identities(self) -> Identities {
        Identities::new(self.0)
    }
}

impl AddressSpace {
    /// `vma` is about to get a private page.
    #[inline]
    pub(crate) fn identify(&self, vma: &Vma) {
        if vma.identity().is_none() {
            self.give_identity(vma);
        }
    }

    /// The lock keeps two faults from giving the area two identities, or its neighbour another one meanwhile.
    #[cold]
    fn give_identity(&self, vma: &Vma) {
        let mut last = self.identities.0.lock();
        if !vma.identity().is_none() {
            return;
        }
        let above = self.areas.at(vma.end).filter(|above| may_share(vma, above));
        let below = || self.areas.before(vma.start);
        let kin = above
            .filter(|above| lends(above))
            .or_else(|| below().filter(|below| may_share(below, vma) && lends(below)));
        if let Some(kin) = kin {
            vma.become_kin_of(kin);
            return;
        }
        *last = ((*last + 1) & !INHERITED).max(1);
        vma.identity.store(*last, Release);
    }
}

/// Whether `lower` and `upper` would be one but for their rights, which may change.
fn may_share(lower: &Vma, upper: &Vma) -> bool {
    let differing = lower.flags ^ upper.flags;
    lower.is_continued_by(upper) && VmFlags::ACCESS.contains(differing)
}

/// Whether the area's identity may become another's too.
fn lends(vma: &Vma) -> bool {
    let identity = vma.identity();
    !identity.is_none() && !identity.is_inherited()
}

impl Vma {
    /// Whose private pages the area holds.
    #[inline]
    pub fn identity(&self) -> Identity {
        Identity(self.identity.load(Acquire))
    }

    pub(crate) fn set_identity(&mut self, identity: Identity) {
        *self.identity.get_mut() = identity.0;
    }

    /// How far the area's pages have moved since they were mapped; reaches around, so that a way down is a long way up.
    #[inline]
    pub(crate) fn shift(&self) -> u64 {
        self.shift.load(Relaxed)
    }

    /// Where `page` of the area was mapped first, by number; reaches around like the shift.
    #[inline]
    pub fn home(&self, page: Page) -> u64 {
        page.number().wrapping_sub(self.shift())
    }

    /// Whether `self`, which grew until it touched `next`, becomes one with it. Linux does not look then whether an
    /// identity that an untouched neighbour takes on was inherited.
    pub(crate) fn can_grow_into(&self, next: &Self) -> bool {
        let is_untouched = next.identity().is_none();
        self.can_merge(next)
            || (is_untouched && self.flags == next.flags && self.is_continued_by(next))
    }

    /// Takes on identity and shift of a neighbour: pages of areas that may be joined must not differ in either.
    pub(crate) fn become_kin_of(&self, kin: &Self) {
        self.shift.store(kin.shift(), Relaxed);
        self.identity.store(kin.identity().0, Release);
    }
}

#[cfg(test)]
mod tests;
