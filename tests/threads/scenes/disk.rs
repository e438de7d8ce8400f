//! Files on a disk: what is stored reaches it or stays dirty, what is cut does not come back, what is given back is
//! nobody's.
use std::sync::Arc;

use crate::atomic::Ordering::{Acquire, Relaxed};
use crate::machine::Deed;
use crate::mm::fault::Denial;
use crate::mm::frame::Use;
use crate::mm::machine::PhysMem;
use crate::mm::page_cache::{CachedFile, WriteResult};
use crate::mm::{Outcome, Page};
use crate::sync::Mutex;
use crate::thread;
use crate::world::{FIRST, Space, World, side_by_side};

/// The word that the scenes store to.
const WORD: usize = 5;

/// A world, a file of one page on its disk, and two spaces that share it; the page is in memory.
fn shared_page() -> (World, Arc<CachedFile>, [Space; 2]) {
    let world = World::roomy();
    let file = world.file(1);
    let spaces = [world.sharing(1, &file), world.sharing(1, &file)];
    for space in &spaces {
        assert_eq!(world.load(space, FIRST, WORD), World::content(0));
    }
    (world, file, spaces)
}

/// Writes the page back as long as it is dirty; what the disk has of it then.
fn write_back(world: &World, file: &Arc<CachedFile>, disk: &Mutex<u64>) {
    while let Some(write) = file.begin_writeback(&world.memory, 0..1) {
        let words = world.memory.machine.words(write.frame());
        *disk.lock().expect("no thread has panicked") = words[WORD].load(Acquire);
        write.complete(&world.memory, WriteResult::Written);
    }
}

/// Two programs store to a page while it is written back: each store is on the disk, or the page is dirty.
pub(crate) fn stores_beside_write() {
    let (world, file, spaces) = shared_page();
    let disk = Mutex::new(World::content(0));
    world.store(&spaces[0], FIRST, WORD, 1);
    side_by_side(&[
        &|| world.store(&spaces[0], FIRST, WORD, 2),
        &|| write_back(&world, &file, &disk),
        &|| world.store(&spaces[1], FIRST, WORD, 3),
    ]);
    world.check(&[&spaces[0], &spaces[1]], &[&file]);
    let stored = world.load(&spaces[0], FIRST, WORD);
    if !file.is_dirty(&world.memory, 0) {
        assert_eq!(*disk.lock().expect("no thread has panicked"), stored);
    }
    write_back(&world, &file, &disk);
    assert_eq!(*disk.lock().expect("no thread has panicked"), stored);
    world.close(spaces.into(), vec![file]);
}

/// A page is given back while one program loads from it and another stores to it.
pub(crate) fn give_back_beside_accesses() {
    let (world, file, spaces) = shared_page();
    let give_back = || {
        for _ in 0..3 {
            file.give_back(&world.memory, 1);
        }
    };
    let load = || {
        let seen = world.load(&spaces[0], FIRST, WORD);
        assert!(seen == World::content(0) || seen == 7, "it held {seen}");
    };
    side_by_side(&[&give_back, &load, &|| {
        world.store(&spaces[1], FIRST, WORD, 7);
    }]);
    assert!(file.is_dirty(&world.memory, 0), "a store was given back");
    assert_eq!(world.load(&spaces[0], FIRST, WORD), 7);
    assert_eq!(world.memory.frames_used_for(Use::File), 1);
    world.close(spaces.into(), vec![file]);
}

/// A page is given back while calls look it up.
pub(crate) fn give_back_beside_lookups() {
    let world = World::roomy();
    let file = world.file(1);
    let space = world.sharing(1, &file);
    world.load(&space, FIRST, WORD);
    let look = || {
        let mut byte = [0];
        if file.read_ready(&world.memory, 0, &mut byte).is_some() {
            assert_eq!(u64::from(byte[0]), World::content(0) % 256);
        }
    };
    let give_back = || {
        for _ in 0..2 {
            file.give_back(&world.memory, 1);
        }
    };
    side_by_side(&[&give_back, &look, &look]);
    assert_eq!(world.load(&space, FIRST, WORD), World::content(0));
    world.close(vec![space], vec![file]);
}

/// A file is cut short while its pages are read: to one page, and in the middle of that.
pub(crate) fn cut_beside_reads() {
    const LOST: Page = Page::new(FIRST.number() + 1);
    const SIZE: u64 = 8 * WORD as u64;
    let world = World::roomy();
    let file = world.file(2);
    let space = world.sharing(2, &file);
    let cut = || {
        let cut = file.set_size(&world.memory, SIZE);
        cut.expect("nothing is sealed");
        while file.first_busy(&world.memory).is_some() {
            thread::yield_now();
        }
        assert!(!file.is_ready(&world.memory, 1), "it is the disk's again");
    };
    let read = |page| match world.execute(&space, page, 0, Deed::Load) {
        Ok(_) | Err(Outcome::Denied(Denial::PastEnd)) => {}
        other => panic!("a load ended with {other:?}"),
    };
    side_by_side(&[&cut, &|| read(FIRST), &|| read(LOST)]);
    assert_eq!(world.memory.frames_used_for(Use::File), 1);
    let frame = file.hold(&world.memory, 0).expect("it was read");
    let behind = world.memory.machine.words(frame)[WORD].load(Relaxed);
    file.let_go(&world.memory, frame);
    assert_eq!(behind, 0, "a word behind the end");
    world.close(vec![space], vec![file]);
}
