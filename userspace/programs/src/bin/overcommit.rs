//! Shows what a promise of memory costs: nothing, as long as it might be kept.
//!
//! By default (mode 0 of `vm.overcommit_memory`) only what can never be kept is refused: one promise of more than all
//! memory. Called with the word `strict` the program expects mode 2: no more than half of memory in all, and no
//! exceptions.
#![no_std]
#![forbid(unsafe_code)]

use programs::lesson::ends;
use rt::memory::{MAP_NORESERVE, PAGE, PROT_NONE, PROT_READ, PROT_WRITE, mmap, mprotect, munmap};
use rt::process::{Status, fork};
use rt::{Errno, env, println, system};

const READ_WRITE: u32 = PROT_READ | PROT_WRITE;

fn main() {
    let memory = system::total_memory().expect("sysinfo") & !(2 * PAGE - 1);
    if env::arg(1) == Some("strict") {
        strict(memory);
    } else {
        generous(memory);
    }
}

/// Mode 0.
fn generous(memory: usize) {
    let more = 2 * memory;
    assert_eq!(mmap(0, more, READ_WRITE, 0), Err(Errno::ENOMEM));
    println!("twice the memory that there is, to be written: ENOMEM");

    for (what, protection, flags) in [
        ("to be read", PROT_READ, 0),
        ("to be written, without reserve", READ_WRITE, MAP_NORESERVE),
    ] {
        let start = mmap(0, more, protection, flags).expect("mmap");
        println!("twice the memory that there is, {what}: fine");
        munmap(start, more).expect("munmap");
    }

    let start = mmap(0, more, PROT_NONE, 0).expect("mmap");
    assert_eq!(mprotect(start, more, READ_WRITE), Err(Errno::ENOMEM));
    println!("making so much writable at once: ENOMEM");
    for part in 0..4 {
        mprotect(start + part * (more / 4), more / 4, READ_WRITE).expect("mprotect");
    }
    println!("making it writable in four steps: fine, each might be kept");
    assert_eq!(fork().err(), Some(Errno::ENOMEM));
    println!("a child would be promised all of it at once: ENOMEM");
    mprotect(start + more / 2, PAGE, PROT_NONE).expect("mprotect");
    ends("a child of two such halves", Status::Exited(0), || 0);
    munmap(start, more).expect("munmap");
}

/// Mode 2.
fn strict(memory: usize) {
    let (third, quarter) = (memory / PAGE / 3 * PAGE, memory / PAGE / 4 * PAGE);
    for flags in [0, MAP_NORESERVE] {
        let first = mmap(0, third, READ_WRITE, flags).expect("mmap");
        assert_eq!(mmap(0, quarter, READ_WRITE, flags), Err(Errno::ENOMEM));
        println!("a third of memory: fine; a quarter more: ENOMEM");
        mprotect(first, third, PROT_READ).expect("mprotect");
        let second = mmap(0, quarter, READ_WRITE, flags).expect("mmap");
        println!("a quarter, when the third can't be written any more: fine");
        assert_eq!(mprotect(first, third, READ_WRITE), Err(Errno::ENOMEM));
        munmap(second, quarter).expect("munmap");
        mprotect(first, third, READ_WRITE).expect("mprotect");
        println!("the third is promised again only when the quarter was given back");
        assert_eq!(fork().err(), Some(Errno::ENOMEM));
        println!("no child is born to a promise of two thirds");
        munmap(first, third).expect("munmap");
    }
}
