//! Waiting for a change of something: whoever changes it wakes all who wait, and they look again.
//!
//! What is waited for is only a key, the address of the thing, so anything can be waited for and waking needs no memory.
//! Threads stand in the list that their key falls into; those that wait for several things at once, in one for all keys.
use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;

use super::sched;
use super::thread::Thread;
use crate::arch::percpu;
use crate::lock::{IrqLock, Rank};

/// The key of those who wait for several things.
pub(crate) const ANY: usize = 0;

/// Lists for keys; one more is for [`ANY`].
const LISTS: usize = 32;

static WAITERS: [IrqLock<List>; LISTS + 1] =
    [const { IrqLock::new(Rank::Waiters, List { first: None }) }; LISTS + 1];

/// Threads, linked through themselves.
struct List {
    first: Option<Arc<Thread>>,
}

impl List {
    fn push(&mut self, thread: Arc<Thread>) {
        *thread.next_waiter.lock() = self.first.take();
        self.first = Some(thread);
    }

    fn remove(&mut self, thread: &Arc<Thread>) {
        let mut rest = self.first.take();
        while let Some(next) = rest {
            rest = next.next_waiter.lock().take();
            if !Arc::ptr_eq(&next, thread) {
                self.push(next);
            }
        }
    }

    fn wake(&self, key: usize) {
        let mut next = self.first.clone();
        while let Some(thread) = next {
            if thread.waits_for.load(Relaxed) == key {
                sched::wake(&thread);
            }
            next = thread.next_waiter.lock().clone();
        }
    }
}

/// The list of a key.
fn list(key: usize) -> &'static IrqLock<List> {
    // Things that are waited for are larger than a cache line.
    let place = if key == ANY { LISTS } else { key / 64 % LISTS };
    &WAITERS[place]
}

/// Waits for a change of what has `key`, for a signal, or until `deadline`, in nanoseconds since boot, unless `is_over`
/// says that there is nothing to wait for. May also return for no reason.
pub(crate) fn wait(key: usize, deadline: Option<u64>, is_over: impl FnOnce() -> bool) {
    let me = percpu::current();
    me.waits_for.store(key, Relaxed);
    list(key).lock().push(me.clone());
    // Whoever changes something from here on finds this thread.
    if !is_over() {
        match deadline {
            Some(deadline) => sched::park_until(deadline),
            None => sched::park(),
        }
    }
    list(key).lock().remove(&me);
}

/// What has `key` changed.
pub(crate) fn wake(key: usize) {
    list(key).lock().wake(key);
    list(ANY).lock().wake(ANY);
}
