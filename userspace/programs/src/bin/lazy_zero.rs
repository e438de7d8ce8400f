//! Shows that `mmap` hands out a promise, kept page by page: nothing at first, the zero page on a read, a frame on a write.
//!
//! Each step is counted in page faults. The first read of a page faults and finds the one zero page that everybody
//! shares; the first write faults again, because only now is there something to remember. After that the processor finds
//! its way alone.
#![no_std]
#![forbid(unsafe_code)]

use programs::lesson::counted;
use rt::memory::{Mapping, is_zero};
use rt::{println, probe};

const PAGES: usize = 64;

fn main() {
    let memory = Mapping::new(PAGES);
    println!("{PAGES} pages mapped; none of them has been touched.");

    counted("reading each page", PAGES, || assert!(memory.holds(0)));
    counted("reading each page again", 0, || {
        assert!(memory.each_page().all(is_zero))
    });
    println!("  every byte is zero: it is the zero page, {PAGES} times");

    counted("writing to each page", PAGES, || memory.fill(0x5a));
    counted("writing to each page again", 0, || memory.fill(0xa5));
    counted("reading them back", 0, || assert!(memory.holds(0xa5)));
    println!("  each page has a frame of its own now");
    memory.unmap();

    let memory = Mapping::new(PAGES);
    counted("writing to pages that were never read", PAGES, || {
        memory.fill(1)
    });
    memory.unmap();

    counted("mapping and unmapping without a touch", 0, || {
        Mapping::new(PAGES).unmap()
    });
    reused_frames_are_clean();
}

/// Fills pages and gives them back, over and over: none may come back with its old contents.
fn reused_frames_are_clean() {
    for round in 0..32 {
        let memory = Mapping::new(PAGES);
        for page in memory.each_page() {
            assert_eq!(probe::load_word(page + 2048), 0, "round {round}");
            probe::store_word(page + 2048, u64::MAX);
        }
        memory.unmap();
    }
    println!("given back full and mapped again 32 times: always zero");
}
