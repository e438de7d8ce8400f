//! The queue by deadline: nobody early, nobody forgotten, and never many steps.
use std::cell::Cell;
use std::sync::Arc;

use crate::deadlines::{Clock, Deadlines, Links, Timed, key};

thread_local! {
    /// How often a deadline was looked at: once for each step in a tree.
    static STEPS: Cell<usize> = const { Cell::new(0) };
}

struct Sleeper {
    deadline: u64,
    links: Links<Self>,
}

impl Sleeper {
    fn new(deadline: u64) -> Arc<Self> {
        let links = Links::new();
        Arc::new(Self { deadline, links })
    }
}

impl Timed for Sleeper {
    type Order = u64;

    fn deadline(&self) -> u64 {
        STEPS.set(STEPS.get() + 1);
        self.deadline
    }

    fn links(&self) -> &Links<Self> {
        &self.links
    }
}

/// Numbers below `bound`, the same ones in every run.
fn numbers(bound: u64) -> impl FnMut() -> u64 {
    let mut state = 1u64;
    move || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (state >> 33) % bound
    }
}

#[test]
fn nobody_is_early_late_or_forgotten() {
    let mut next = numbers(200);
    let mut queue = Deadlines::new();
    let mut model: Vec<Arc<Sleeper>> = Vec::new();
    for step in 0..20_000 {
        match next() % 4 {
            0 | 1 => {
                let sleeper = Sleeper::new(next());
                queue.insert(&sleeper);
                model.push(sleeper);
            }
            2 if !model.is_empty() => {
                let sleeper = model.swap_remove(next() as usize % model.len());
                queue.remove(&sleeper);
                queue.remove(&sleeper);
                assert_eq!(Arc::strong_count(&sleeper), 1, "step {step}");
            }
            _ => {
                let (now, first) = (next(), model.iter().map(|sleeper| sleeper.deadline).min());
                let due = queue.pop_due(now);
                let expected = first.filter(|&first| first <= now);
                assert_eq!(
                    due.as_ref().map(|due| due.deadline),
                    expected,
                    "step {step}"
                );
                model.retain(|sleeper| due.as_ref().is_none_or(|due| !Arc::ptr_eq(due, sleeper)));
            }
        }
    }
    let left = std::iter::from_fn(|| queue.pop_due(u64::MAX)).count();
    assert_eq!(left, model.len());
}

#[test]
fn no_step_takes_long_however_many_wait() {
    const MANY: u64 = 10_000;
    /// Four times the height that a random tree of so many has, about: a removal goes up to four ways.
    const MOST: usize = 250;
    for order in [|_| 7, |number| number, |number| MANY - number] {
        let sleepers: Vec<_> = (0..MANY)
            .map(|number| Sleeper::new(order(number)))
            .collect();
        let mut queue = Deadlines::new();
        let costs = |mut step: Box<dyn FnMut() + '_>| {
            STEPS.set(0);
            step();
            assert!(STEPS.get() <= MOST, "{} steps", STEPS.get());
        };
        for sleeper in &sleepers {
            costs(Box::new(|| queue.insert(sleeper)));
        }
        for sleeper in sleepers.iter().step_by(3) {
            costs(Box::new(|| queue.remove(sleeper)));
        }
        for _ in 0..MANY / 2 {
            costs(Box::new(|| assert!(queue.pop_due(MANY).is_some())));
        }
    }
}

#[test]
fn who_is_queued_by_one_number_is_found_once_and_nobody_else() {
    let mut next = numbers(5);
    let mut queue = Deadlines::new();
    let sleepers: Vec<_> = (0..500).map(|_| Sleeper::new(next())).collect();
    sleepers.iter().for_each(|sleeper| queue.insert(sleeper));
    for number in 0..5 {
        let (mut place, mut found) = ((number, 0), 0);
        while let Some(sleeper) = queue.pop_from(place) {
            let (by, address) = key::<_, Clock>(&sleeper);
            assert_eq!(by, number);
            place = (by, address + 1);
            found += 1;
            // It waits anew at once, where nobody looks any more.
            queue.insert(&sleeper);
        }
        let all = sleepers.iter().filter(|sleeper| sleeper.deadline == number);
        assert_eq!(found, all.count(), "queued by {number}");
    }
    let left = std::iter::from_fn(|| queue.pop_due(u64::MAX)).count();
    assert_eq!(left, sleepers.len());
}
