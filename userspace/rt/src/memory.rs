//! The calls that change the address space, and a small type for the commonest result: fresh anonymous pages.
//!
//! Addresses are plain numbers (see the crate's first page), flags are Linux's own constants.

use abi::{Errno, Sysno};

use crate::probe;
use crate::syscall::call;

pub use abi::general::{
    MAP_32BIT, MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_GROWSDOWN, MAP_HUGETLB,
    MAP_LOCKED, MAP_NONBLOCK, MAP_NORESERVE, MAP_POPULATE, MAP_PRIVATE, MAP_SHARED, MAP_STACK,
    MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE, PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE,
};

/// Bytes in a page.
pub const PAGE: usize = 4096;

/// Maps `length` bytes of anonymous private memory near or, with `MAP_FIXED`, at `address`; `flags` are added.
pub fn mmap(address: usize, length: usize, protection: u32, flags: u32) -> Result<usize, Errno> {
    const NO_FILE: usize = -1isize as usize;
    let flags = flags | MAP_PRIVATE | MAP_ANONYMOUS;
    call(
        Sysno::mmap,
        [
            address,
            length,
            protection as usize,
            flags as usize,
            NO_FILE,
            0,
        ],
    )
}

/// Maps `length` bytes of memory at `address` that children of this process share with it.
pub fn share(address: usize, length: usize, protection: u32) -> Result<usize, Errno> {
    const NO_FILE: usize = -1isize as usize;
    let flags = MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED;
    let (protection, flags) = (protection as usize, flags as usize);
    call(
        Sysno::mmap,
        [address, length, protection, flags, NO_FILE, 0],
    )
}

/// Takes away whatever is mapped in `[address, address + length)`.
pub fn munmap(address: usize, length: usize) -> Result<(), Errno> {
    call(Sysno::munmap, [address, length]).map(drop)
}

/// Changes what may be done with `[address, address + length)`.
pub fn mprotect(address: usize, length: usize, protection: u32) -> Result<(), Errno> {
    call(Sysno::mprotect, [address, length, protection as usize]).map(drop)
}

/// Moves or resizes what is mapped in `old` bytes at `address`; `target` counts with `MREMAP_FIXED`.
pub fn mremap(
    address: usize,
    old: usize,
    new: usize,
    flags: u32,
    target: usize,
) -> Result<usize, Errno> {
    call(Sysno::mremap, [address, old, new, flags as usize, target])
}

/// Tells the kernel what is known of `[address, address + length)`; `advice` is one of `MADV_*`.
pub fn madvise(address: usize, length: usize, advice: u32) -> Result<(), Errno> {
    call(Sysno::madvise, [address, length, advice as usize]).map(drop)
}

/// Has what was stored in memory that shows files survive the loss of power, by MS_SYNC: msync(2).
pub fn msync(address: usize, length: usize, flags: u32) -> Result<(), Errno> {
    call(Sysno::msync, [address, length, flags as usize]).map(drop)
}

/// Asks which pages of `[address, address + length)` are in memory: a byte for each.
///
/// # Panics
/// If there is no room for the answer.
pub fn mincore(address: usize, length: usize, resident: &mut [u8]) -> Result<(), Errno> {
    assert!(length.div_ceil(PAGE) <= resident.len());
    call(
        Sysno::mincore,
        [address, length, resident.as_mut_ptr() as usize],
    )
    .map(drop)
}

/// Keeps the pages of `[address, address + length)` in memory.
pub fn mlock(address: usize, length: usize) -> Result<(), Errno> {
    call(Sysno::mlock, [address, length]).map(drop)
}

/// Keeps them there no longer.
pub fn munlock(address: usize, length: usize) -> Result<(), Errno> {
    call(Sysno::munlock, [address, length]).map(drop)
}

/// Asks for the end of the heap to be at `end`; the answer is where it is, moved or not.
pub fn brk(end: usize) -> usize {
    call(Sysno::brk, [end]).expect("brk answers with an address, never with an errno")
}

/// Some pages of anonymous private memory, readable and writable. They stay until [`Mapping::unmap`].
#[derive(Clone, Copy)]
pub struct Mapping {
    start: usize,
    pages: usize,
}

impl Mapping {
    /// Maps `pages` fresh pages anywhere.
    ///
    /// # Panics
    /// If the kernel refuses.
    pub fn new(pages: usize) -> Self {
        Self::with(pages, PROT_READ | PROT_WRITE, 0)
    }

    /// Maps `pages` fresh pages anywhere, with a protection and flags of the caller's.
    ///
    /// # Panics
    /// If the kernel refuses.
    pub fn with(pages: usize, protection: u32, flags: u32) -> Self {
        let start = mmap(0, pages * PAGE, protection, flags).expect("mmap");
        Self { start, pages }
    }

    /// `pages` pages at `start` that somebody has mapped, or will.
    pub fn at(start: usize, pages: usize) -> Self {
        Self { start, pages }
    }

    /// How many bytes it spans.
    pub fn length(self) -> usize {
        self.pages * PAGE
    }

    /// The address of page `index`; one past the last is its end.
    pub fn page(self, index: usize) -> usize {
        assert!(index <= self.pages, "page {index} of {}", self.pages);
        self.start + index * PAGE
    }

    /// The addresses of its pages, in order.
    pub fn each_page(self) -> impl Iterator<Item = usize> {
        (0..self.pages).map(move |index| self.page(index))
    }

    /// Stores `byte` at the start of each page.
    pub fn fill(self, byte: u8) {
        self.each_page().for_each(|page| probe::store(page, byte));
    }

    /// Whether the first byte of each page is `byte`; one load a page.
    pub fn holds(self, byte: u8) -> bool {
        self.each_page().all(|page| probe::load(page) == byte)
    }

    /// Changes the protection of `count` pages from page `first`.
    pub fn protect(self, first: usize, count: usize, protection: u32) -> Result<(), Errno> {
        mprotect(self.page(first), count * PAGE, protection)
    }

    /// Gives it back.
    ///
    /// # Panics
    /// If the kernel refuses.
    pub fn unmap(self) {
        munmap(self.start, self.length()).expect("munmap");
    }
}

/// Whether all bytes of the page at `address` are zero.
pub fn is_zero(page: usize) -> bool {
    (page..page + PAGE)
        .step_by(8)
        .all(|address| probe::load_word(address) == 0)
}
