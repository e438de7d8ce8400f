//! Signals that wait: each in its turn, counted once, and taken without a look at all the others.
use std::sync::{Mutex, MutexGuard};

use abi::general::{SI_QUEUE, SIGCHLD};

use crate::info::Info;
use crate::pending::{Pending, Room, entries};
use crate::set::SignalSet;

const FIRST: u32 = 34;
const SECOND: u32 = 35;
const ALL: SignalSet = SignalSet(u64::MAX);

/// The count of entries is one for all queues: a test at a time.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn queued(signal: u32, value: u32) -> Info {
    Info::of_process(signal, SI_QUEUE, value)
}

#[test]
fn no_signal_overtakes_its_like_and_the_lowest_comes_first() {
    let _turn = turn();
    let mut pending = Pending::new();
    for value in 0..1000 {
        for signal in [SECOND, FIRST] {
            assert!(pending.push(queued(signal, value), Room::Any).is_ok());
        }
    }
    assert_eq!(entries(), 2000);
    for signal in [FIRST, SECOND] {
        for value in 0..1000 {
            assert_eq!(pending.take(ALL), Some(queued(signal, value)));
        }
    }
    assert_eq!(
        (pending.take(ALL), pending.set(), entries()),
        (None, SignalSet::EMPTY, 0)
    );
}

#[test]
fn a_standard_signal_never_waits_twice() {
    let _turn = turn();
    let mut pending = Pending::new();
    for value in [1, 2] {
        assert!(pending.push(queued(SIGCHLD, value), Room::Any).is_ok());
    }
    assert_eq!(entries(), 1);
    assert_eq!(pending.take(ALL), Some(queued(SIGCHLD, 1)));
    assert_eq!(pending.take(ALL), None);
}

#[test]
fn without_room_what_must_carry_something_never_waits() {
    let _turn = turn();
    let mut pending = Pending::new();
    let room = Room::UpTo(2);
    for value in [1, 2] {
        assert!(pending.push(queued(FIRST, value), room).is_ok());
    }
    assert!(pending.push(queued(FIRST, 3), room).is_err());
    assert!(pending.push(queued(SECOND, 3), room).is_err());
    let by_kill = Info::of_process(SECOND, abi::general::SI_USER as i32, 4);
    assert!(pending.push(by_kill, room).is_ok());
    assert_eq!(entries(), 2);
    assert_eq!(
        pending.take(SignalSet::one(SECOND)),
        Some(Info::forgotten(SECOND))
    );
    assert_eq!(pending.take(ALL), Some(queued(FIRST, 1)));
    assert!(pending.push(queued(FIRST, 5), room).is_ok());
    for value in [2, 5] {
        assert_eq!(pending.take(ALL), Some(queued(FIRST, value)));
    }
}

#[test]
fn what_is_thrown_away_is_never_counted_on() {
    let _turn = turn();
    let mut pending = Pending::new();
    for value in 0..100_000 {
        assert!(pending.push(queued(FIRST, value), Room::Any).is_ok());
    }
    assert!(pending.push(queued(SECOND, 7), Room::Any).is_ok());
    let lane = pending.discard(FIRST);
    assert_eq!(pending.set(), SignalSet::one(SECOND));
    drop(lane);
    assert_eq!(entries(), 1);
    drop(core::mem::take(&mut pending));
    assert_eq!((pending.take(ALL), entries()), (None, 0));
}
