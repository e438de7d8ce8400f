//! Changes of a space that other CPUs are executing in: instructions take no lock, only faults wait.
use crate::machine::Deed;
use crate::mm::fault::Denial;
use crate::mm::mprotect::Extent;
use crate::mm::{Backing, Outcome, PAGE_SIZE, VmFlags};
use crate::sync::Mutex;
use crate::world::{FIRST, World, mapping, side_by_side};

/// Pages vanish and come back while two CPUs use them: each finds zeroes, what it wrote, or nothing; never a free frame
/// or a stranger's.
pub(crate) fn unmap_beside_access() {
    let world = World::new(40);
    let space = world.anonymous(2);
    let stranger = world.anonymous(1);
    let touch = |word: usize| {
        for page in [FIRST, FIRST + 1, FIRST] {
            match world.execute(&space, page, word, Deed::Store(7)) {
                Ok(_) | Err(Outcome::Denied(Denial::Unmapped)) => {}
                Err(other) => panic!("a store ended with {other:?}"),
            }
            match world.execute(&space, page, word, Deed::Load) {
                Ok(0 | 7) | Err(Outcome::Denied(Denial::Unmapped)) => {}
                other => panic!("a load ended with {other:?}"),
            }
        }
    };
    let change = || {
        space.munmap(&world, FIRST, 2).expect("nothing hinders it");
        world.store(&stranger, FIRST, 0, 66);
        let request = mapping(FIRST, 2, Backing::Anonymous);
        let mapped = space.write().mmap(&world.memory, request);
        mapped.expect("the place is free");
    };
    side_by_side(&[&|| touch(0), &change, &|| touch(511)]);
    assert_eq!(world.load(&stranger, FIRST, 0), 66);
    world.close(vec![space, stranger], vec![]);
}

/// After `mprotect` has returned no store goes through, whatever a TLB remembers.
pub(crate) fn protect_beside_store() {
    let world = World::new(40);
    let space = world.anonymous(1);
    let word = |_| world.load(&space, FIRST, 0);
    let store = || {
        for value in 1..4 {
            match world.execute(&space, FIRST, 0, Deed::Store(value)) {
                Ok(_) | Err(Outcome::Denied(Denial::Forbidden)) => {}
                Err(other) => panic!("a store ended with {other:?}"),
            }
        }
    };
    let protect = || {
        let withdrawn = space.write().mprotect(
            &world.memory,
            FIRST.address(),
            PAGE_SIZE,
            VmFlags::READ,
            Extent::Named,
            |_| {},
        );
        withdrawn.expect("the area is there");
        let seen: [u64; 2] = std::array::from_fn(word);
        assert_eq!(seen[0], seen[1], "a store went through");
    };
    side_by_side(&[&store, &protect]);
    world.close(vec![space], vec![]);
}

/// A thread stores to one page, then to another, while its process forks: the child has the second only with the first.
pub(crate) fn fork_beside_stores() {
    let world = World::new(48);
    let space = world.anonymous(2);
    let pages = [FIRST, FIRST + 1];
    let store_all = |value| {
        for page in pages {
            world.store(&space, page, 0, value);
        }
    };
    store_all(0);
    let children = Mutex::new(Vec::new());
    let store = || {
        for round in 1..4 {
            store_all(round);
        }
    };
    let fork = || {
        let child = space.fork(&world);
        let [first, second] = pages.map(|page| world.load(&child, page, 0));
        assert!(first >= second, "the child has {first}, and later {second}");
        let again = pages.map(|page| world.load(&child, page, 0));
        assert_eq!(
            [first, second],
            again,
            "the parent's store reached the child"
        );
        children.lock().expect("no thread has panicked").push(child);
    };
    side_by_side(&[&store, &fork]);
    assert_eq!(pages.map(|page| world.load(&space, page, 0)), [3, 3]);
    let mut spaces = children.into_inner().expect("no thread has panicked");
    spaces.push(space);
    world.close(spaces, vec![]);
}
