//! Shows shared anonymous memory: parent and children see each other's stores, whatever each does with its own mapping.
//!
//! A child stores and ends; the parent looks. The mapping is cut, protected, moved and taken away in one process, and
//! stays in the other; the memory lives as long as anybody maps it.
#![no_std]
#![forbid(unsafe_code)]

use programs::lesson::{counted, ends};
use rt::abi::general::MADV_REMOVE;
use rt::file::map_shared_memory;
use rt::memory::{
    MREMAP_MAYMOVE, Mapping, PAGE, PROT_NONE, PROT_READ, PROT_WRITE, madvise, mremap, munmap,
};
use rt::println;
use rt::probe::{load, store};
use rt::process::Status;
use rt::signal::Signal;

const PAGES: usize = 8;
const DONE: Status = Status::Exited(0);

fn main() {
    let start = map_shared_memory(PAGES * PAGE, PROT_READ | PROT_WRITE).expect("mmap");
    let shared = Mapping::at(start, PAGES);
    counted("first stores", PAGES, || shared.fill(b'P'));
    stores_meet(shared);
    pieces(shared);
    moves(shared);
    holes(shared);
    generations(shared);
    past_the_end();
}

fn stores_meet(shared: Mapping) {
    ends("a child sees P and stores C", DONE, || {
        assert!(shared.holds(b'P'));
        shared.fill(b'C');
        0
    });
    println!("the parent sees C: {}", shared.holds(b'C'));
}

fn pieces(shared: Mapping) {
    ends(
        "a child unmaps the middle and stores at the ends",
        DONE,
        || {
            munmap(shared.page(2), 4 * PAGE).expect("munmap");
            store(shared.page(0), b'0');
            store(shared.page(7), b'7');
            0
        },
    );
    println!(
        "the parent still has all of it: {} {} {}",
        char::from(load(shared.page(0))),
        char::from(load(shared.page(3))),
        char::from(load(shared.page(7)))
    );
    ends(
        "a child that gave up the right to store",
        Status::Killed(Signal::SEGV),
        || {
            shared.protect(1, 2, PROT_READ).expect("mprotect");
            store(shared.page(1), b'x');
            0
        },
    );
    ends(
        "a child that gave up all rights, and took them again",
        DONE,
        || {
            shared.protect(1, 2, PROT_NONE).expect("mprotect");
            shared
                .protect(1, 2, PROT_READ | PROT_WRITE)
                .expect("mprotect");
            store(shared.page(1), b'1');
            0
        },
    );
    println!("the parent sees {}", char::from(load(shared.page(1))));
}

fn moves(shared: Mapping) {
    ends("a child moves two pages and stores there", DONE, || {
        let old = shared.page(4);
        let new = Mapping::new(2).page(0);
        let flags = MREMAP_MAYMOVE | rt::memory::MREMAP_FIXED;
        let moved = mremap(old, 2 * PAGE, 2 * PAGE, flags, new).expect("mremap");
        assert_eq!(load(moved), b'C');
        store(moved, b'M');
        0
    });
    println!("the parent sees {}", char::from(load(shared.page(4))));
    let twin = mremap(shared.page(4), 0, PAGE, MREMAP_MAYMOVE, 0).expect("mremap");
    store(twin, b'T');
    println!(
        "a second mapping of it: {}",
        char::from(load(shared.page(4)))
    );
    munmap(twin, PAGE).expect("munmap");
}

fn holes(shared: Mapping) {
    ends("a child takes two pages away for all", DONE, || {
        madvise(shared.page(2), 2 * PAGE, MADV_REMOVE).expect("madvise");
        0
    });
    println!(
        "the parent reads {} {}",
        load(shared.page(2)),
        load(shared.page(3))
    );
    shared.protect(2, 1, PROT_READ).expect("mprotect");
    println!(
        "from a mapping for reading: {:?}",
        madvise(shared.page(2), PAGE, MADV_REMOVE)
    );
    let private = Mapping::new(1);
    println!(
        "from private memory: {:?}",
        madvise(private.page(0), PAGE, MADV_REMOVE)
    );
    shared
        .protect(2, 1, PROT_READ | PROT_WRITE)
        .expect("mprotect");
}

/// What a grandchild stores after parent and child have unmapped everything is still there for it, and for nobody else.
fn generations(shared: Mapping) {
    shared.fill(b'G');
    ends("a child unmaps all; its child has it", DONE, || {
        let status = rt::process::run_in_child(|| {
            shared.fill(b'g');
            u8::from(!shared.holds(b'g'))
        });
        shared.unmap();
        u8::from(status != DONE)
    });
    println!("the parent sees g: {}", shared.holds(b'g'));
    shared.unmap();
}

fn past_the_end() {
    let start = map_shared_memory(PAGE, PROT_READ | PROT_WRITE).expect("mmap");
    let long = mremap(start, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0).expect("mremap");
    store(long, b'1');
    ends(
        "a page more than there is",
        Status::Killed(Signal::BUS),
        || load(long + PAGE),
    );
}
