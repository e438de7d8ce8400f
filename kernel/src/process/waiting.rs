//! Waiting for a change of something: whoever changes it wakes all who wait, and they look again.
//!
//! What is waited for is only a key, the address of the thing, so anything can be waited for and waking needs no memory.
//! Threads stand in the tree that their key falls into, in the order of keys; those that wait for several things at once,
//! in one for all keys. Who is woken is taken out, a few at a time, so that interrupts come in however many wait.
use core::sync::atomic::Ordering::Relaxed;

use super::deadlines::{AT_ONCE, Deadlines, Key, key};
use super::sched;
use super::thread::Thread;
use crate::arch::percpu;
use crate::lock::{IrqLock, Rank};

/// The key of those who wait for several things.
pub(crate) const ANY: usize = 0;

/// Trees for keys; one more is for [`ANY`].
const TREES: usize = 32;

/// The role in which threads stand in the trees.
pub(super) struct Waiter;

/// Those who wait, by their keys.
type Waiters = Deadlines<Thread, Waiter>;

/// Where one of them stands.
type Place = Key<Thread, Waiter>;

static WAITERS: [IrqLock<Waiters>; TREES + 1] =
    [const { IrqLock::new(Rank::Waiters, Waiters::new()) }; TREES + 1];

/// The tree of a key.
fn tree(key: usize) -> &'static IrqLock<Waiters> {
    // Things that are waited for are larger than a cache line.
    let place = if key == ANY { TREES } else { key / 64 % TREES };
    &WAITERS[place]
}

/// Waits for a change of what has `key`, for a signal, or until `deadline`, in nanoseconds since boot, unless `is_over`
/// says that there is nothing to wait for. May also return for no reason.
pub(crate) fn wait(key: usize, deadline: Option<u64>, is_over: impl FnOnce() -> bool) {
    let me = percpu::current();
    me.waits_for.store(key, Relaxed);
    tree(key).lock().insert(&me);
    // Whoever changes something from here on finds this thread.
    if !is_over() {
        match deadline {
            Some(deadline) => sched::park_until(deadline),
            None => sched::park(),
        }
    }
    tree(key).lock().remove(&me);
}

/// What has `key` changed.
pub(crate) fn wake(key: usize) {
    wake_all(key);
    wake_all(ANY);
}

/// Wakes all who wait for `key` by now. Each is met at most once, though it may wait anew meanwhile.
fn wake_all(key: usize) {
    let mut next = Some((key as u64, 0));
    while let Some(place) = next {
        next = wake_some(tree(key), place);
    }
}

/// Wakes some who stand from `place` on, and returns where the others begin.
fn wake_some(tree: &IrqLock<Waiters>, mut place: Place) -> Option<Place> {
    let mut waiters = tree.lock();
    for _ in 0..AT_ONCE {
        let thread = waiters.pop_from(place)?;
        let (number, address) = key::<_, Waiter>(&thread);
        place = (number, address + 1);
        sched::wake(&thread);
    }
    Some(place)
}
