//! The reverse map of private pages: a walk comes by while relatives copy, fork, move, unmap and end.
use super::cow::end_once;
use crate::atomic::Ordering::Relaxed;
use crate::mm::mremap::{Remap, RemapFlags};
use crate::mm::{PAGE_SIZE, Page};
use crate::sync::Mutex;
use crate::world::{FIRST, Space, World, side_by_side};

/// The frame behind `page`.
fn frame_of(world: &World, space: &Space, page: Page) -> u32 {
    let space = space.read();
    let entry = space.table().entry(&world.memory, page);
    let bits = entry.map_or(0, |entry| entry.load(Relaxed));
    (bits >> 12) as u32 & 0xfffff
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

/// A page is taken from parent and child while one forks again and the other moves it into another table and unmaps it:
/// no walk looks into a table that is another's by then.
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
    let carry = || {
        let request = Remap {
            address: FIRST.address(),
            old_length: PAGE_SIZE,
            new_length: PAGE_SIZE,
            flags: RemapFlags::MAY_MOVE | RemapFlags::FIXED,
            new_address: (FIRST + 0x400).address(),
        };
        let moved = child.write().mremap(&world.memory, request);
        moved.expect("nothing hinders it");
        let word = world.load(&child, FIRST + 0x400, 0);
        assert!(word <= 1, "the moved page holds {word}");
        let unmapped = child.munmap(&world, FIRST + 0x400, 1);
        unmapped.expect("nothing hinders it");
    };
    side_by_side(&[&expel, &fork, &carry]);
    let grandchild = grandchild.into_inner().expect("no thread has panicked");
    let mut spaces = vec![parent, child];
    spaces.extend(grandchild);
    world.close(spaces, vec![]);
}
