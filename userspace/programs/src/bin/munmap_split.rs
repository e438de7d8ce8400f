//! Shows that one mapping can become several: holes and changes in its middle split it, and equal neighbours merge again.
//!
//! What is left on each side keeps its pages and its rights, and what is taken is gone at once: the processor may not
//! find it in its TLB either.
#![no_std]
#![forbid(unsafe_code)]

use programs::lesson::{counted, dies};
use rt::memory::{MAP_FIXED, Mapping, PAGE, PROT_READ, PROT_WRITE, mmap, munmap};
use rt::{println, probe};

const READ_WRITE: u32 = PROT_READ | PROT_WRITE;

fn main() {
    let memory = Mapping::new(9);
    let page = |index| memory.page(index);
    memory.fill(b's');

    munmap(page(4), PAGE).expect("munmap");
    expect(memory, "ssss.ssss", "a hole in the middle");
    dies("a load from the hole", || _ = probe::load(page(4)));
    dies("a store to the hole", || probe::store(page(4), 1));

    munmap(page(0), PAGE).expect("munmap");
    munmap(page(8), PAGE).expect("munmap");
    expect(memory, ".sss.sss.", "both ends taken");

    munmap(page(3), 3 * PAGE).expect("munmap");
    expect(memory, ".ss...ss.", "the hole widened into both sides");
    munmap(page(3), 3 * PAGE).expect("unmapping a hole is no error");
    expect(memory, ".ss...ss.", "the hole again: nothing changes");

    mmap(page(3), 3 * PAGE, READ_WRITE, MAP_FIXED).expect("mmap");
    expect(memory, ".ss000ss.", "the hole filled");
    counted("its pages are promises again", 3, || {
        (3..6).for_each(|index| probe::store(page(index), b'n'))
    });
    expect(memory, ".ssnnnss.", "and kept");

    changed_in_the_middle(memory);
    two_hundred_pieces();
}

/// Rights split a mapping as holes do.
fn changed_in_the_middle(memory: Mapping) {
    memory.protect(2, 3, PROT_READ).expect("mprotect");
    for index in [2, 4] {
        dies(
            format_args!("a store to page {index}, read-only now"),
            || probe::store(memory.page(index), 1),
        );
    }
    probe::store(memory.page(1), b't');
    probe::store(memory.page(5), b't');
    expect(memory, ".tsnntss.", "its neighbours take a store");

    munmap(memory.page(0), memory.length()).expect("munmap");
    expect(
        memory,
        ".........",
        "all of it unmapped, pieces and holes, in one call",
    );
}

/// Every second page of a long mapping taken, then all of it.
fn two_hundred_pieces() {
    const PAGES: usize = 400;
    let memory = Mapping::new(PAGES);
    memory.fill(b'x');
    (0..PAGES)
        .step_by(2)
        .for_each(|index| munmap(memory.page(index), PAGE).expect("munmap"));
    assert!(
        (1..PAGES)
            .step_by(2)
            .all(|index| probe::load(memory.page(index)) == b'x')
    );
    println!("{} pieces, each with its byte", PAGES / 2);

    (0..PAGES).step_by(2).for_each(|index| {
        mmap(memory.page(index), PAGE, READ_WRITE, MAP_FIXED).expect("mmap");
        probe::store(memory.page(index), b'y');
    });
    let expected = |index| if index % 2 == 0 { b'y' } else { b'x' };
    assert!((0..PAGES).all(|index| probe::load(memory.page(index)) == expected(index)));
    println!("and grown together again");
    memory.unmap();
}

/// Compares the pages with `picture`: a letter is the page's first byte, 0 a byte of zero, a dot a page that isn't there.
fn expect(memory: Mapping, picture: &str, what: &str) {
    for (index, expected) in picture
        .bytes()
        .enumerate()
        .filter(|&(_, expected)| expected != b'.')
    {
        let expected = if expected == b'0' { 0 } else { expected };
        assert_eq!(
            probe::load(memory.page(index)),
            expected,
            "page {index}: {what}"
        );
    }
    for (index, _) in picture
        .bytes()
        .enumerate()
        .filter(|&(_, expected)| expected == b'.')
    {
        assert!(is_free(memory.page(index)), "page {index}: {what}");
    }
    println!("{picture}  {what}");
}

/// Whether nothing is mapped there: changing the protection of nothing is refused.
fn is_free(page: usize) -> bool {
    rt::memory::mprotect(page, PAGE, READ_WRITE) == Err(rt::Errno::ENOMEM)
}
