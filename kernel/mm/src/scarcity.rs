//! Memory that is refused although there is some: one allocation in so many, so that every way out of a call is taken.
//!
//! Which ones is drawn, not counted: with every seventh refused, nobody who allocates eight times would ever succeed. The
//! draws depend on how many came before and on nothing else, so a run can be repeated. Off unless a test asks for it,
//! and then one load.
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// How often memory is refused.
pub struct Scarcity {
    /// One in so many; 0: never.
    one_in: AtomicU32,
    draws: AtomicU32,
}

impl Scarcity {
    /// Nothing is refused.
    pub const fn new() -> Self {
        Self {
            one_in: AtomicU32::new(0),
            draws: AtomicU32::new(0),
        }
    }

    /// From now on one allocation in `one_in` is refused; none where that is 0.
    pub fn begin(&self, one_in: u32) {
        self.one_in.store(one_in, Relaxed);
    }

    /// Whether anything is refused.
    pub fn is_on(&self) -> bool {
        self.one_in.load(Relaxed) != 0
    }

    /// Whether the allocation that is about to be made is refused.
    #[inline]
    pub fn strikes(&self) -> bool {
        let one_in = self.one_in.load(Relaxed);
        one_in != 0 && self.draw(one_in)
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
}
