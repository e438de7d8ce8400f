//! Faults of one space: entries and tables are made once, whoever comes first.
use crate::machine::Deed;
use crate::mm::fault::Path;
use crate::mm::frame::Use;
use crate::mm::{Access, Backing, Outcome};
use crate::world::{ENDS, FIRST, World, mapping, side_by_side};

/// Three threads store to one untouched page: one frame, three words.
pub(crate) fn same_page() {
    let world = World::new(24);
    let space = world.anonymous(1);
    let store = |word| world.store(&space, FIRST, word, word as u64 + 1);
    side_by_side(&[&|| store(0), &|| store(1), &|| store(511)]);
    for word in [0, 1, 511] {
        assert_eq!(world.load(&space, FIRST, word), word as u64 + 1);
    }
    assert_eq!(world.memory.frames_used_for(Use::Anonymous), 1);
    world.close(vec![space], vec![]);
}

/// One thread reads, two write: whatever the first saw, the writes stand.
pub(crate) fn read_beside_write() {
    let world = World::new(24);
    let space = world.anonymous(1);
    let store = |word| world.store(&space, FIRST, word, 7);
    let load = || {
        let seen = ENDS.map(|word| world.load(&space, FIRST, word));
        assert!(
            seen.iter().all(|&value| value == 0 || value == 7),
            "{seen:?}"
        );
    };
    side_by_side(&[&load, &|| store(ENDS[0]), &|| store(ENDS[1])]);
    assert_eq!(ENDS.map(|word| world.load(&space, FIRST, word)), [7, 7]);
    assert_eq!(world.memory.frames_used_for(Use::Anonymous), 1);
    world.close(vec![space], vec![]);
}

/// Pages whose ways part at the last level, one above it, and two above it.
pub(crate) fn tables() {
    let world = World::new(40);
    let space = world.anonymous(2);
    let pages = [FIRST, FIRST + 1, FIRST + (1 << 18)];
    let request = mapping(pages[2], 1, Backing::Anonymous);
    let mapped = space.write().mmap(&world.memory, request);
    mapped.expect("the place is free");
    let store = |at: usize| world.store(&space, pages[at], 0, at as u64);
    side_by_side(&[&|| store(0), &|| store(1), &|| store(2)]);
    for (value, &page) in (0..).zip(&pages) {
        assert_eq!(world.load(&space, page, 0), value);
    }
    // The root; one below it; one for each GiB of the two; one for each page.
    assert_eq!(world.memory.frames_used_for(Use::Table), 1 + 1 + 2 + 3);
    world.close(vec![space], vec![]);
}

/// Threads that need eight frames together, with fewer left: some end, nothing is lost, and nobody ends too early.
pub(crate) fn without_memory() {
    for left in [2, 4, 5] {
        let world = World::new(24);
        let space = world.anonymous(2);
        let hoard = world.hoard(left);
        let touch = |page| {
            let stored = world.execute(&space, FIRST + page, 0, Deed::Store(1));
            assert!(matches!(stored, Ok(1) | Err(Outcome::OutOfMemory)));
        };
        side_by_side(&[&|| touch(0), &|| touch(1), &|| touch(1)]);
        world.restore(hoard);
        retry_alone(&world, &space);
        world.close(vec![space], vec![]);
    }
}

/// What failed for want of memory succeeds when there is some.
fn retry_alone(world: &World, space: &crate::world::Space) {
    for page in [FIRST, FIRST + 1] {
        let outcome = space
            .read()
            .handle_fault(&world.memory, page.address(), Access::Write);
        let Outcome::Resolved(change) = outcome else {
            panic!("with memory left the fault ended with {outcome:?}");
        };
        assert!(matches!(change.path, Path::ZeroWrite | Path::Spurious));
    }
}
