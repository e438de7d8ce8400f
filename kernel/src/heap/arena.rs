//! The arena: a fixed megabyte under `linked_list_allocator`, the boot heap first and the reserve ever after.
//!
//! It works from the first instruction on, before there is a frame to allocate. Its cost grows with the number of holes,
//! which is why it is not the general heap; the few objects of booting, and of being out of memory, don't feel that.
use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use linked_list_allocator::Heap;

use crate::lock::{IrqLock, Rank};

const SIZE: usize = 1 << 20;

/// The arena's bytes, in a static of their own so that they take no room in the kernel's image.
struct Bytes(UnsafeCell<MaybeUninit<[u8; SIZE]>>);

// SAFETY: nobody touches the bytes but `HEAP`, which its lock guards, and the owners of what it handed out.
unsafe impl Sync for Bytes {}

static BYTES: Bytes = Bytes(UnsafeCell::new(MaybeUninit::uninit()));

static HEAP: IrqLock<Heap> = IrqLock::new(Rank::Arena, Heap::empty());

/// Memory of the arena, or `None` where it has no such hole.
pub(super) fn allocate(layout: Layout) -> Option<NonNull<u8>> {
    let mut heap = HEAP.lock();
    if heap.bottom().is_null() {
        // SAFETY: 1. Under the lock and on an empty heap, hence once. 2. The bytes are a static of this size that only
        // this heap uses.
        unsafe { heap.init(BYTES.0.get().cast(), SIZE) };
    }
    heap.allocate_first_fit(layout).ok()
}

/// Whether memory is the arena's.
pub(super) fn contains(pointer: NonNull<u8>) -> bool {
    pointer.addr().get().wrapping_sub(BYTES.0.get().addr()) < SIZE
}

/// Takes memory back.
///
/// # Safety
/// `pointer` came from [`allocate`] with the same layout, and nobody uses it any more.
pub(super) unsafe fn free(pointer: NonNull<u8>, layout: Layout) {
    // SAFETY: the caller's promise.
    unsafe { HEAP.lock().deallocate(pointer, layout) };
}

/// Bytes in use.
pub(super) fn used() -> usize {
    HEAP.lock().used()
}
