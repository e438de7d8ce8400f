//! Shows the oldest heap: `brk` moves the end of one area, and pages come and go at that end.
//!
//! Moving the end costs nothing; the pages behind it are kept when they are touched, like any promise. What is given
//! back is forgotten, and when the end moves up again there are fresh zeros.
#![no_std]
#![forbid(unsafe_code)]

use programs::lesson::{counted, dies};
use rt::memory::{MAP_FIXED_NOREPLACE, PAGE, PROT_READ, brk, mmap};
use rt::process::{Status, run_in_child};
use rt::{println, probe};

const PAGES: usize = 16;

fn main() {
    let start = brk(0).next_multiple_of(PAGE);
    assert_eq!(brk(start), start);
    let page = |index: usize| start + index * PAGE;

    assert_eq!(brk(page(PAGES)), page(PAGES));
    println!("the heap has {PAGES} pages");
    let fill = |byte| (0..PAGES).for_each(|index| probe::store(page(index), byte));
    counted("writing to each page", PAGES, || fill(b'h'));
    counted("writing to each page again", 0, || fill(b'H'));

    assert_eq!(brk(page(PAGES) + 1), page(PAGES) + 1);
    counted("one byte more is a page more", 1, || {
        probe::store(page(PAGES) + PAGE - 1, 1)
    });
    dies("a child stores behind that page", || {
        probe::store(page(PAGES + 1), 1)
    });

    child_has_its_own_heap(start);

    assert_eq!(brk(page(4)), page(4));
    assert_eq!(probe::load(page(3)), b'H');
    println!("given back down to 4 pages, which keep their bytes");
    dies("a child loads from what was given back", || {
        _ = probe::load(page(4))
    });
    assert_eq!(brk(page(PAGES)), page(PAGES));
    assert!((4..PAGES).all(|index| probe::load(page(index)) == 0));
    println!("grown again: fresh zeros");

    refusals();
}

/// After a fork each process moves its own end, over its own bytes.
fn child_has_its_own_heap(start: usize) {
    let end = brk(0);
    let status = run_in_child(|| {
        assert_eq!(brk(0), end);
        probe::store(start, b'c');
        assert_eq!(brk(start), start);
        0
    });
    assert_eq!(status, Status::Exited(0));
    assert_eq!(brk(0), end);
    assert_eq!(probe::load(start), b'H');
    println!("a child writes to its heap and gives it up: the parent's is untouched");
}

/// `brk` has no errno: refused means that the end stays where it was.
fn refusals() {
    let end = brk(0);
    for (what, wish) in [
        ("the first byte of memory", 1),
        ("the kernel", usize::MAX / 2 + 1),
    ] {
        assert_eq!(brk(wish), end, "{what}");
        println!("moving the end to {what}: refused");
    }
    let obstacle = end + 64 * PAGE;
    mmap(obstacle, PAGE, PROT_READ, MAP_FIXED_NOREPLACE).expect("nothing is mapped there yet");
    assert_eq!(brk(obstacle + 64 * PAGE), end);
    println!("moving the end past another mapping: refused");
    assert_eq!(brk(end + 32 * PAGE), end + 32 * PAGE);
    println!("moving it up to a little before: granted");
}
