//! The global allocator: addresses on one side, frames and the arena on the other.
//!
//! The only unsafe code of the heap is here and in the arena. What makes it sound: an address of the direct map names
//! one frame, and what [`Slabs`] hands out is nobody else's until it is freed.
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{NonNull, null_mut, with_exposed_provenance_mut};

use mm::PAGE_SIZE;

use super::sizes::Server;
use super::slab::Place;
use super::{SCARCITY, SLABS, Slabs, arena, is_reserved};
use crate::arch::layout::DIRECT_MAP;

/// The kernel's heap, for `alloc`.
struct KernelHeap;

#[global_allocator]
static KERNEL_HEAP: KernelHeap = KernelHeap;

// SAFETY: 1. Live allocations don't overlap: the arena's and the buddy's don't by their contracts, and a slab gives no
// object out twice. 2. They are as large and as aligned as asked: `Server::of` chose so. 3. Nothing here unwinds.
unsafe impl GlobalAlloc for KernelHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let memory = match SLABS.get() {
            None => arena::allocate(layout),
            Some(slabs) if is_reserved() => {
                arena::allocate(layout).or_else(|| allocate(slabs, layout))
            }
            Some(_) if SCARCITY.strikes() => None,
            Some(slabs) => allocate(slabs, layout),
        };
        memory.map_or(null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let Some(pointer) = NonNull::new(pointer) else {
            return;
        };
        if arena::contains(pointer) {
            // SAFETY: the caller hands back what `alloc` gave out with this layout, and the arena gave out this address.
            unsafe { arena::free(pointer, layout) };
        } else if let Some(slabs) = SLABS.get() {
            free(slabs, pointer, layout);
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the new size, rounded up to the alignment, does not overflow.
        let wanted = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        if stays(pointer, layout, wanted) {
            return pointer;
        }
        // SAFETY: the caller promises that the new size is not zero.
        let target = unsafe { self.alloc(wanted) };
        if !target.is_null() {
            // SAFETY: both are as long as the shorter of the two sizes, and the new one is nobody else's.
            unsafe { pointer.copy_to_nonoverlapping(target, layout.size().min(new_size)) };
            // SAFETY: the caller hands back what `alloc` gave out with this layout.
            unsafe { self.dealloc(pointer, layout) };
        }
        target
    }
}

/// Whether memory need not move to take on another size: the same slab or block would serve it.
fn stays(pointer: *mut u8, from: Layout, to: Layout) -> bool {
    let is_arenas = NonNull::new(pointer).is_some_and(arena::contains);
    !is_arenas && Server::of(from) == Server::of(to)
}

fn allocate(slabs: &Slabs, layout: Layout) -> Option<NonNull<u8>> {
    let place = match Server::of(layout)? {
        Server::Slab(class) => slabs.allocate(class)?,
        Server::Block(order) => Place {
            frame: slabs.allocate_block(order)?,
            offset: 0,
        },
    };
    let address = DIRECT_MAP as usize + place.frame.address() as usize + place.offset;
    NonNull::new(with_exposed_provenance_mut(address))
}

fn free(slabs: &Slabs, pointer: NonNull<u8>, layout: Layout) {
    let address = (pointer.expose_provenance().get() - DIRECT_MAP as usize) as u64;
    let (number, offset) = (address / PAGE_SIZE, (address % PAGE_SIZE) as usize);
    let frame = u32::try_from(number)
        .ok()
        .and_then(|number| slabs.memory.kernel_block(number));
    match (Server::of(layout), frame) {
        (Some(Server::Slab(class)), Some(frame)) => slabs.free(class, Place { frame, offset }),
        (Some(Server::Block(order)), Some(frame)) => slabs.free_block(frame, order),
        _ => panic!("{pointer:?} with {layout:?} is freed, but frame {number} is not the heap's"),
    }
}
