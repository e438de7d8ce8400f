//! Shows `madvise`: every advice, and what comes of it.
//!
//! Some advice is heard at once (`DONTNEED`, `POPULATE_*`), some only at a `fork` (`DONTFORK`, `WIPEONFORK`), some when
//! memory runs out (`FREE`), some never where a machine has no use for it; none of it may change what a page holds
//! unless it says so.
#![no_std]
#![forbid(unsafe_code)]

use programs::lesson::{counted, dies, ends};
use rt::abi::general::{
    MADV_COLD, MADV_DODUMP, MADV_DOFORK, MADV_DONTDUMP, MADV_DONTFORK, MADV_DONTNEED,
    MADV_DONTNEED_LOCKED, MADV_FREE, MADV_HUGEPAGE, MADV_KEEPONFORK, MADV_NOHUGEPAGE, MADV_NORMAL,
    MADV_PAGEOUT, MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_RANDOM, MADV_REMOVE,
    MADV_SEQUENTIAL, MADV_WILLNEED, MADV_WIPEONFORK,
};
use rt::memory::{
    Mapping, PAGE, PROT_NONE, PROT_READ, PROT_WRITE, madvise, mincore, mlock, munlock, munmap,
};
use rt::process::Status;
use rt::{Errno, println, probe};

const HARMLESS: [(&str, u32); 12] = [
    ("NORMAL", MADV_NORMAL),
    ("RANDOM", MADV_RANDOM),
    ("SEQUENTIAL", MADV_SEQUENTIAL),
    ("WILLNEED", MADV_WILLNEED),
    ("COLD", MADV_COLD),
    ("DONTDUMP", MADV_DONTDUMP),
    ("DODUMP", MADV_DODUMP),
    ("DOFORK", MADV_DOFORK),
    ("KEEPONFORK", MADV_KEEPONFORK),
    ("HUGEPAGE", MADV_HUGEPAGE),
    ("NOHUGEPAGE", MADV_NOHUGEPAGE),
    ("FREE, then written again", MADV_FREE),
];

fn main() {
    let memory = Mapping::new(16);
    for (name, advice) in HARMLESS {
        memory.fill(b'a');
        madvise(memory.page(0), 16 * PAGE, advice).expect(name);
        memory.page(0);
        memory.each_page().for_each(probe::rewrite);
        if advice != MADV_FREE {
            assert!(memory.holds(b'a'), "{name}");
        }
        println!("{name}: no byte changed");
    }
    madvise(memory.page(0), 16 * PAGE, MADV_NORMAL).expect("NORMAL");
    not_needed(memory);
    populated();
    at_a_fork(memory);
    with_locks(memory);
    refusals(memory);
}

fn not_needed(memory: Mapping) {
    memory.fill(b'd');
    madvise(memory.page(4), 8 * PAGE, MADV_DONTNEED).expect("DONTNEED");
    counted("DONTNEED of eight pages, then reading them", 8, || {
        (4..12).for_each(|index| assert_eq!(probe::load(memory.page(index)), 0));
    });
    assert_eq!(probe::load(memory.page(3)), b'd');
    memory.fill(b'p');
    madvise(memory.page(0), 16 * PAGE, MADV_PAGEOUT).expect("PAGEOUT");
    assert!(memory.holds(b'p'));
    println!("PAGEOUT: wherever they were, they come back with their bytes");
}

fn populated() {
    let memory = Mapping::new(16);
    madvise(memory.page(0), 8 * PAGE, MADV_POPULATE_READ).expect("POPULATE_READ");
    counted("POPULATE_READ of eight pages, then reading them", 0, || {
        (0..8).for_each(|index| assert_eq!(probe::load(memory.page(index)), 0));
    });
    madvise(memory.page(0), 12 * PAGE, MADV_POPULATE_WRITE).expect("POPULATE_WRITE");
    counted("POPULATE_WRITE of twelve, then writing them", 0, || {
        (0..12).for_each(|index| probe::store(memory.page(index), b'w'));
    });
    let mut resident = [7; 16];
    mincore(memory.page(0), 16 * PAGE, &mut resident).expect("mincore");
    println!("in memory: {resident:?}");
    memory.unmap();
}

fn at_a_fork(memory: Mapping) {
    memory.fill(b'f');
    madvise(memory.page(2), 2 * PAGE, MADV_DONTFORK).expect("DONTFORK");
    madvise(memory.page(6), 2 * PAGE, MADV_WIPEONFORK).expect("WIPEONFORK");
    ends(
        "a child finds zeroes where the parent said WIPEONFORK",
        Status::Exited(0),
        || {
            assert_eq!(
                [5, 6, 7, 8].map(|page| probe::load(memory.page(page))),
                [b'f', 0, 0, b'f']
            );
            0
        },
    );
    dies("and nothing where it said DONTFORK", || {
        _ = probe::load(memory.page(2));
    });
    assert!(memory.holds(b'f'));
    madvise(memory.page(0), 16 * PAGE, MADV_DOFORK).expect("DOFORK");
    madvise(memory.page(0), 16 * PAGE, MADV_KEEPONFORK).expect("KEEPONFORK");
    ends(
        "all taken back: a child finds everything",
        Status::Exited(0),
        || u8::from(!memory.holds(b'f')),
    );
}

fn with_locks(memory: Mapping) {
    mlock(memory.page(0), 4 * PAGE).expect("mlock");
    for (name, advice) in [
        ("DONTNEED", MADV_DONTNEED),
        ("FREE", MADV_FREE),
        ("COLD", MADV_COLD),
        ("PAGEOUT", MADV_PAGEOUT),
        ("REMOVE", MADV_REMOVE),
    ] {
        let got = madvise(memory.page(0), PAGE, advice);
        assert_eq!(got, Err(Errno::EINVAL), "{name}");
        println!("{name} of locked pages: EINVAL");
    }
    madvise(memory.page(0), PAGE, MADV_DONTNEED_LOCKED).expect("DONTNEED_LOCKED");
    assert_eq!(probe::load(memory.page(0)), 0);
    println!("DONTNEED_LOCKED: a zero");
    munlock(memory.page(0), 4 * PAGE).expect("munlock");
}

fn refusals(memory: Mapping) {
    let start = memory.page(0);
    for (what, address, length, advice, expected) in [
        ("inside a page", start + 1, PAGE, MADV_NORMAL, Errno::EINVAL),
        ("that does not exist", start, PAGE, 99, Errno::EINVAL),
        (
            "that does not exist, of nothing",
            start,
            0,
            99,
            Errno::EINVAL,
        ),
        (
            "of a length that wraps around",
            start,
            usize::MAX,
            MADV_NORMAL,
            Errno::EINVAL,
        ),
        (
            "REMOVE of what has no file",
            start,
            PAGE,
            MADV_REMOVE,
            Errno::EINVAL,
        ),
    ] {
        assert_eq!(madvise(address, length, advice), Err(expected), "{what}");
        println!("advice {what}: {expected:?}");
    }
    assert_eq!(madvise(start, 0, MADV_DONTNEED), Ok(()));
    memory.fill(b'h');
    munmap(memory.page(4), PAGE).expect("munmap");
    let got = madvise(start, 8 * PAGE, MADV_DONTNEED);
    assert_eq!(got, Err(Errno::ENOMEM));
    assert_eq!((probe::load(start), probe::load(memory.page(7))), (0, 0));
    println!("across a hole: ENOMEM, after the rest was done");
    let got = madvise(start, 8 * PAGE, MADV_POPULATE_WRITE);
    assert_eq!(got, Err(Errno::ENOMEM));
    for (name, rights, advice) in [
        ("POPULATE_READ", PROT_NONE, MADV_POPULATE_READ),
        ("POPULATE_READ", PROT_WRITE, MADV_POPULATE_READ),
        ("POPULATE_WRITE", PROT_READ, MADV_POPULATE_WRITE),
    ] {
        memory.protect(0, 1, rights).expect("mprotect");
        assert_eq!(madvise(start, PAGE, advice), Err(Errno::EINVAL));
        println!("{name} without the right: EINVAL");
    }
    assert_eq!(mlock(start, PAGE), Ok(()));
    memory.protect(0, 1, PROT_NONE).expect("mprotect");
    assert_eq!(mlock(start, PAGE), Err(Errno::ENOMEM));
    println!("locking a page that nobody may touch: ENOMEM");
}
