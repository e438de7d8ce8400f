//! Shows `MAP_POPULATE`: all promises kept at once, so that no access faults later.
//!
//! It costs the same frames, but the program pays at a time of its choosing. A mapping that can't be written is
//! populated with the zero page; one that can, with frames.
#![no_std]
#![forbid(unsafe_code)]

use programs::lesson::{counted, dies};
use rt::memory::{MAP_POPULATE, Mapping, PROT_NONE, PROT_READ, PROT_WRITE};
use rt::{println, probe};

const PAGES: usize = 64;

fn main() {
    let lazy = Mapping::new(PAGES);
    counted("mapped lazily, then written", PAGES, || lazy.fill(1));
    lazy.unmap();

    let ready = Mapping::with(PAGES, PROT_READ | PROT_WRITE, MAP_POPULATE);
    counted("populated, then written", 0, || ready.fill(1));
    counted("and read", 0, || assert!(ready.holds(1)));
    ready.unmap();

    let ready = Mapping::with(PAGES, PROT_READ, MAP_POPULATE);
    counted("populated read-only, then read", 0, || {
        assert!(ready.holds(0))
    });
    dies("a child stores there", || probe::store(ready.page(0), 1));
    ready.unmap();

    let closed = Mapping::with(PAGES, PROT_NONE, MAP_POPULATE);
    println!("populated without any right: the mapping is there all the same");
    dies("a child loads from it", || _ = probe::load(closed.page(0)));
    closed.unmap();
}
