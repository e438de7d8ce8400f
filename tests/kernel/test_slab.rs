//! Slabs over `mm`'s own frames: no object twice, no frame kept, no wrong free unnoticed.
use core::alloc::Layout;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::collections::HashMap;

use mm::buddy::MAX_ORDER;
use mm::machine::{Cpu, PhysMem, Tlb, WORDS};
use mm::page_table::Levels;
use mm::{Frame, FrameRecord, Memory, PAGE_SIZE, Page};

use crate::sizes::{SIZES, Server};
use crate::slab::{Class, Place};

/// A machine that is nothing but memory.
struct World {
    records: Vec<FrameRecord>,
    frames: Vec<[AtomicU64; WORDS]>,
}

impl PhysMem for World {
    fn mem_map(&self) -> &[FrameRecord] {
        &self.records
    }

    fn words(&self, frame: Frame) -> &[AtomicU64; WORDS] {
        &self.frames[frame.number() as usize]
    }

    fn zero(&self, frame: Frame) {
        self.words(frame)
            .iter()
            .for_each(|word| word.store(0, Relaxed));
    }

    fn copy(&self, from: Frame, to: Frame) {
        for (from, to) in self.words(from).iter().zip(self.words(to)) {
            to.store(from.load(Relaxed), Relaxed);
        }
    }
}

impl Tlb for World {
    fn flush(&self, _root: Frame, _page: Page) {}

    fn shootdown(&self, _root: Frame, _pages: Range<Page>) {}
}

impl Cpu for World {
    fn pinned<R>(&self, body: impl FnOnce(usize) -> R) -> R {
        body(0)
    }
}

fn memory(frames: u32) -> Memory<World> {
    let records = (0..frames).map(|_| FrameRecord::new()).collect();
    let words = || [const { AtomicU64::new(0) }; WORDS];
    let world = World {
        records,
        frames: (0..frames).map(|_| words()).collect(),
    };
    let all_but_the_first = 1..frames;
    Memory::new(world, &[all_but_the_first], Levels::Four).expect("there are frames")
}

#[test]
fn no_layout_gets_less_than_it_asks_for() {
    for size in (0..300).chain((300..9000).step_by(37)) {
        for align in (0..14).map(|shift| 1 << shift) {
            let layout = Layout::from_size_align(size, align).expect("a small layout");
            let (bytes, alignment) = match Server::of(layout).expect("small enough") {
                Server::Slab(class) => (SIZES[class], 1 << SIZES[class].trailing_zeros()),
                Server::Block(order) => (4096 << order, 4096 << order),
            };
            assert!(
                bytes >= size && alignment >= align,
                "{layout:?} gets {bytes}"
            );
            assert!(
                bytes <= 64.max(2 * size.max(align)),
                "{layout:?} wastes {bytes}"
            );
        }
    }
}

#[test]
fn the_largest_block_is_the_buddys_and_more_is_refused() {
    let largest = (PAGE_SIZE as usize) << MAX_ORDER;
    let server = |size| Server::of(Layout::from_size_align(size, 1).expect("a layout"));
    assert_eq!(server(largest), Some(Server::Block(MAX_ORDER)));
    assert_eq!(server(largest + 1), None);
    assert_eq!(server(isize::MAX as usize), None);
}

/// An object in use, and the pattern in its words.
struct Object {
    class: usize,
    place: Place,
    pattern: u64,
}

/// Slabs of every class, and who owns each word of them.
struct Heap {
    memory: Memory<World>,
    classes: Vec<Class>,
    owners: HashMap<(u32, usize), u64>,
    live: Vec<Object>,
}

impl Heap {
    fn new(frames: u32) -> Self {
        let classes = (0..SIZES.len()).map(Class::new).collect();
        Self {
            memory: memory(frames),
            classes,
            owners: HashMap::new(),
            live: Vec::new(),
        }
    }

    fn words(class: usize, place: Place) -> Range<usize> {
        place.offset / 8..(place.offset + SIZES[class]) / 8
    }

    /// Takes an object if there is one, and fills it.
    fn allocate(&mut self, class: usize, pattern: u64) -> bool {
        let (slabs, objects) = self.classes[class].counts();
        let has_room = slabs * (PAGE_SIZE as usize / SIZES[class]) > objects;
        let Some(place) = self.classes[class].allocate(&self.memory) else {
            assert!(!has_room, "class {class} is refused an object that it has");
            return false;
        };
        let grown = self.classes[class].counts().0 - slabs;
        assert_eq!(
            grown,
            usize::from(!has_room),
            "class {class} has {slabs} slabs for {objects} objects"
        );
        for word in Self::words(class, place) {
            let before = self.owners.insert((place.frame.number(), word), pattern);
            assert_eq!(before, None, "{place:?} is in use");
            self.memory.machine.words(place.frame)[word].store(pattern, Relaxed);
        }
        self.live.push(Object {
            class,
            place,
            pattern,
        });
        true
    }

    /// Gives an object back, which is as it was left.
    fn free(&mut self, index: usize) {
        let Object {
            class,
            place,
            pattern,
        } = self.live.swap_remove(index);
        for word in Self::words(class, place) {
            assert_eq!(
                self.owners.remove(&(place.frame.number(), word)),
                Some(pattern)
            );
            let is = self.memory.machine.words(place.frame)[word].load(Relaxed);
            assert_eq!(is, pattern, "{place:?} was written to");
        }
        self.classes[class].free(&self.memory, place);
    }

    fn slabs(&self) -> usize {
        self.classes.iter().map(|class| class.counts().0).sum()
    }
}

/// Fills and empties a small memory several times over, in random order.
#[test]
fn no_object_is_given_out_twice_and_no_empty_slab_is_kept() {
    for seed in 1..5_u64 {
        let mut heap = Heap::new(64);
        let (free, mut random, mut refused) = (heap.memory.free_frames(), seed, 0);
        for step in 1..10_000_u64 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let choice = (random >> 20) as usize;
            let growing = if step % 4000 < 2000 { 70 } else { 30 };
            if random % 100 < growing {
                refused += usize::from(!heap.allocate(choice % SIZES.len(), !step));
            } else if !heap.live.is_empty() {
                heap.free(choice % heap.live.len());
            }
            assert_eq!(
                heap.memory.free_frames() + heap.slabs(),
                free,
                "seed {seed}, step {step}"
            );
        }
        assert!(refused > 0, "memory was never out, seed {seed}");
        while !heap.live.is_empty() {
            heap.free(0);
        }
        assert_eq!(
            (heap.memory.free_frames(), heap.slabs()),
            (free, 0),
            "seed {seed}"
        );
        assert_eq!(heap.memory.check(), Ok(()));
    }
}

#[test]
#[should_panic(expected = "is freed as an object of 32 bytes")]
fn a_free_with_another_size_does_not_pass() {
    let memory = memory(8);
    let place = Class::new(0).allocate(&memory).expect("there are frames");
    Class::new(1).free(&memory, place);
}

#[test]
#[should_panic(expected = "is freed as an object of 1024 bytes")]
fn an_address_inside_an_object_does_not_pass_for_it() {
    let memory = memory(8);
    let index = SIZES.iter().position(|&size| size == 1024).expect("a size");
    let mut class = Class::new(index);
    let place = class.allocate(&memory).expect("there are frames");
    class.free(
        &memory,
        Place {
            offset: place.offset + 16,
            ..place
        },
    );
}
