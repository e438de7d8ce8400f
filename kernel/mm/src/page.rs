//! Virtual pages: numbers of 4 KiB pieces of an address space, so that addresses and page numbers can't be mixed up.
//!
//! A `Page` counts pages, a `u64` address counts bytes; the two meet only in the conversions below. Numbers are those
//! of the lower, user half: ring 3 never names a page of the kernel's half.
use core::ops::{Add, Range, Sub};

/// Bytes in a page and in a frame.
pub const PAGE_SIZE: u64 = 1 << PAGE_SHIFT;

/// Binary logarithm of [`PAGE_SIZE`].
pub const PAGE_SHIFT: u32 = 12;

/// The number of the last page that 64 bits can address.
pub(crate) const LAST: u64 = u64::MAX >> PAGE_SHIFT;

/// The number of a 4 KiB virtual page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Page(u64);

impl Page {
    /// The page with this number.
    #[inline]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The page that holds the byte at `address`.
    #[inline]
    pub const fn containing(address: u64) -> Self {
        Self(address >> PAGE_SHIFT)
    }

    /// The page's number.
    #[inline]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The address of the page's first byte.
    #[inline]
    pub const fn address(self) -> u64 {
        self.0 << PAGE_SHIFT
    }

    /// The page `count` pages below, or page 0.
    pub const fn saturating_sub(self, count: u64) -> Self {
        Self(self.0.saturating_sub(count))
    }
}

impl Add<u64> for Page {
    type Output = Self;
    fn add(self, pages: u64) -> Self {
        Self(self.0 + pages)
    }
}

impl Sub<u64> for Page {
    type Output = Self;
    fn sub(self, pages: u64) -> Self {
        Self(self.0 - pages)
    }
}

/// The distance in pages.
impl Sub for Page {
    type Output = u64;
    fn sub(self, other: Self) -> u64 {
        self.0 - other.0
    }
}

/// How many pages `range` holds; 0 where it is empty or upside down.
pub fn count(range: &Range<Page>) -> u64 {
    range.end.0.saturating_sub(range.start.0)
}

/// The pages common to both ranges; possibly empty.
pub fn intersection(a: &Range<Page>, b: &Range<Page>) -> Range<Page> {
    a.start.max(b.start)..a.end.min(b.end)
}
