//! Memory that is refused although there is some, so that every way out of a call is taken: one allocation in so many, or a
//! single one.
//!
//! Which ones of many is drawn, not counted: with every seventh refused, nobody who allocates eight times would ever
//! succeed. The draws depend on how many came before and on nothing else, so a run can be repeated. A single one is
//! counted: who asks for number 0, then 1, and so on, has seen them all. Off unless a test asks for it, and then one load.
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// What is refused, and how often.
pub struct Scarcity {
    /// One in so many; 0: none; from [`SINGLE`] on: one that is to come.
    plan: AtomicU32,
    draws: AtomicU32,
}

/// The next allocation is refused; with a number added, the one behind so many.
const SINGLE: u32 = 1 << 31;

/// The single one was refused.
const SPENT: u32 = u32::MAX;

impl Scarcity {
    /// Nothing is refused.
    pub const fn new() -> Self {
        Self {
            plan: AtomicU32::new(0),
            draws: AtomicU32::new(0),
        }
    }

    /// From now on one allocation in `one_in` is refused; none where that is 0.
    pub fn begin(&self, one_in: u32) {
        self.plan.store(one_in.min(SINGLE - 1), Relaxed);
    }

    /// The allocation that comes after `granted` more is refused, and no other.
    pub fn only(&self, granted: u32) {
        self.plan
            .store(SINGLE + granted.min(SPENT - SINGLE - 1), Relaxed);
    }

    /// Whether anything is refused.
    pub fn is_on(&self) -> bool {
        !matches!(self.plan.load(Relaxed), 0 | SPENT)
    }

    /// Whether the single allocation that was to be refused has been.
    pub fn is_spent(&self) -> bool {
        self.plan.load(Relaxed) == SPENT
    }

    /// Whether the allocation that is about to be made is refused.
    #[inline]
    pub fn strikes(&self) -> bool {
        match self.plan.load(Relaxed) {
            0 => false,
            SINGLE.. => self.count(),
            one_in => self.draw(one_in),
        }
    }

    /// One allocation nearer to the one that is refused.
    #[cold]
    fn count(&self) -> bool {
        let next = |plan| match plan {
            SINGLE => Some(SPENT),
            ..SINGLE | SPENT => None,
            plan => Some(plan - 1),
        };
        self.plan.fetch_update(Relaxed, Relaxed, next) == Ok(SINGLE)
    }

    #[cold]
    fn draw(&self, one_in: u32) -> bool {
        // MurmurHash3's last steps: every bit of the number decides over every bit of the result.
        let number = self.draws.fetch_add(1, Relaxed).wrapping_add(1);
        let mixed = (number ^ number >> 16).wrapping_mul(0x85eb_ca6b);
        let mixed = (mixed ^ mixed >> 13).wrapping_mul(0xc2b2_ae35);
        (mixed ^ mixed >> 16).is_multiple_of(one_in)
    }
}

impl Default for Scarcity {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn nothing_is_refused_unless_asked_for() {
        let scarcity = Scarcity::new();
        assert!(!(0..1000).any(|_| scarcity.strikes()));
    }

    #[test]
    fn about_one_in_so_many_is_refused_and_never_at_a_fixed_distance() {
        let scarcity = Scarcity::new();
        scarcity.begin(7);
        let refused: Vec<_> = (0..7000).filter(|_| scarcity.strikes()).collect();
        assert!((800..1200).contains(&refused.len()), "{}", refused.len());
        let longest = refused.windows(2).map(|pair| pair[1] - pair[0]).max();
        assert!(longest > Some(30), "{longest:?}");
    }

    #[test]
    fn a_single_one_is_never_followed_by_another() {
        let scarcity = Scarcity::new();
        for granted in [0, 1, 5] {
            scarcity.only(granted);
            let refused: Vec<_> = (0..20).filter(|_| scarcity.strikes()).collect();
            assert_eq!(refused, [granted]);
            assert!(scarcity.is_spent() && !scarcity.is_on());
        }
        scarcity.only(30);
        assert!(!(0..20).any(|_| scarcity.strikes()) && !scarcity.is_spent());
        scarcity.begin(0);
        assert!(!(0..20).any(|_| scarcity.strikes()) && !scarcity.is_spent());
    }
}
