//! Those who wait at futexes: nobody woken twice or forgotten, everybody in turn, and never many steps.
use std::collections::VecDeque;
use std::sync::Arc;

use spin::Mutex;

use crate::deadlines::{Links, Timed};
use crate::futex_operation::Operation;
use crate::futex_queue::{Futex, Key, Standing, Turn, Waiters, Waits, Word};

/// Stands for what a word is part of.
type Object = Arc<()>;

struct Thread {
    number: usize,
    standing: Mutex<Standing<Object>>,
    links: Links<Self>,
}

impl Timed<Futex> for Thread {
    type Order = Turn;

    fn deadline(&self) -> Turn {
        self.standing.lock().turn()
    }

    fn links(&self) -> &Links<Self> {
        &self.links
    }
}

impl Waits for Thread {
    type Hold = Object;

    fn standing(&self) -> &Mutex<Standing<Object>> {
        &self.standing
    }
}

/// The queue, and the same as lists of numbers.
struct Both {
    waiters: Waiters<Thread>,
    words: Vec<Word<Object>>,
    model: Vec<VecDeque<(usize, u32)>>,
    threads: Vec<Arc<Thread>>,
}

impl Both {
    fn new(words: u64) -> Self {
        let word = |place| Word {
            key: Key { object: 1, place },
            hold: Some(Arc::new(())),
        };
        Self {
            waiters: Waiters::new(),
            words: (0..words).map(word).collect(),
            model: (0..words).map(|_| VecDeque::new()).collect(),
            threads: Vec::new(),
        }
    }

    fn stand(&mut self, place: usize, mask: u32) {
        let number = self.threads.len();
        let thread = Arc::new(Thread {
            number,
            standing: Mutex::new(Standing::NONE),
            links: Links::new(),
        });
        let word = self.words[place].clone();
        self.waiters.stand(&thread, word, mask);
        self.model[place].push_back((number, mask));
        self.threads.push(thread);
    }

    fn leave(&mut self, number: usize) {
        let thread = self.threads[number].clone();
        let (was_queued, _hold) = self.waiters.leave(&thread);
        let mut left = false;
        for list in &mut self.model {
            let before = list.len();
            list.retain(|&(waiting, _)| waiting != number);
            left |= list.len() < before;
        }
        assert_eq!(was_queued, left, "thread {number}");
    }

    fn wake(&mut self, place: usize, mask: u32, most: u32) {
        let mut woken = Vec::new();
        let mut round = self.waiters.round(self.words[place].key, mask, most);
        let mut wake = |thread: &Arc<Thread>| woken.push(thread.number);
        while !self.waiters.wake_some(&mut round, &mut wake) {}
        let expected = self.take(place, mask, most);
        assert_eq!(woken, numbers(&expected));
        assert_eq!(round.met() as usize, woken.len());
    }

    fn requeue(&mut self, from: usize, to: usize, most: [u32; 2]) {
        let mut woken = Vec::new();
        let (key, to_word) = (self.words[from].key, self.words[to].clone());
        let mut rounds = most.map(|most| self.waiters.round(key, u32::MAX, most));
        let mut wake = |thread: &Arc<Thread>| woken.push(thread.number);
        while !self.waiters.requeue_some(&mut rounds, &to_word, &mut wake) {}
        let expected = self.take(from, u32::MAX, most[0]);
        assert_eq!(woken, numbers(&expected));
        let moved = if from == to {
            assert_eq!(rounds[1].met(), most[1].min(self.model[from].len() as u32));
            return;
        } else {
            self.take(from, u32::MAX, most[1])
        };
        assert_eq!(rounds[1].met() as usize, moved.len());
        self.model[to].extend(moved);
    }

    fn take(&mut self, place: usize, mask: u32, most: u32) -> Vec<(usize, u32)> {
        let list = std::mem::take(&mut self.model[place]);
        let mut taken = Vec::new();
        for (number, wanted) in list {
            if wanted & mask != 0 && taken.len() < most as usize {
                taken.push((number, wanted));
            } else {
                self.model[place].push_back((number, wanted));
            }
        }
        taken
    }
}

fn numbers(waiters: &[(usize, u32)]) -> Vec<usize> {
    waiters.iter().map(|&(number, _)| number).collect()
}

/// Numbers below `bound`, the same ones in every run.
fn draws() -> impl FnMut(u64) -> u64 {
    let mut state = 1u64;
    move |bound| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (state >> 33) % bound
    }
}

#[test]
fn nobody_is_woken_out_of_turn_twice_or_never() {
    let mut draw = draws();
    let mut both = Both::new(3);
    for _ in 0..20_000 {
        let (place, other) = (draw(3) as usize, draw(3) as usize);
        let (few, mask) = (draw(4) as u32, 1 << draw(3));
        match draw(8) {
            0..=3 => both.stand(place, mask | 1 << draw(3)),
            4 => both.wake(place, mask, few),
            5 => both.requeue(place, other, [few, draw(4) as u32]),
            6 => both.wake(place, u32::MAX, u32::MAX),
            _ if both.threads.is_empty() => {}
            _ => both.leave(draw(both.threads.len() as u64) as usize),
        }
    }
    for number in 0..both.threads.len() {
        both.leave(number);
        assert_eq!(Arc::strong_count(&both.threads[number]), 1);
    }
}

#[test]
fn no_word_is_held_for_those_who_left_it() {
    let mut both = Both::new(2);
    (0..500).for_each(|_| both.stand(0, 1));
    both.requeue(0, 1, [100, 300]);
    let holds = |both: &Both| {
        let count = |word: &Word<Object>| word.hold.as_ref().map_or(0, Arc::strong_count);
        [0, 1].map(|place| count(&both.words[place]) - 1)
    };
    // Who was woken still has to come and give its hold up.
    assert_eq!(holds(&both), [200, 300]);
    (0..500).for_each(|number| both.leave(number));
    assert_eq!(holds(&both), [0, 0]);
}

#[test]
fn who_comes_during_a_round_waits_for_the_next() {
    let mut both = Both::new(2);
    (0..200).for_each(|_| both.stand(0, 1));
    let key = both.words[0].key;
    let mut round = both.waiters.round(key, 1, u32::MAX);
    let mut woken = 0;
    loop {
        let is_over = both.waiters.wake_some(&mut round, |_| woken += 1);
        both.stand(0, 1);
        if is_over {
            break;
        }
    }
    assert_eq!((woken, round.met()), (200, 200));
}

#[test]
fn what_is_done_to_a_word_is_what_futex_2_says() {
    let operation = |kind: u32, operand: u32, comparison: u32, with: u32| {
        Operation::decode(kind << 28 | (operand & 0xfff) << 12 | comparison << 24 | with & 0xfff)
    };
    let applied = |kind, operand| operation(kind, operand, 0, 0).apply(6).ok();
    assert_eq!(applied(0, 0x800), Some(-2048i32 as u32));
    assert_eq!(applied(1, 0xfff), Some(5));
    assert_eq!([2, 3, 4].map(|kind| applied(kind, 5)), [7, 2, 3].map(Some));
    assert_eq!(
        [10, 8].map(|kind| applied(kind, 31 | 32)),
        [1 << 31 | 6, 1 << 31].map(Some)
    );
    assert_eq!([5, 6, 7, 13].map(|kind| applied(kind, 0)), [None; 4]);
    for (old, expected) in [(-2i32, "011100"), (-1, "100101"), (0, "010011")] {
        let holds = (0..6).map(|number| operation(0, 0, number, 0xfff).holds(old as u32));
        let found: String = holds
            .map(|holds| if holds == Ok(true) { '1' } else { '0' })
            .collect();
        assert_eq!(found, expected, "{old}");
    }
    assert!(operation(0, 0, 6, 0).holds(0).is_err());
}
