//! Which part of the heap serves a layout: a slab of objects of one size, or a block of whole frames.
use core::alloc::Layout;

use mm::PAGE_SIZE;
use mm::buddy::MAX_ORDER;

/// The sizes of objects in slabs: powers of two, what lies halfway between, and a third of a page. An object is aligned
/// to the largest power of two that divides its size.
pub(crate) const SIZES: [usize; 14] = [
    16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1360, 2048,
];

/// Who serves a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// The slabs of objects of `SIZES[class]` bytes.
    Slab(usize),
    /// A block of 2^order frames.
    Block(u32),
}

impl Server {
    /// Who serves `layout`; `None` where nobody can. Every block is aligned to its size.
    pub(crate) fn of(layout: Layout) -> Option<Self> {
        let fits = |&size: &usize| size >= layout.size() && size.is_multiple_of(layout.align());
        if let Some(class) = SIZES.iter().position(fits) {
            return Some(Self::Slab(class));
        }
        let bytes = layout.size().max(layout.align());
        let order = bytes
            .div_ceil(PAGE_SIZE as usize)
            .checked_next_power_of_two()?
            .ilog2();
        (order <= MAX_ORDER).then_some(Self::Block(order))
    }
}
