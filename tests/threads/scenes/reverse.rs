//! The reverse map of private pages: a walk comes by while relatives copy, fork, move, unmap and end.
use super::cow::end_once;
use crate::atomic::Ordering::Relaxed;
use crate::mm::mremap::{Remap, RemapFlags};
use crate::mm::{PAGE_SIZE, Page};
use crate::sync::Mutex;
use crate::world::{ENDS, FIRST, Space, World, side_by_side};

/// Where pages move to: another table serves it.
const AWAY: Page = Page::new(FIRST.number() + 0x400);

/// The entry of `page`.
fn entry_of(world: &World, space: &Space, page: Page) -> u64 {
    let space = space.read();
    let entry = space.table().entry(&world.memory, page);
    entry.map_or(0, |entry| entry.load(Relaxed))
}

/// The frame behind `page`.
fn frame_of(world: &World, space: &Space, page: Page) -> u32 {
    (entry_of(world, space, page) >> 12) as u32 & 0xfffff
}

/// A page is taken from all who map it while one of them copies it, and another ends: each has what it wrote, or zeroes,
/// and the frame's next owner has it alone.
pub(crate) fn expel_beside_relatives() {
    let world = World::new(60);
    let parent = world.anonymous(1);
    let stranger = world.anonymous(1);
    world.store(&parent, FIRST, 0, 1);
    let [ends, writes] = [parent.fork(&world), parent.fork(&world)];
    let frame = frame_of(&world, &parent, FIRST);
    let ends = Mutex::new(Some(ends));
    let expel = || {
        world.memory.expel(frame);
        world.store(&stranger, FIRST, 0, 66);
    };
    let write = || {
        world.store(&writes, FIRST, 1, 2);
        let rest = world.load(&writes, FIRST, 0);
        assert!(rest <= 1, "the copy holds {rest}");
    };
    side_by_side(&[&expel, &write, &|| end_once(&world, &ends)]);
    assert!(world.load(&parent, FIRST, 0) <= 1);
    assert_eq!(world.load(&stranger, FIRST, 0), 66);
    world.close(vec![parent, writes, stranger], vec![]);
}

/// `mremap` of the page at `from` to `to`.
fn carry(world: &World, space: &Space, from: Page, to: Page) {
    let request = Remap {
        address: from.address(),
        old_length: PAGE_SIZE,
        new_length: PAGE_SIZE,
        flags: RemapFlags::MAY_MOVE | RemapFlags::FIXED,
        new_address: to.address(),
    };
    let moved = space.write().mremap(&world.memory, request);
    moved.expect("nothing hinders it");
}

/// A page is taken from parent and child while one forks again and the other moves it into another table and unmaps it:
/// whatever the walk comes upon, all counts are right.
pub(crate) fn expel_beside_moves() {
    let world = World::new(60);
    let parent = world.anonymous(1);
    world.store(&parent, FIRST, 0, 1);
    let child = parent.fork(&world);
    let frame = frame_of(&world, &parent, FIRST);
    let grandchild = Mutex::new(None);
    let expel = || {
        for _ in 0..2 {
            world.memory.expel(frame);
        }
    };
    let fork = || *grandchild.lock().expect("no thread has panicked") = Some(parent.fork(&world));
    let leave = || {
        carry(&world, &child, FIRST, AWAY);
        let word = world.load(&child, AWAY, 0);
        assert!(word <= 1, "the moved page holds {word}");
        let unmapped = child.munmap(&world, AWAY, 1);
        unmapped.expect("nothing hinders it");
    };
    side_by_side(&[&expel, &fork, &leave]);
    let grandchild = grandchild.into_inner().expect("no thread has panicked");
    let mut spaces = vec![parent, child];
    spaces.extend(grandchild);
    world.close(spaces, vec![]);
}

/// A page is taken from parent and child while the child moves it back to where it was: the walk, which looks there first,
/// finds both entries.
pub(crate) fn expel_beside_return() {
    let world = World::roomy();
    let parent = world.anonymous(1);
    world.store(&parent, FIRST, 0, 1);
    let child = parent.fork(&world);
    carry(&world, &child, FIRST, AWAY);
    let frame = frame_of(&world, &parent, FIRST);
    let expel = || {
        let emptied = world.memory.expel(frame);
        assert_eq!(emptied, 2, "an entry was overlooked on its way");
    };
    side_by_side(&[&expel, &|| carry(&world, &child, AWAY, FIRST)]);
    for space in [&parent, &child] {
        assert_eq!(world.load(space, FIRST, 0), 0);
    }
    world.close(vec![parent, child], vec![]);
}

/// A page is taken from parent and child while the child unmaps it, with its tables, and a stranger gets the frames of
/// those: what looks like the child's entry there is the stranger's.
pub(crate) fn expel_beside_unmap() {
    let world = World::roomy();
    let parent = world.anonymous(1);
    world.store(&parent, FIRST, 0, 1);
    let child = parent.fork(&world);
    let like_the_entry = entry_of(&world, &child, FIRST);
    let stranger = world.anonymous(3);
    let pages = [FIRST, FIRST + 1, FIRST + 2];
    for page in pages {
        // Tables it has: the frames that it gets are for its pages.
        assert_eq!(world.load(&stranger, page, 0), 0);
    }
    let frame = frame_of(&world, &parent, FIRST);
    let expel = || {
        world.memory.expel(frame);
    };
    // The child's entry is the last of its table.
    let last = ENDS[1];
    let move_in = || {
        let unmapped = child.munmap(&world, FIRST, 1);
        unmapped.expect("nothing hinders it");
        for page in pages {
            world.store(&stranger, page, last, like_the_entry);
        }
    };
    side_by_side(&[&expel, &move_in]);
    for page in pages {
        let word = world.load(&stranger, page, last);
        assert_eq!(word, like_the_entry, "a stranger's page was changed");
    }
    world.close(vec![parent, child, stranger], vec![]);
}
