//! Memory that devices read and write: what the crate of virtio needs of the machine.
//!
//! A device sees physical addresses. All that it is shown lies in the direct map, so its address there tells the physical
//! one. There is no translation between devices and memory here: a device may write to any frame that it was told of, so
//! whoever tells it keeps the frame until the device is done, or has been reset.
use core::ops::Range;
use core::ptr::NonNull;

use virtio_drivers::{BufferDirection, Hal, PhysAddr};

use super::direct_map::pointer_to;
use super::layout::{DIRECT_MAP, PAGE};
use super::memory::memory;
use super::paging::{Cache, ioremap};

/// The machine, as virtio's crate asks it.
pub(crate) struct Dma;

/// In place of a block, where there is none.
const NONE: (PhysAddr, NonNull<u8>) = (0, NonNull::dangling());

// SAFETY: 1. blocks come from `mm`, aligned and whole, and are nobody else's until they are given back.
//         2. mappings of devices are uncached and last for good.
//         3. addresses of shared buffers are those by which the device reaches the same bytes.
unsafe impl Hal for Dma {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let order = pages.next_power_of_two().ilog2();
        let Ok(first) = memory().allocate(order) else {
            return NONE;
        };
        let start = pointer_to::<u8>(first.address());
        // SAFETY: the block is this big, in the direct map, and nobody else's.
        unsafe { start.write_bytes(0, (PAGE as usize) << order) };
        NonNull::new(start).map_or(NONE, |start| (first.address(), start))
    }

    unsafe fn dma_dealloc(physical: PhysAddr, _: NonNull<u8>, _: usize) -> i32 {
        let block = u32::try_from(physical / PAGE).ok();
        match block.and_then(|number| memory().kernel_block(number)) {
            Some(block) => {
                memory().free(block);
                0
            }
            None => -1,
        }
    }

    unsafe fn mmio_phys_to_virt(physical: PhysAddr, size: usize) -> NonNull<u8> {
        let mapped = ioremap(physical, size as u64, Cache::Uncached).ok();
        mapped
            .and_then(NonNull::new)
            .expect("at boot there is memory for tables of a device's registers")
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        buffer.cast::<u8>().addr().get() as u64 - DIRECT_MAP
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}

/// Bytes of a frame as a buffer for a device.
///
/// # Safety
/// For as long as the caller lets the slice live nobody else refers to the bytes as anything but atomics; and those that
/// the device writes are not looked at before it is done: until then only the slice's address counts.
pub(crate) unsafe fn buffer<'a>(frame: mm::Frame, bytes: Range<usize>) -> &'a mut [u8] {
    assert!(
        bytes.start <= bytes.end && bytes.end <= PAGE as usize,
        "a device is told of {bytes:?} of a frame"
    );
    let start = pointer_to::<u8>(frame.address() + bytes.start as u64);
    // SAFETY: the bytes are the frame's, which lies in the direct map for good; the rest is the caller's promise.
    unsafe { core::slice::from_raw_parts_mut(start, bytes.len()) }
}
