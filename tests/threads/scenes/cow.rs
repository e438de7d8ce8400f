//! Copies on write: who may still see the old frame, who owns the new one, and when the old one may be written or freed.
use super::advice::advise;
use crate::atomic::{AtomicU64, Ordering::SeqCst};
use crate::machine::run_on;
use crate::mm::frame::Use;
use crate::mm::madvise::Advice;
use crate::sync::Mutex;
use crate::world::{ENDS, FIRST, Space, World, side_by_side};

/// How often who has a stale entry looks while the page is copied.
const LOOKS: usize = 16;

/// Bytes that the kernel reads one by one: it holds the frame for about as long as a copy takes.
const PEEK: usize = 40;

/// A page that a child still holds is copied by one thread while another has the old frame in its TLB and a third
/// writes: after that write was seen once, nobody sees the page as it was.
pub(crate) fn stale_reader() {
    let world = World::new(40);
    let space = world.anonymous(1);
    world.store(&space, FIRST, 0, 1);
    let child = space.fork(&world);
    let flag = never_back(&world, &space, 1);
    assert_eq!(flag, 2);
    assert_eq!(world.load(&child, FIRST, 0), 1);
    world.close(vec![space, child], vec![]);
}

/// The same with the zero page in the TLB.
pub(crate) fn stale_zero_reader() {
    let world = World::new(40);
    let space = world.anonymous(1);
    assert_eq!(never_back(&world, &space, 0), 2);
    world.close(vec![space], vec![]);
}

/// Word 0 of the page goes from `old` to 2. Returns what it is in the end.
fn never_back(world: &World, space: &Space, old: u64) -> u64 {
    let written = AtomicU64::new(0);
    let copier = || world.store(space, FIRST, 511, 9);
    let writer = || {
        world.store(space, FIRST, 0, 2);
        written.store(1, SeqCst);
    };
    remembered_by_the_third(world, space, old);
    let reader = || {
        let is_written = written.load(SeqCst) == 1;
        let late = world.load(space, FIRST, 0);
        assert!(
            late == 2 || !is_written,
            "{late} was read after 2 was written"
        );
    };
    side_by_side(&[&copier, &writer, &reader]);
    assert_eq!(world.load(space, FIRST, 511), 9);
    world.load(space, FIRST, 0)
}

/// Has the page in the TLB of the third thread's CPU, which a shootdown reaches last.
fn remembered_by_the_third(world: &World, space: &Space, value: u64) {
    run_on(3);
    assert_eq!(world.load(space, FIRST, 0), value);
    run_on(0);
}

/// A thread copies a page, the other holder ends meanwhile, a third thread has the old frame in its TLB: that is freed
/// only when nobody can reach it.
pub(crate) fn reader_of_the_last_copy() {
    let world = World::new(40);
    let space = world.anonymous(1);
    world.store(&space, FIRST, 0, 1);
    let child = Mutex::new(Some(space.fork(&world)));
    remembered_by_the_third(&world, &space, 1);
    let copy = || world.store(&space, FIRST, 0, 2);
    let end = || end_once(&world, &child);
    side_by_side(&[&copy, &end, &|| look_on(&world, &space)]);
    world.close(vec![space], vec![]);
}

/// Loads often enough to be at it when the page is copied.
fn look_on(world: &World, space: &Space) {
    for _ in 0..LOOKS {
        let seen = world.load(space, FIRST, 0);
        assert!(seen == 1 || seen == 2, "the page held {seen}");
    }
}

/// A thread copies a page that is its space's alone, because the kernel is reading it just then; a third thread has it in
/// its TLB. The kernel may be the last to let go of the old frame: that is freed only when nobody can reach it.
pub(crate) fn copy_beside_remote_read() {
    let world = World::roomy();
    let space = world.anonymous(1);
    world.store(&space, FIRST, 0, 1);
    // Leaves the page read-only.
    world.end(space.fork(&world));
    remembered_by_the_third(&world, &space, 1);
    let copy = || world.store(&space, FIRST, 0, 2);
    let read = || {
        let mut bytes = [0; PEEK];
        let space = space.read();
        let read = space.read_remote(&world.memory, FIRST.address(), &mut bytes);
        assert_eq!(read.ok(), Some(PEEK));
        let first = bytes[0];
        assert!(first == 1 || first == 2, "the kernel read {first}");
    };
    side_by_side(&[&copy, &read, &|| look_on(&world, &space)]);
    world.close(vec![space], vec![]);
}

pub(super) fn end_once(world: &World, space: &Mutex<Option<Space>>) {
    let space = space.lock().expect("no thread has panicked").take();
    world.end(space.expect("it ends once"));
}

/// Parent and child write the page that they share: each keeps its own.
pub(crate) fn copy_beside_reuse() {
    let world = World::new(40);
    let parent = world.anonymous(1);
    ENDS.into_iter()
        .for_each(|word| world.store(&parent, FIRST, word, 1));
    let child = parent.fork(&world);
    let write = |space: &Space, value| {
        let [first, last] = ENDS;
        world.store(space, FIRST, first, value);
        assert_eq!(world.load(space, FIRST, last), 1, "the copy is not whole");
        world.store(space, FIRST, last, value);
        assert_eq!(world.load(space, FIRST, first), value, "another wrote here");
    };
    side_by_side(&[&|| write(&parent, 2), &|| write(&child, 3)]);
    let shown = [&parent, &child].map(|space| ENDS.map(|word| world.load(space, FIRST, word)));
    assert_eq!(shown, [[2, 2], [3, 3]]);
    assert_eq!(world.memory.frames_used_for(Use::Anonymous), 2);
    world.close(vec![parent, child], vec![]);
}

/// Three threads write words of a shared page: no store is lost in a copy that was given up or replaced.
pub(crate) fn copies_in_one_space() {
    let world = World::new(40);
    let space = world.anonymous(1);
    world.store(&space, FIRST, 3, 1);
    let child = space.fork(&world);
    let write = |word| {
        world.store(&space, FIRST, word, 5);
        assert_eq!(world.load(&space, FIRST, word), 5, "a store was lost");
    };
    side_by_side(&[&|| write(0), &|| write(1), &|| write(511)]);
    let seen = [0, 1, 3, 511].map(|word| world.load(&space, FIRST, word));
    assert_eq!(seen, [5, 5, 1, 5]);
    assert_eq!(world.memory.frames_used_for(Use::Anonymous), 2);
    world.close(vec![space, child], vec![]);
}

/// One child ends, another writes, and so does the parent: the frame's last holder, whoever it is, keeps or frees it.
pub(crate) fn exit_beside_write() {
    let world = World::new(48);
    let parent = world.anonymous(1);
    world.store(&parent, FIRST, 0, 1);
    let children = [parent.fork(&world), parent.fork(&world)];
    let [ends, writes] = children;
    let ends = Mutex::new(Some(ends));
    let end = || end_once(&world, &ends);
    let write = |space: &Space, value| {
        assert_eq!(world.load(space, FIRST, 0), 1);
        world.store(space, FIRST, 0, value);
    };
    side_by_side(&[&end, &|| write(&writes, 2), &|| write(&parent, 3)]);
    assert_eq!(world.load(&writes, FIRST, 0), 2);
    assert_eq!(world.load(&parent, FIRST, 0), 3);
    world.close(vec![parent, writes], vec![]);
}

/// The kernel reads a page by itself while a thread copies it, the other space gives it up, and a third takes the old frame
/// over.
pub(crate) fn remote_read() {
    let world = World::roomy();
    let space = world.anonymous(1);
    world.store(&space, FIRST, 0, 1);
    let child = space.fork(&world);
    let strangers = [world.anonymous(1), world.anonymous(1)];
    for stranger in &strangers {
        // Tables it has: the frame that it gets is for its page.
        assert_eq!(world.load(stranger, FIRST, 0), 0);
    }
    let read = || {
        let mut bytes = [0; 1];
        let read = space
            .read()
            .read_remote(&world.memory, FIRST.address(), &mut bytes);
        assert_eq!(read.ok(), Some(1));
        assert!(
            bytes[0] == 1 || bytes[0] == 2,
            "the kernel read {}",
            bytes[0]
        );
    };
    // Whoever lets go of the old frame last has it in its CPU's cache, for the stranger that comes next.
    let copy = || {
        world.store(&space, FIRST, 0, 2);
        world.store(&strangers[0], FIRST, 0, 66);
    };
    let give_up = || {
        advise(&world, &child, Advice::DontNeed);
        world.store(&strangers[1], FIRST, 0, 66);
    };
    side_by_side(&[&read, &copy, &give_up]);
    let [one, other] = strangers;
    world.close(vec![space, child, one, other], vec![]);
}

/// Two threads have the kernel write bytes of one word.
pub(crate) fn remote_writes() {
    let world = World::new(24);
    let space = world.anonymous(1);
    world.store(&space, FIRST, 0, 0);
    let write = |byte: u64| {
        for value in 1..3 {
            let at = FIRST.address() + byte;
            let written = space.read().write_remote(&world.memory, at, &[value]);
            assert_eq!(written.ok(), Some(1));
        }
    };
    side_by_side(&[&|| write(1), &|| write(4)]);
    assert_eq!(world.load(&space, FIRST, 0), 2 << 8 | 2 << 32);
    world.close(vec![space], vec![]);
}
