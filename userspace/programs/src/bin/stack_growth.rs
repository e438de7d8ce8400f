//! Shows that the stack grows by page faults, as far as its limit, and stops before it runs into something else.
//!
//! A program starts with the few pages that hold its arguments. What lies below is not mapped at all; a fault there
//! extends the area, unless the stack would exceed its limit (8 MiB) or come within 256 pages of another mapping: that
//! distance is the guard gap, which keeps a runaway stack from walking into the heap unnoticed.
//! (On Linux the limit is `ulimit -s`; this program expects the usual 8192.)
#![no_std]
#![forbid(unsafe_code)]

use core::hint::black_box;

use programs::lesson::{counted, dies};
use rt::memory::{MAP_FIXED_NOREPLACE, PAGE, PROT_READ, mmap};
use rt::{env, println, probe};

const LIMIT: usize = 8 << 20;
const MIB: usize = 1 << 20;

/// Guard gap in pages.
const GAP: usize = 256;

fn main() {
    let here = black_box(0u8);
    let here = &raw const here as usize & !(PAGE - 1);

    let downwards = || (64..320).for_each(|page| probe::store(here - page * PAGE, 1));
    counted("256 pages downwards, one after another", 256, downwards);
    counted("the same pages again", 0, downwards);
    counted("a jump of 4 MiB within the limit", 1, || {
        probe::store(here - 4 * MIB, 1)
    });
    assert_eq!(probe::load(here - 3 * MIB), 0);
    println!("what was jumped over is stack too, and reads as zero");

    assert_eq!(recurse(2000), 2000 * 2001 / 2);
    println!("2,000 calls deep and back, 1 KiB each: every frame was as it was left");

    let top = stack_top();
    dies("a child stores 64 KiB beyond the limit", || {
        probe::store(top - LIMIT - 64 * 1024, 1)
    });
    dies("a child calls itself without end", || _ = recurse(u64::MAX));
    guard_gap(top);
}

/// Calls itself `depth` times, keeps a KiB on the stack each time, and adds up what it finds there on the way back.
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 128]);
    match depth {
        0 => 0,
        _ => recurse(depth - 1) + frame[(depth % 128) as usize],
    }
}

/// The end of the stack's area: the path of the program is the last thing on it.
fn stack_top() -> usize {
    let path = env::program_path().to_bytes_with_nul().as_ptr_range();
    (path.end as usize).next_multiple_of(PAGE)
}

/// Puts a page in the way, 7 MiB below the top, and lets children come near it.
fn guard_gap(top: usize) {
    let obstacle = top - 7 * MIB;
    mmap(obstacle, PAGE, PROT_READ, MAP_FIXED_NOREPLACE).expect("nothing is mapped there yet");
    let first_free = obstacle + PAGE;
    counted("growing to a guard gap above another mapping", 1, || {
        probe::store(first_free + GAP * PAGE, 1)
    });
    dies("a child stores one byte inside the gap", || {
        probe::store(first_free + GAP * PAGE - 1, 1)
    });
    dies("a child stores next to the mapping", || {
        probe::store(first_free, 1)
    });
    assert_eq!(probe::load(obstacle), 0);
}
