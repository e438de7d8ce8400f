//! Who waits at which futex: one tree, in the order of keys and, for one key, of arrival.
//!
//! Whoever queues gets a number that nobody had before. So a call that is to wake, or to move, all who wait by now can do
//! that a few at a time: who comes later, or again, has a higher number than the call looks at.
use alloc::sync::Arc;

use spin::Mutex;

use crate::process::deadlines::{AT_ONCE, Deadlines, Timed};

/// The role of those who wait at a futex.
pub(super) struct Futex;

/// What makes two futexes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// What the word is part of.
    pub(super) object: u64,
    /// Where in it the word is.
    pub(super) place: u64,
}

/// A futex, and a hold on what it is part of: nothing else gets the key as long as that is held.
#[derive(Clone, Debug)]
pub(crate) struct Word<H> {
    pub(super) key: Key,
    pub(super) hold: Option<H>,
}

/// A place in the queue: a futex, and the number that was drawn.
pub(super) type Turn = (Key, u64);

/// How somebody stands in the queue. Whoever owns the queue guards it.
pub(super) struct Standing<H> {
    turn: Turn,
    hold: Option<H>,
    /// Which wakers are waited for, a bit each.
    mask: u32,
    is_queued: bool,
}

impl<H> Standing<H> {
    /// In no queue.
    pub(super) const NONE: Self = Self {
        turn: (
            Key {
                object: 0,
                place: 0,
            },
            0,
        ),
        hold: None,
        mask: 0,
        is_queued: false,
    };

    pub(super) fn turn(&self) -> Turn {
        self.turn
    }
}

/// Who can wait at a futex, at one at a time.
pub(super) trait Waits: Timed<Futex, Order = Turn> {
    type Hold: Clone;
    fn standing(&self) -> &Mutex<Standing<Self::Hold>>;
}

/// All who wait.
pub(super) struct Waiters<T> {
    tree: Deadlines<T, Futex>,
    /// The next number.
    next: u64,
}

/// How far a call got with those who waited at a futex when it began.
pub(super) struct Round {
    key: Key,
    /// The numbers that it did not see yet.
    from: u64,
    until: u64,
    mask: u32,
    left: u32,
    met: u32,
}

impl Round {
    /// How many were met.
    pub(super) fn met(&self) -> u32 {
        self.met
    }
}

/// What a step of a round came upon.
enum Step<T> {
    Over,
    /// Somebody who waits for others.
    Passed,
    Met(Arc<T>),
}

impl<T: Waits> Waiters<T> {
    pub(super) const fn new() -> Self {
        Self {
            tree: Deadlines::new(),
            next: 0,
        }
    }

    fn draw(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// Queues `item` at `word`, behind all others.
    pub(super) fn stand(&mut self, item: &Arc<T>, word: Word<T::Hold>, mask: u32) {
        *item.standing().lock() = Standing {
            turn: (word.key, self.draw()),
            hold: word.hold,
            mask,
            is_queued: true,
        };
        self.tree.insert(item);
    }

    /// Takes `item` out. Says whether nobody had done so, and returns its hold, which is dropped without the lock.
    pub(super) fn leave(&mut self, item: &Arc<T>) -> (bool, Option<T::Hold>) {
        let was_queued = item.standing().lock().is_queued;
        if was_queued {
            self.take_out(item);
        }
        (was_queued, item.standing().lock().hold.take())
    }

    /// Whether `item` still waits.
    pub(super) fn has(&self, item: &T) -> bool {
        item.standing().lock().is_queued
    }

    fn take_out(&mut self, item: &Arc<T>) {
        self.tree.remove(item);
        item.standing().lock().is_queued = false;
    }

    /// A round among all who wait at `key` by now, and for one of `mask`; it ends when it met `most`.
    pub(super) fn round(&self, key: Key, mask: u32, most: u32) -> Round {
        Round {
            key,
            from: 0,
            until: self.next,
            mask,
            left: most,
            met: 0,
        }
    }

    /// Takes some of a round out and wakes them. True when the round is over.
    pub(super) fn wake_some(&mut self, round: &mut Round, mut wake: impl FnMut(&Arc<T>)) -> bool {
        for _ in 0..AT_ONCE {
            match self.step(round) {
                Step::Over => return true,
                Step::Passed => {}
                Step::Met(item) => {
                    self.take_out(&item);
                    wake(&item);
                }
            }
        }
        false
    }

    /// Wakes some of the first of two rounds, and after those has some of the second wait at `to` instead. True when both
    /// are over.
    pub(super) fn requeue_some(
        &mut self,
        [wakes, moves]: &mut [Round; 2],
        to: &Word<T::Hold>,
        wake: impl FnMut(&Arc<T>),
    ) -> bool {
        self.wake_some(wakes, wake) && self.move_some(moves, to)
    }

    /// Has some of a round wait at `to` instead, behind all who wait there. True when the round is over. The caller holds
    /// both futexes, so what is dropped here is dropped by somebody else for good.
    fn move_some(&mut self, round: &mut Round, to: &Word<T::Hold>) -> bool {
        for _ in 0..AT_ONCE {
            match self.step(round) {
                Step::Over => return true,
                // Whoever is to go where he is stays in his place.
                Step::Met(item) if to.key != round.key => self.move_to(&item, to),
                Step::Passed | Step::Met(_) => {}
            }
        }
        false
    }

    fn move_to(&mut self, item: &Arc<T>, to: &Word<T::Hold>) {
        self.tree.remove(item);
        let turn = (to.key, self.draw());
        {
            let mut standing = item.standing().lock();
            standing.turn = turn;
            standing.hold = to.hold.clone();
        }
        self.tree.insert(item);
    }

    fn step(&self, round: &mut Round) -> Step<T> {
        if round.left == 0 {
            return Step::Over;
        }
        let first = self.tree.first_from(((round.key, round.from), 0));
        let Some(item) = first else {
            return Step::Over;
        };
        let standing = item.standing().lock();
        let ((key, number), mask) = (standing.turn, standing.mask);
        drop(standing);
        if key != round.key || number >= round.until {
            return Step::Over;
        }
        round.from = number + 1;
        if mask & round.mask == 0 {
            return Step::Passed;
        }
        round.left -= 1;
        round.met += 1;
        Step::Met(item)
    }
}
