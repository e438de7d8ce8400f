//! Shows that an address space does not get slow with its size: the same calls and faults with 10 areas and with 65,500.
//!
//! Finding an area, finding a gap, cutting or joining areas, and finding who maps a page of a file are logarithmic, so the
//! second column may be a little larger than the first, and no more; what has to be done for each area is divided by their
//! number. Under `--icount` a nanosecond is an instruction and the numbers are exact; `tests/programs` holds them to a
//! factor of three.
#![no_std]
#![forbid(unsafe_code)]

use core::time::Duration;

use rt::abi::general::{FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, MADV_DONTNEED};
use rt::file;
use rt::memory::{
    MAP_FIXED, MAP_SHARED, PAGE, PROT_NONE, PROT_READ, PROT_WRITE, madvise, mmap, mprotect, munmap,
};
use rt::process::{self, Fork};
use rt::{println, probe, time};

/// Areas to have; the machine allows 65,530, of which the program needs a few itself.
const FEW: usize = 10;
const MANY: usize = 65_500;

/// The quickest of so many tries counts.
const TRIES: usize = 32;

const RW: u32 = PROT_READ | PROT_WRITE;

const HOLE: u32 = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

/// What is measured, by name.
const NAMES: [&str; 7] = [
    "a fault in the middle",
    "map and unmap a page",
    "map and unmap what fits in no gap",
    "protect a page and back",
    "take a page from all that map it",
    "fork and exit, for each area",
    "unmap all, for each area",
];

fn main() {
    let object = file::memfd(c"object", 0).expect("memfd_create");
    file::truncate(object, 2 * MANY * PAGE).expect("ftruncate");
    compare("private", Memory::Private);
    compare("shared", Memory::Shared(object));
}

fn compare(kind: &str, memory: Memory) {
    let few = measure(memory, FEW);
    let many = measure(memory, MANY);
    for (name, (few, many)) in NAMES.iter().zip(few.iter().zip(&many)) {
        println!(
            "{kind}: {name}: {} with {FEW} areas, {} with {MANY} areas",
            few.as_nanos(),
            many.as_nanos()
        );
    }
}

/// What the areas are made of: memory of the process alone, or the pages of one object, each mapped once.
#[derive(Clone, Copy)]
enum Memory {
    Private,
    Shared(u32),
}

impl Memory {
    /// Maps `length` bytes at `address`, or where there is room; of an object those from `offset` on.
    fn map(self, address: usize, length: usize, offset: usize, flags: u32) -> usize {
        self.map_for(RW, address, length, offset, flags)
    }

    fn map_for(
        self,
        protection: u32,
        address: usize,
        length: usize,
        offset: usize,
        flags: u32,
    ) -> usize {
        match self {
            Self::Private => mmap(address, length, protection, flags),
            Self::Shared(object) => file::map_at(
                address,
                object,
                offset,
                length,
                protection,
                flags | MAP_SHARED,
            ),
        }
        .expect("mmap")
    }

    /// With other rights than the neighbours, so that only a gap is looked for.
    fn map_and_unmap(self, length: usize) {
        let address = self.map_for(PROT_READ, 0, length, 0, 0);
        munmap(address, length).expect("munmap");
    }
}

/// The costs in a space of `areas` areas, a page each, with a gap of a page above each.
fn measure(memory: Memory, areas: usize) -> [Duration; NAMES.len()] {
    let start = memory.map(0, 2 * areas * PAGE, 0, 0);
    let page = |index: usize| start + index * PAGE;
    for area in 0..areas {
        munmap(page(2 * area + 1), PAGE).expect("munmap");
    }
    let near = |attempt: usize| areas / 2 * 2 + 2 * (attempt % areas.min(TRIES) / 2);
    let share = |cost: Duration| cost / areas as u32;
    [
        quickest(|attempt| first_touch(memory, page(near(attempt)), near(attempt) * PAGE)),
        quickest(|_| timed(|| memory.map_and_unmap(PAGE))),
        quickest(|_| timed(|| memory.map_and_unmap(2 * PAGE))),
        quickest(|attempt| timed(|| protect_and_back(page(near(attempt))))),
        quickest(|attempt| timed(|| take_away(memory, page(near(attempt)), near(attempt)))),
        share(timed(fork_and_wait)),
        share(timed(|| munmap(start, 2 * areas * PAGE).expect("munmap"))),
    ]
}

/// The cost of the first store to the page at `address`, which is mapped anew.
fn first_touch(memory: Memory, address: usize, offset: usize) -> Duration {
    munmap(address, PAGE).expect("munmap");
    assert_eq!(memory.map(address, PAGE, offset, MAP_FIXED), address);
    timed(|| probe::store(address, 1))
}

fn protect_and_back(address: usize) {
    for protection in [PROT_NONE, RW] {
        mprotect(address, PAGE, protection).expect("mprotect");
    }
}

/// A page of an object goes from every area that maps it; one of this process alone from its one area.
fn take_away(memory: Memory, address: usize, index: usize) {
    match memory {
        Memory::Private => madvise(address, PAGE, MADV_DONTNEED),
        Memory::Shared(object) => file::allocate(object, HOLE, index * PAGE, PAGE),
    }
    .expect("the page goes");
}

fn fork_and_wait() {
    match process::fork().expect("fork") {
        Fork::Child => process::exit(0),
        Fork::Parent(child) => drop(process::wait(child).expect("wait")),
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
