//! A heap that fails when told to: what ring 3 can cause to be allocated must survive each failure.
//!
//! The countdown belongs to the thread, so that seeds run side by side. An allocation that can't fail (`Vec::push`,
//! `format!`) inside a verb of `mm` ends the whole process here, which is the point.
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The heap of every program that links the simulator.
pub struct FailingHeap;

#[global_allocator]
static HEAP: FailingHeap = FailingHeap;

thread_local! {
    /// Allocations that still succeed; `None` while the heap works as usual.
    static COUNTDOWN: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Runs `body` on a heap whose allocation number `index` (from 0), and every later one, fails. Also tells whether it
/// came to that.
pub fn failing_at<R>(index: u64, body: impl FnOnce() -> R) -> (R, Fired) {
    COUNTDOWN.set(Some(index + 1));
    let result = body();
    let fired = match COUNTDOWN.take() {
        Some(0) => Fired::Yes,
        _ => Fired::No,
    };
    (result, fired)
}

/// Whether an allocation was made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fired {
    /// At least one was.
    Yes,
    /// None was asked for in time.
    No,
}

/// Counts one allocation; true where it must fail.
fn must_fail() -> bool {
    let Some(left) = COUNTDOWN.get() else {
        return false;
    };
    let left = left.saturating_sub(1);
    COUNTDOWN.set(Some(left));
    left == 0
}

// SAFETY: every block comes from and goes back to `System` with the layout that the caller gave; failing is allowed.
unsafe impl GlobalAlloc for FailingHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if must_fail() {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller keeps `alloc`'s contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if must_fail() {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller keeps `realloc`'s contract, which is the same.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract, and the block is `System`'s.
        unsafe { System.dealloc(block, layout) }
    }
}
