//! Queues of threads that need no memory: each thread carries the links, so that waking one can't fail.
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

/// Threads that wake by themselves, the earliest first.
pub(super) struct Sleepers {
    first: Link,
}

impl Sleepers {
    pub(super) const fn new() -> Self {
        Self {
            first: Mutex::new(None),
        }
    }

    /// Adds `thread`, whose deadline is set, behind those that are not later.
    pub(super) fn insert(&mut self, thread: &Arc<Thread>) {
        let deadline = thread.deadline.load(Relaxed);
        let before = |other: &Arc<Thread>| other.deadline.load(Relaxed) <= deadline;
        self.at(
            |other| !before(other),
            |link| {
                *thread.next_sleeper.lock() = link.replace(thread.clone());
            },
        );
    }

    /// Takes `thread` out, if it is still in.
    pub(super) fn remove(&mut self, thread: &Arc<Thread>) {
        let same = |other: &Arc<Thread>| Arc::ptr_eq(other, thread);
        self.at(same, |link| {
            if link.is_some() {
                *link = thread.next_sleeper.lock().take();
            }
        });
    }

    /// Takes the first out if its time has come.
    pub(super) fn pop_due(&mut self, now: u64) -> Option<Arc<Thread>> {
        let first = self.first.get_mut();
        let due = first.take_if(|thread| thread.deadline.load(Relaxed) <= now)?;
        *first = due.next_sleeper.lock().take();
        Some(due)
    }

    /// Runs `change` on the link to the first thread that is `wanted`, or on the last link.
    fn at(
        &mut self,
        wanted: impl Fn(&Arc<Thread>) -> bool,
        change: impl FnOnce(&mut Option<Arc<Thread>>),
    ) {
        let mut holder: Option<Arc<Thread>> = None;
        loop {
            let mut link = holder
                .as_ref()
                .map_or(&self.first, |thread| &thread.next_sleeper)
                .lock();
            match &*link {
                Some(thread) if !wanted(thread) => {
                    let next = thread.clone();
                    drop(link);
                    holder = Some(next);
                }
                _ => return change(&mut link),
            }
        }
    }
}
