//! The page cache: a page is read once, its frame is held by the cache and by each entry, and a failed read leaves nothing.
use std::sync::Arc;

use crate::machine::Deed;
use crate::mm::frame::Use;
use crate::mm::page_cache::{CachedFile, ReadResult};
use crate::mm::{Access, Backing, Outcome};
use crate::thread;
use crate::world::{FIRST, Space, World, side_by_side};

/// A world, a file of two pages, and a space that maps it.
fn mapped_file() -> (World, Arc<CachedFile>, Space) {
    let world = World::new(40);
    let file = world.file(2);
    let backing = Backing::File {
        file: file.clone(),
        offset: 0,
    };
    let space = world.space(2, backing);
    (world, file, space)
}

/// Three threads read one page that is not in memory.
pub(crate) fn readers() {
    let (world, file, space) = mapped_file();
    let load = || assert_eq!(world.load(&space, FIRST, 5), World::content(0));
    side_by_side(&[&load, &load, &load]);
    assert_eq!(world.memory.frames_used_for(Use::File), 1);
    world.close(vec![space], vec![file]);
}

/// A read maps the cache's frame while others take it out of the same entry again, for a copy.
pub(crate) fn read_beside_copy() {
    let (world, file, space) = mapped_file();
    let load = || {
        let seen = world.load(&space, FIRST, 5);
        assert!(
            seen == World::content(0) || seen == 7,
            "the page held {seen}"
        );
    };
    let store = |word| world.store(&space, FIRST, word, 7);
    side_by_side(&[&load, &|| store(5), &|| store(6)]);
    let seen = [5, 6, 7].map(|word| world.load(&space, FIRST, word));
    assert_eq!(seen, [7, 7, World::content(0)]);
    assert_eq!(world.memory.frames_used_for(Use::File), 1);
    world.close(vec![space], vec![file]);
}

/// The first read of the page fails; whoever comes later reads it anew.
pub(crate) fn failing_read() {
    let (world, file, space) = mapped_file();
    let fail = || {
        let outcome = space
            .read()
            .handle_fault(&world.memory, FIRST.address(), Access::Read);
        match outcome {
            Outcome::NeedsRead(read) => world.complete(read, ReadResult::Failed),
            Outcome::Busy => thread::yield_now(),
            Outcome::Resolved(_) => {}
            other => panic!("the fault ended with {other:?}"),
        }
    };
    let load = || {
        let seen = world.execute(&space, FIRST, 5, Deed::Load);
        assert_eq!(seen.ok(), Some(World::content(0)));
    };
    side_by_side(&[&fail, &load, &load]);
    assert_eq!(world.memory.frames_used_for(Use::File), 1);
    world.close(vec![space], vec![file]);
}
