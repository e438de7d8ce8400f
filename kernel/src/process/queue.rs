//! Queues that need no memory: what is queued carries the links, so that waking a thread can't fail.
//!
//! Whoever owns a queue guards its links; the locks around them only say so to the compiler and are never waited for.
use alloc::sync::Arc;

use spin::Mutex;

/// What can stand in a [`Fifo`]: in one at most, once at most.
pub(super) trait Queued: Sized {
    /// The next one behind it.
    fn next(&self) -> &Mutex<Option<Arc<Self>>>;
}

/// Those that wait for their turn, the one that waited longest first.
pub(super) struct Fifo<T: Queued> {
    first: Option<Arc<T>>,
    last: Option<Arc<T>>,
}

impl<T: Queued> Fifo<T> {
    pub(super) const fn new() -> Self {
        Self {
            first: None,
            last: None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn push(&mut self, item: Arc<T>) {
        match self.last.replace(item.clone()) {
            Some(last) => *last.next().lock() = Some(item),
            None => self.first = Some(item),
        }
    }

    pub(super) fn pop(&mut self) -> Option<Arc<T>> {
        let first = self.first.take()?;
        self.first = first.next().lock().take();
        if self.first.is_none() {
            self.last = None;
        }
        Some(first)
    }
}

/// One by one: a chain that is dropped as a whole drops the next from within the one before, stack frame upon stack frame.
impl<T: Queued> Drop for Fifo<T> {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}
