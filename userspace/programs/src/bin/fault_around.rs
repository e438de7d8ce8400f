//! Shows fault-around: who reads one page of a file is shown the others in memory around it, up to 64 KiB at once.
//!
//! A file in memory, mapped where a 64 KiB block begins, so that the numbers are the same on every kernel.
#![no_std]
#![forbid(unsafe_code)]

use programs::lesson::counted;
use rt::abi::general::{FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, MADV_DONTNEED, MAP_FIXED};
use rt::file::{allocate, map_at, memfd, truncate, write_at};
use rt::memory::{
    MAP_ANONYMOUS, MAP_PRIVATE, MAP_SHARED, PAGE, PROT_NONE, PROT_READ, PROT_WRITE, madvise, mmap,
};
use rt::probe;

/// Pages that one fault shows.
const BLOCK: usize = 16;

/// Pages of the file.
const PAGES: usize = 4 * BLOCK;

fn main() {
    let file = memfd(c"pages", 0).expect("memfd_create");
    truncate(file, PAGES * PAGE).expect("ftruncate");
    for page in 0..PAGES {
        write_at(file, &[page as u8], page * PAGE).expect("pwrite");
    }
    let blocks = room();
    let show = |first: usize, count: usize, protection, flags| {
        let address = blocks + first * PAGE;
        map_at(
            address,
            file,
            0,
            count * PAGE,
            protection,
            flags | MAP_FIXED,
        )
        .expect("mmap")
    };
    let read = |start: usize, pages: &mut dyn Iterator<Item = usize>| {
        pages.for_each(|page| assert_eq!(usize::from(probe::load(start + page * PAGE)), page));
    };
    let all = show(0, PAGES, PROT_READ, MAP_PRIVATE);
    counted("private, read in order", 4, || read(all, &mut (0..PAGES)));
    counted("and once more", 0, || read(all, &mut (0..PAGES)));
    madvise(all, PAGES * PAGE, MADV_DONTNEED).expect("madvise");
    counted("given up, read backwards", 4, || {
        read(all, &mut (0..PAGES).rev())
    });
    let all = show(0, PAGES, PROT_READ, MAP_SHARED);
    counted("shared, every fifth page", 4, || {
        read(all, &mut (0..PAGES).step_by(5))
    });
    let odd = show(5, 2 * BLOCK, PROT_READ, MAP_PRIVATE);
    counted("from the middle of a block on", 3, || {
        read(odd, &mut (0..2 * BLOCK))
    });
    let all = show(0, PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    counted("one page read", 1, || read(all, &mut (3..4)));
    counted("then all of its block written", BLOCK, || {
        (0..BLOCK).for_each(|page| probe::store(all + page * PAGE, page as u8));
    });
    counted("a block written at once", BLOCK, || {
        (BLOCK..2 * BLOCK).for_each(|page| probe::store(all + page * PAGE, page as u8));
    });
    holes(file, show(0, PAGES, PROT_READ, MAP_SHARED));
}

/// Where the file has nothing in memory nothing is shown, nor behind its end.
fn holes(file: u32, all: usize) {
    let punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    allocate(file, punch, 4 * PAGE, 2 * PAGE).expect("fallocate");
    truncate(file, 10 * PAGE).expect("ftruncate");
    let read = |pages: core::ops::Range<usize>| {
        pages.for_each(|page| _ = probe::load(all + page * PAGE));
    };
    counted("a block with a hole of two pages", 3, || read(0..10));
    truncate(file, 12 * PAGE).expect("ftruncate");
    counted("what the file has grown by", 2, || read(10..12));
}

/// The first block of room for the file, beside which nothing is mapped.
fn room() -> usize {
    let length = (PAGES + 2 * BLOCK) * PAGE;
    let start = mmap(0, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS).expect("mmap");
    start.next_multiple_of(BLOCK * PAGE)
}
