//! Pages that are given up or carried off while programs store to them: no store is lost that came after the call.
use crate::atomic::Ordering::Relaxed;
use crate::machine::Deed;
use crate::mm::fault::Denial;
use crate::mm::frame::Use;
use crate::mm::madvise::Advice;
use crate::mm::pte::PteFlags;
use crate::mm::{Outcome, PAGE_SIZE};
use crate::sync::Mutex;
use crate::world::{ENDS, FIRST, Space, World, side_by_side};

/// Advice for the first page.
pub(super) fn advise(world: &World, space: &Space, advice: Advice) {
    let mut space = space.write();
    let advised = space.madvise(&world.memory, FIRST.address(), PAGE_SIZE, advice);
    advised.expect("the area is there");
}

/// A space with a page that was written.
fn written() -> (World, Space) {
    let world = World::new(40);
    let space = world.anonymous(1);
    world.store_ends(&space, FIRST, 1);
    (world, space)
}

/// Memory runs out and the kernel takes a lazily freed page, or a store takes it back: never both.
pub(crate) fn reclaim_beside_store() {
    let (world, space) = written();
    advise(&world, &space, Advice::Free);
    let [stored, left] = ENDS;
    let store = || world.store(&space, FIRST, stored, 2);
    let load = || {
        let seen = world.load(&space, FIRST, left);
        assert!(seen <= 1, "the page held {seen}");
    };
    let taken = Mutex::new(0);
    let reclaim = || {
        let count = space.write().reclaim_lazy(&world.memory);
        *taken.lock().expect("no thread has panicked") = count;
    };
    side_by_side(&[&store, &reclaim, &load]);
    assert_eq!(world.load(&space, FIRST, stored), 2, "a store was lost");
    let taken = taken.into_inner().expect("no thread has panicked");
    assert_eq!(world.load(&space, FIRST, left), 1 - taken);
    world.close(vec![space], vec![]);
}

/// A page is dropped, and a stranger gets its frame, while programs use it.
pub(crate) fn drop_beside_access() {
    let (world, space) = written();
    let stranger = world.anonymous(1);
    let drop = || {
        advise(&world, &space, Advice::DontNeed);
        world.store(&stranger, FIRST, ENDS[0], 66);
    };
    let load = || {
        let seen = ENDS.map(|word| world.load(&space, FIRST, word));
        assert!(seen.iter().all(|&word| word <= 2), "the page held {seen:?}");
    };
    side_by_side(&[&|| world.store(&space, FIRST, ENDS[1], 2), &drop, &load]);
    load();
    assert_eq!(world.load(&stranger, FIRST, ENDS[0]), 66);
    world.close(vec![space, stranger], vec![]);
}

/// An area moves while its pages are stored to: what was stored moves along, and is known to be.
pub(crate) fn move_beside_store() {
    let world = World::roomy();
    let space = world.anonymous(1);
    world.store(&space, FIRST, 0, 1);
    // Clean again, so that the processor has something to note.
    advise(&world, &space, Advice::Free);
    let stored = Mutex::new(false);
    let store = || {
        let done = world.execute(&space, FIRST, 5, Deed::Store(7));
        match done {
            Ok(_) => *stored.lock().expect("no thread has panicked") = true,
            Err(Outcome::Denied(Denial::Unmapped)) => {}
            other => panic!("a store ended with {other:?}"),
        }
    };
    let target = FIRST + 0x10;
    side_by_side(&[&store, &|| space.remap(&world, 1, target)]);
    let expected = match stored.into_inner().expect("no thread has panicked") {
        true => 7,
        false => 0,
    };
    if expected == 7 {
        let space = space.read();
        let entry = space.table().entry(&world.memory, target);
        let bits = entry.map_or(0, |entry| entry.load(Relaxed));
        let is_dirty = bits & PteFlags::DIRTY.bits() != 0;
        assert!(is_dirty, "a store was forgotten: {bits:#x}");
    }
    let seen = [0, 5].map(|word| world.load(&space, target, word));
    assert_eq!(seen, [1, expected]);
    world.close(vec![space], vec![]);
}

/// A parent forks a second child while it and its first one write the page that they share.
pub(crate) fn fork_beside_copies() {
    let world = World::new(48);
    let parent = world.anonymous(1);
    world.store_ends(&parent, FIRST, 1);
    let child = parent.fork(&world);
    let second = Mutex::new(None);
    let fork = || {
        let forked = parent.fork(&world);
        *second.lock().expect("no thread has panicked") = Some(forked);
    };
    side_by_side(&[&|| world.store_ends(&parent, FIRST, 2), &fork, &|| {
        world.store_ends(&child, FIRST, 3)
    }]);
    let second = second.into_inner().expect("no thread has panicked");
    let second = second.expect("it was forked");
    let shown = |space: &Space| ENDS.map(|word| world.load(space, FIRST, word));
    assert_eq!([shown(&parent), shown(&child)], [[2, 2], [3, 3]]);
    let [first, last] = shown(&second);
    assert!(
        [[1, 1], [2, 1], [2, 2]].contains(&[first, last]),
        "the second child has {first} and {last}"
    );
    assert!(world.memory.frames_used_for(Use::Anonymous) <= 3);
    world.close(vec![parent, child, second], vec![]);
}

/// Parent and child fork at once while a third process of the family writes the page that all share.
pub(crate) fn fork_beside_fork() {
    let world = World::new(60);
    let parent = world.anonymous(1);
    world.store_ends(&parent, FIRST, 1);
    let [child, writer] = [parent.fork(&world), parent.fork(&world)];
    let born = Mutex::new(Vec::new());
    let fork = |space: &Space| {
        let forked = space.fork(&world);
        born.lock().expect("no thread has panicked").push(forked);
    };
    side_by_side(&[&|| fork(&parent), &|| fork(&child), &|| {
        world.store_ends(&writer, FIRST, 2)
    }]);
    let shown = |space: &Space| ENDS.map(|word| world.load(space, FIRST, word));
    let mut spaces = born.into_inner().expect("no thread has panicked");
    spaces.extend([parent, child]);
    assert!(spaces.iter().all(|space| shown(space) == [1, 1]));
    assert_eq!(shown(&writer), [2, 2]);
    assert_eq!(world.memory.frames_used_for(Use::Anonymous), 2);
    spaces.push(writer);
    world.close(spaces, vec![]);
}
