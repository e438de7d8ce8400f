//! A slot of a file's index: the address of the page's frame, and marks below it. All of a page's state is this one word,
//! so that it changes by one compare-and-set.
//!
//! ```text
//!  63 ........ 12   5         4       3          2      1        0
//!  frame number     RESERVED  BACKED  WRITEBACK  DIRTY  READING  PRESENT      all 0: absent
//! ```
//! Three marks are for files on a disk. DIRTY and WRITEBACK are the page's, hence only beside PRESENT; what is DIRTY
//! is BACKED. Whoever sets a mark holds the frame or the lock of the file's books, and only [`READING`] and [`WRITEBACK`]
//! keep a page from being dropped.
//!
//! RESERVED is for files in memory: fallocate took the frame, and nobody has come for it. It is zeroes, and the slot alone
//! leads to it, so who reads needs no look at it. The mark comes with the frame, and goes for good when somebody wants the
//! page.
use super::Lookup;
use crate::frame::Frame;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::PAGE_SHIFT;
use crate::sync::atomic::{AtomicU64, Ordering::Acquire};

/// Not in memory.
pub(super) const ABSENT: u64 = 0;
/// In memory.
pub(super) const PRESENT: u64 = 1 << 0;
/// On its way there.
pub(super) const READING: u64 = 1 << 1;
/// It differs from what the disk has.
pub(super) const DIRTY: u64 = 1 << 2;
/// It is on its way to the disk.
pub(super) const WRITEBACK: u64 = 1 << 3;
/// The file system has a place on the disk for all of it that the file reaches to: it may become dirty.
pub(super) const BACKED: u64 = 1 << 4;
/// It is in memory, but for all who look still a hole: see [`Lookup::Reserved`].
pub(super) const RESERVED: u64 = 1 << 5;

/// The state in `slot`.
pub(super) fn look<M: Machine>(memory: &Memory<M>, slot: &AtomicU64) -> Lookup {
    loop {
        let bits = slot.load(Acquire);
        if bits == ABSENT {
            return Lookup::Absent;
        }
        if bits & (READING | RESERVED) != 0 {
            return if bits & READING != 0 {
                Lookup::Reading
            } else {
                Lookup::Reserved
            };
        }
        // Whoever takes the page out of the cache may free the frame right now.
        let frame = frame(bits);
        if memory.hold_if(frame, || slot.load(Acquire) == bits) {
            return Lookup::Ready(frame);
        }
    }
}

/// The frame in a slot that has one.
pub(super) fn frame(bits: u64) -> Frame {
    Frame::from_number((bits >> PAGE_SHIFT) as u32)
}

/// Whether a slot says that its page is in memory for all to see.
pub(super) fn is_ready(bits: u64) -> bool {
    bits & (PRESENT | RESERVED) == PRESENT
}

/// Whether a slot says that its page is in memory, in `frame`. Of a page that is reserved nobody has the frame.
pub(super) fn shows(bits: u64, frame: Frame) -> bool {
    const MARKS: u64 = DIRTY | WRITEBACK | BACKED;
    bits & !MARKS == frame.address() | PRESENT
}
