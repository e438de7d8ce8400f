//! Queues that need no memory: what is queued carries the links, so that waking a thread can't fail.
//!
//! A thread is in each queue at most once. The scheduler's lock guards all links; the locks around them only say so to
//! the compiler and are never waited for.
use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;

use spin::Mutex;

use super::thread::Thread;

/// The next thread in a queue.
pub(super) type Link = Mutex<Option<Arc<Thread>>>;

/// Threads that are ready, the one that waited longest first.
pub(super) struct Ready {
    first: Option<Arc<Thread>>,
    last: Option<Arc<Thread>>,
}

impl Ready {
    pub(super) const fn new() -> Self {
        Self {
            first: None,
            last: None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn push(&mut self, thread: Arc<Thread>) {
        match self.last.replace(thread.clone()) {
            Some(last) => *last.next_ready.lock() = Some(thread),
            None => self.first = Some(thread),
        }
    }

    pub(super) fn pop(&mut self) -> Option<Arc<Thread>> {
        let first = self.first.take()?;
        self.first = first.next_ready.lock().take();
        if self.first.is_none() {
            self.last = None;
        }
        Some(first)
    }
}

/// What can be queued by a deadline; at most once at a time.
pub(super) trait Timed: Sized {
    /// When its time comes, in nanoseconds since boot.
    fn deadline(&self) -> u64;
    /// The next one in the queue.
    fn next(&self) -> &Mutex<Option<Arc<Self>>>;
}

impl Timed for Thread {
    fn deadline(&self) -> u64 {
        self.deadline.load(Relaxed)
    }

    fn next(&self) -> &Link {
        &self.next_sleeper
    }
}

/// Those whose time comes by itself, the earliest first.
pub(super) struct Deadlines<T> {
    first: Mutex<Option<Arc<T>>>,
}

impl<T: Timed> Deadlines<T> {
    pub(super) const fn new() -> Self {
        Self {
            first: Mutex::new(None),
        }
    }

    /// Adds `item`, whose deadline is set, behind those that are not later.
    pub(super) fn insert(&mut self, item: &Arc<T>) {
        let deadline = item.deadline();
        self.at(
            |other| other.deadline() > deadline,
            |link| {
                *item.next().lock() = link.replace(item.clone());
            },
        );
    }

    /// Takes `item`, which the caller keeps, out, if it is still in.
    pub(super) fn remove(&mut self, item: &Arc<T>) {
        let same = |other: &Arc<T>| Arc::ptr_eq(other, item);
        self.at(same, |link| {
            if link.is_some() {
                *link = item.next().lock().take();
            }
        });
    }

    /// Takes the first out if its time has come.
    pub(super) fn pop_due(&mut self, now: u64) -> Option<Arc<T>> {
        let first = self.first.get_mut();
        let due = first.take_if(|item| item.deadline() <= now)?;
        *first = due.next().lock().take();
        Some(due)
    }

    /// Runs `change` on the link to the first item that is `wanted`, or on the last link.
    fn at(&mut self, wanted: impl Fn(&Arc<T>) -> bool, change: impl FnOnce(&mut Option<Arc<T>>)) {
        let mut holder: Option<Arc<T>> = None;
        loop {
            let mut link = holder
                .as_ref()
                .map_or(&self.first, |item| item.next())
                .lock();
            match &*link {
                Some(item) if !wanted(item) => {
                    let next = item.clone();
                    drop(link);
                    holder = Some(next);
                }
                _ => return change(&mut link),
            }
        }
    }
}
