//! Shows that an address space does not get slow with its size: the same calls and faults with 10 areas and with 65,500.
//!
//! Finding an area, finding a gap, and cutting or joining areas are logarithmic, so the second column may be a little
//! larger than the first, and no more. Under `--icount` a nanosecond is an instruction and the numbers are exact;
//! `tests/programs` holds them to a factor of three.
#![no_std]
#![forbid(unsafe_code)]

use core::time::Duration;

use rt::memory::{Mapping, PAGE, PROT_NONE, PROT_READ, PROT_WRITE, mmap, munmap};
use rt::{println, probe, time};

/// Areas to have; the machine allows 65,530, of which the program needs a few itself.
const FEW: usize = 10;
const MANY: usize = 65_500;

/// The quickest of so many tries counts.
const TRIES: usize = 32;

/// What is measured, by name.
const NAMES: [&str; 4] = [
    "a fault in the middle",
    "map and unmap a page",
    "map and unmap what fits in no gap",
    "protect a page and back",
];

fn main() {
    let few = measure(FEW);
    let many = measure(MANY);
    for (name, (few, many)) in NAMES.iter().zip(few.iter().zip(&many)) {
        println!(
            "{name}: {} with {FEW} areas, {} with {MANY} areas",
            few.as_nanos(),
            many.as_nanos()
        );
    }
}

/// The costs in a space of `areas` areas, a page each, with a gap of a page above each.
fn measure(areas: usize) -> [Duration; NAMES.len()] {
    let all = Mapping::new(2 * areas);
    for area in 0..areas {
        munmap(all.page(2 * area + 1), PAGE).expect("munmap");
    }
    let middle = all.page(areas / 2 * 2);
    let near = |attempt: usize| middle + 2 * (attempt % areas.min(TRIES) / 2) * PAGE;
    let costs = [
        quickest(|attempt| first_touch(near(attempt))),
        quickest(|_| timed(|| map_and_unmap(PAGE))),
        quickest(|_| timed(|| map_and_unmap(2 * PAGE))),
        quickest(|attempt| timed(|| protect_and_back(near(attempt)))),
    ];
    munmap(all.page(0), all.length()).expect("munmap");
    costs
}

/// The cost of the first store to the page at `address`, which is mapped anew.
fn first_touch(address: usize) -> Duration {
    munmap(address, PAGE).expect("munmap");
    let again = mmap(address, PAGE, PROT_READ | PROT_WRITE, rt::memory::MAP_FIXED);
    assert_eq!(again, Ok(address));
    timed(|| probe::store(address, 1))
}

fn map_and_unmap(length: usize) {
    let address = mmap(0, length, PROT_READ, 0).expect("mmap");
    munmap(address, length).expect("munmap");
}

fn protect_and_back(address: usize) {
    for protection in [PROT_NONE, PROT_READ | PROT_WRITE] {
        rt::memory::mprotect(address, PAGE, protection).expect("mprotect");
    }
}

fn timed(action: impl FnOnce()) -> Duration {
    let before = time::now();
    action();
    time::now() - before
}

fn quickest(mut action: impl FnMut(usize) -> Duration) -> Duration {
    let tries = (0..TRIES).map(&mut action);
    tries.min().expect("there are tries")
}
