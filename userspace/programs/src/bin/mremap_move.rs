//! Shows `mremap`: an area grows, shrinks and moves, and its pages go with it without a copy.
//!
//! Pages move by moving entries of the page table, so that even a page that was written keeps its frame, costs no fault
//! at its new place, and is gone from the old one. What was only promised stays a promise.
#![no_std]
#![forbid(unsafe_code)]

use programs::lesson::{counted, dies, ends};
use rt::memory::{
    MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE, Mapping, PAGE, PROT_NONE, PROT_READ, mprotect,
    mremap, munmap,
};
use rt::process::Status;
use rt::{Errno, println, probe};

const MOVE: u32 = MREMAP_MAYMOVE;
const FIXED: u32 = MREMAP_MAYMOVE | MREMAP_FIXED;
const KEEP: u32 = FIXED | MREMAP_DONTUNMAP;

/// Room in which nothing else is: pages without rights, to be replaced.
struct Room(Mapping);

impl Room {
    fn new() -> Self {
        Self(Mapping::with(64, PROT_NONE, 0))
    }

    fn page(&self, index: usize) -> usize {
        self.0.page(index)
    }
}

fn main() {
    grow_and_shrink();
    let room = Room::new();
    moves(&room);
    several_areas(&room);
    keeps_the_old_one(&room);
    refusals(&room);
    room.0.unmap();
}

fn grow_and_shrink() {
    let memory = Mapping::new(16);
    memory.fill(b'g');
    munmap(memory.page(4), 12 * PAGE).expect("munmap");
    let start = memory.page(0);
    assert_eq!(mremap(start, 4 * PAGE, 8 * PAGE, 0, 0), Ok(start));
    counted(
        "four pages became eight where they were; writing the new ones",
        4,
        || {
            (4..8).for_each(|index| probe::store(memory.page(index), b'h'));
        },
    );
    assert_eq!(probe::load(memory.page(3)), b'g');
    assert_eq!(mremap(start, 8 * PAGE, 2 * PAGE, 0, 0), Ok(start));
    assert_eq!(probe::load(memory.page(1)), b'g');
    println!("and two again: the first two keep their bytes");
    dies("loading from the third", || _ = probe::load(memory.page(2)));
    munmap(start, 2 * PAGE).expect("munmap");
}

fn moves(room: &Room) {
    let memory = Mapping::new(8);
    memory.fill(b'm');
    let target = room.page(10);
    assert_eq!(
        mremap(memory.page(2), 3 * PAGE, 3 * PAGE, FIXED, target),
        Ok(target)
    );
    counted("three pages moved, then written", 0, || {
        (0..3).for_each(|index| {
            assert_eq!(probe::load(target + index * PAGE), b'm');
            probe::store(target + index * PAGE, b'n');
        });
    });
    dies("a child loads from the old place", || {
        _ = probe::load(memory.page(3))
    });
    assert_eq!(probe::load(memory.page(5)), b'm');
    ends(
        "a child writes where they are now",
        Status::Exited(0),
        || {
            probe::store(target, b'c');
            0
        },
    );
    assert_eq!(probe::load(target), b'n');

    let longer = mremap(target, 3 * PAGE, 20 * PAGE, MOVE, 0).expect("mremap");
    assert_eq!(probe::load(longer + 2 * PAGE), b'n');
    assert_eq!(probe::load(longer + 19 * PAGE), 0);
    println!("twenty pages do not fit there: moved again, with zeroes at the end");
    let back = mremap(longer, 20 * PAGE, 3 * PAGE, FIXED, memory.page(2));
    assert_eq!(back, Ok(memory.page(2)));
    let expected = [b'm', b'm', b'n', b'n', b'n', b'm', b'm', b'm'];
    for (index, byte) in expected.into_iter().enumerate() {
        assert_eq!(probe::load(memory.page(index)), byte);
    }
    println!("moved back and cut: every byte is where it belongs");
    memory.protect(0, 8, PROT_READ).expect("it has no hole");
    memory.unmap();
}

fn several_areas(room: &Room) {
    let memory = Mapping::new(6);
    memory.fill(b's');
    mprotect(memory.page(2), 2 * PAGE, PROT_READ).expect("mprotect");
    let target = room.page(20);
    let start = memory.page(0);
    let grown = mremap(start, 6 * PAGE, 7 * PAGE, MOVE, 0);
    assert_eq!(grown, Err(Errno::EFAULT));
    println!("three areas at once do not grow: EFAULT");
    munmap(start, 6 * PAGE).expect("munmap");
    assert_eq!(mremap(start, PAGE, PAGE, FIXED, target), Err(Errno::EFAULT));
    println!("nothing does not move: EFAULT");
}

fn keeps_the_old_one(room: &Room) {
    let memory = Mapping::new(4);
    memory.fill(b'k');
    let target = room.page(30);
    assert_eq!(
        mremap(memory.page(0), 4 * PAGE, 4 * PAGE, KEEP, target),
        Ok(target)
    );
    assert_eq!(probe::load(target + PAGE), b'k');
    counted(
        "DONTUNMAP: the old pages are there, empty; reading them",
        4,
        || {
            assert!(memory.holds(0));
        },
    );
    memory.unmap();
}

fn refusals(room: &Room) {
    let memory = Mapping::new(4);
    let (start, free) = (memory.page(0), room.page(40));
    let refused = |what: &str, sizes: [usize; 2], flags, target, expected| {
        let got = mremap(start, sizes[0], sizes[1], flags, target);
        assert_eq!(got, Err(expected), "{what}");
        println!("mremap {what}: {expected:?}");
    };
    let inside = mremap(start + 1, PAGE, PAGE, 0, 0);
    assert_eq!(inside, Err(Errno::EINVAL));
    let (one, two) = ([PAGE; 2], [2 * PAGE; 2]);
    let senseless = [
        ("to no length", [PAGE, 0], 0, 0),
        ("with unknown flags", one, 8, 0),
        ("FIXED without MAYMOVE", one, MREMAP_FIXED, free),
        ("DONTUNMAP without MAYMOVE", one, MREMAP_DONTUNMAP, 0),
        ("DONTUNMAP, longer", [PAGE, 2 * PAGE], KEEP, free),
        ("onto itself", two, FIXED, start + PAGE),
        ("to inside a page", one, FIXED, free + 1),
        ("to the kernel", one, FIXED, usize::MAX << 47),
        ("of private memory twice", [0, PAGE], MOVE, 0),
    ];
    for (what, sizes, flags, target) in senseless {
        refused(what, sizes, flags, target, Errno::EINVAL);
    }
    let beyond = [5 * PAGE, 6 * PAGE];
    refused("beyond the area's end", beyond, MOVE, 0, Errno::EFAULT);
    refused(
        "in its middle, in place",
        [PAGE, 2 * PAGE],
        0,
        0,
        Errno::ENOMEM,
    );
    let much = [4 * PAGE, 1 << 46];
    refused("longer than there is room", much, MOVE, 0, Errno::ENOMEM);
    memory.unmap();
}
