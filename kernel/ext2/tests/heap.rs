//! A heap that fails when told to, for what the file system asks for: a block's worth of bytes.
//!
//! Which allocations are the file system's is told by their size, exactly a small volume's block: nothing else here asks
//! for that.
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// What counts.
const BLOCK: usize = 1024;

struct FailingHeap;

#[global_allocator]
static HEAP: FailingHeap = FailingHeap;

thread_local! {
    /// How many more blocks there are, if they are counted.
    static LEFT: Cell<Option<u64>> = const { Cell::new(None) };
    static HAS_FAILED: Cell<bool> = const { Cell::new(false) };
}

/// Lets one block of this thread fail, after `count` that do not.
pub(crate) fn fail_after(count: u64) {
    LEFT.set(Some(count));
    HAS_FAILED.set(false);
}

/// None fails from now on; whether one has.
pub(crate) fn heal() -> bool {
    LEFT.set(None);
    HAS_FAILED.take()
}

/// Whether this allocation is the one to fail.
fn fails(layout: Layout) -> bool {
    if layout.size() != BLOCK || layout.align() != 1 {
        return false;
    }
    // A thread that ends has no counts any more.
    let left = LEFT.try_with(Cell::get).ok().flatten();
    let Some(left) = left else {
        return false;
    };
    LEFT.set(left.checked_sub(1));
    HAS_FAILED.set(HAS_FAILED.get() || left == 0);
    left == 0
}

// SAFETY: what the system's heap gives is passed on, or nothing is.
unsafe impl GlobalAlloc for FailingHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if fails(layout) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: it came from there.
        unsafe { System.dealloc(pointer, layout) }
    }
}
