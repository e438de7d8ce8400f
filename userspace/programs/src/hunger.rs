//! Wanting more memory than there is.

use rt::abi::Sysno;
use rt::memory::{self, MAP_NORESERVE, PAGE, PROT_READ, PROT_WRITE};
use rt::probe::store;
use rt::syscall;

/// Bytes of a mapping that no machine can keep.
const HUGE: usize = 32 << 40;

/// The address of far more memory than there is, promised without reserve.
///
/// # Panics
/// If the kernel refuses.
pub fn huge() -> usize {
    memory::mmap(0, HUGE, PROT_READ | PROT_WRITE, MAP_NORESERVE).expect("a promise costs nothing")
}

/// Stores to `pages` pages from `start` on, or until it dies of it.
pub fn eat(start: usize, pages: usize) -> u8 {
    for page in 0..pages {
        store(start + page * PAGE, page as u8);
    }
    0
}

/// Pages that are free now.
///
/// # Panics
/// If the kernel does not say.
pub fn free_pages() -> usize {
    const WORDS: usize = 14;
    const FREE: usize = 5;
    let mut info = [0usize; WORDS];
    let arguments = [(&raw mut info).addr(), 0, 0, 0, 0, 0];
    syscall::raw(Sysno::sysinfo as usize, arguments).expect("sysinfo");
    info[FREE] / PAGE
}
