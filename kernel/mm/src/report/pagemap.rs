//! `pagemap`: a word for each page of an address space, mapped or not.
//!
//! ```text
//!  63  in memory          62  in a swap area     61  a file's page, or shared memory
//!  56  nobody else maps it                       54-0  the frame's number; of a swapped page, the area (5 bits) and slot
//! ```
//! The soft-dirty bit (55) stays clear, as on a Linux without CONFIG_MEM_SOFT_DIRTY.
use crate::frame::Use;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::Page;
use crate::pte::{Leaf, Pte};
use crate::space::AddressSpace;
use crate::sync::atomic::Ordering::Acquire;
use crate::vma::VmFlags;

const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;
const FILE: u64 = 1 << 61;
const EXCLUSIVE: u64 = 1 << 56;

/// Whether the reader may know where in memory pages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frames {
    /// Root may.
    Shown,
    /// Others read 0.
    Hidden,
}

/// Fills `words` with the words of pages from `first` on.
pub fn pagemap<M: Machine>(
    space: &AddressSpace,
    memory: &Memory<M>,
    first: Page,
    frames: Frames,
    words: &mut [u64],
) {
    words.fill(0);
    let end = first + words.len() as u64;
    let pages = first..end.min(crate::space::USER_END);
    space.table().each_entry(memory, pages, |page, entry| {
        let entry = Pte::decode(entry.load(Acquire));
        words[(page - first) as usize] = word(memory, entry, frames);
    });
    let pages = first..end;
    let areas = space.areas().within(&pages);
    for vma in areas.filter(|vma| vma.flags.contains(VmFlags::RAW)) {
        words[(vma.start - first) as usize] = 0;
    }
}

fn word<M: Machine>(memory: &Memory<M>, entry: Pte, frames: Frames) -> u64 {
    let shown = |number: u64| match frames {
        Frames::Shown => number,
        Frames::Hidden => 0,
    };
    match entry {
        Pte::Empty => 0,
        Pte::Swapped(slot) => SWAPPED | shown(slot.slot << 5 | u64::from(slot.area)),
        Pte::Mapped(leaf) | Pte::Protected(leaf) => {
            PRESENT | kind(memory, leaf) | shown(leaf.frame.number().into())
        }
    }
}

/// The bits that depend on what the frame is. The zero page is nobody's.
fn kind<M: Machine>(memory: &Memory<M>, leaf: Leaf) -> u64 {
    let record = memory.record(leaf.frame);
    let mut bits = match record.usage() {
        Use::Zero => return 0,
        Use::File | Use::Shared => FILE,
        _ => 0,
    };
    if record.mappings() == 1 {
        bits |= EXCLUSIVE;
    }
    bits
}
