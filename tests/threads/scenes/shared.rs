//! Memory files: one page for all who share it, and none for anybody once the file has lost it.
//!
//! Whoever cuts a file short changes entries of spaces that it does not lock, while those fault, fork, move and unmap.
use std::sync::Arc;

use crate::machine::{CPUS, Deed, run_on};
use crate::mm::fault::Denial;
use crate::mm::frame::Use;
use crate::mm::page_cache::CachedFile;
use crate::mm::{Outcome, PAGE_SIZE, Page};
use crate::sync::Mutex;
use crate::world::{ENDS, FIRST, Space, World, side_by_side};

/// The second page of the scenes' areas: the one that files lose.
const LOST: Page = Page::new(FIRST.number() + 1);

/// A world and a file of two pages in its memory.
fn world() -> (World, Arc<CachedFile>) {
    let world = World::roomy();
    let file = world.memory_file(2);
    (world, file)
}

/// An access that may come too late for its page.
fn try_to(world: &World, space: &Space, deed: Deed) {
    match world.execute(space, LOST, 0, deed) {
        Ok(_) | Err(Outcome::Denied(Denial::PastEnd)) => {}
        other => panic!("{deed:?} ended with {other:?}"),
    }
}

/// The file has lost its second page: no space shows it on any CPU, in whatever state the scene left them.
fn is_lost(world: &World, spaces: &[&Space]) {
    for cpu in (0..CPUS).rev() {
        run_on(cpu);
        for space in spaces {
            let seen = world.execute(space, LOST, 0, Deed::Load);
            let is_past_end = matches!(seen, Err(Outcome::Denied(Denial::PastEnd)));
            assert!(is_past_end, "a page that the file lost: {seen:?}");
        }
    }
}

fn cut_to_one_page(world: &World, file: &CachedFile) {
    let cut = file.set_size(&world.memory, PAGE_SIZE);
    cut.expect("nothing is sealed");
}

/// Two spaces touch a page that nobody has touched: they get the same one.
pub(crate) fn two_spaces() {
    let (world, file) = world();
    let spaces = [world.sharing(1, &file), world.sharing(1, &file)];
    let [one, other] = &spaces;
    let store = |space: &Space, word| world.store(space, FIRST, word, 7);
    let load = || {
        let seen = world.load(one, FIRST, ENDS[1]);
        assert!(seen == 0 || seen == 7, "the page held {seen}");
    };
    side_by_side(&[&|| store(one, ENDS[0]), &|| store(other, ENDS[1]), &load]);
    for space in &spaces {
        assert_eq!(ENDS.map(|word| world.load(space, FIRST, word)), [7, 7]);
    }
    assert_eq!(world.memory.frames_used_for(Use::Shared), 1);
    world.close(spaces.into(), vec![file]);
}

/// A file is cut short while two CPUs touch what it loses: a page that is there, or one that is yet to be made, in two
/// spaces or in one.
pub(crate) fn cut_beside_faults() {
    for written in [&[][..], &[1; 8]] {
        for reader in 0..2 {
            cut_beside_faults_of(written, reader);
        }
    }
}

fn cut_beside_faults_of(written: &[u8], reader: usize) {
    let (world, file) = world();
    let done = file.write_at(&world.memory, PAGE_SIZE, written);
    assert_eq!(done, Ok(written.len()));
    let spaces = [world.sharing(2, &file), world.sharing(2, &file)];
    side_by_side(&[
        &|| try_to(&world, &spaces[0], Deed::Store(1)),
        &|| cut_to_one_page(&world, &file),
        &|| try_to(&world, &spaces[reader], Deed::Load),
    ]);
    is_lost(&world, &[&spaces[0], &spaces[1]]);
    assert_eq!(world.memory.frames_used_for(Use::Shared), 0);
    world.close(spaces.into(), vec![file]);
}

/// A file is cut short while one space copies what it loses and another reads it.
pub(crate) fn cut_beside_copies() {
    let (world, file) = world();
    let (copies, reads) = (world.copying(2, &file), world.copying(2, &file));
    assert_eq!(world.load(&copies, LOST, 0), 0);
    side_by_side(&[
        &|| try_to(&world, &copies, Deed::Store(1)),
        &|| cut_to_one_page(&world, &file),
        &|| try_to(&world, &reads, Deed::Load),
    ]);
    is_lost(&world, &[&copies, &reads]);
    assert_eq!(world.memory.frames_used_for(Use::Anonymous), 0);
    world.close(vec![copies, reads], vec![file]);
}

/// A file is cut short, and grows again, while a space with a copy of what it loses forks.
pub(crate) fn cut_beside_fork() {
    let (world, file) = world();
    let parent = world.copying(2, &file);
    world.store(&parent, LOST, 0, 1);
    let child = Mutex::new(None);
    let fork = || {
        let forked = parent.fork(&world);
        *child.lock().expect("no thread has panicked") = Some(forked);
    };
    let cut = || {
        cut_to_one_page(&world, &file);
        let grown = file.set_size(&world.memory, 2 * PAGE_SIZE);
        grown.expect("nothing is sealed");
    };
    side_by_side(&[&fork, &cut]);
    let child = child.into_inner().expect("no thread has panicked");
    let child = child.expect("it was forked");
    assert_eq!(world.memory.frames_used_for(Use::Anonymous), 0);
    let seen = [&parent, &child].map(|space| world.load(space, LOST, 0));
    assert_eq!(seen, [0, 0], "a copy outlived its page");
    world.close(vec![parent, child], vec![file]);
}

/// A file is cut short while one of its areas goes, with its tables, and a stranger gets the frames of those: there are no
/// others.
pub(crate) fn cut_beside_unmap() {
    cut_beside(|world, space| {
        let gone = space.munmap(world, FIRST, 2);
        gone.expect("nothing hinders it");
        Some(space)
    });
}

/// The same while the whole space ends.
pub(crate) fn cut_beside_exit() {
    cut_beside(|world, space| {
        world.end(space);
        None
    });
}

/// What `leave` leaves of the space is ended last.
fn cut_beside(leave: impl Fn(&World, Space) -> Option<Space> + Sync) {
    // What would pass for an entry of a frame, were it in a table.
    const LIKE_AN_ENTRY: u64 = 0x07;
    let (world, file) = world();
    let (space, stranger) = (world.sharing(2, &file), world.anonymous(2));
    let pages = [FIRST, LOST];
    for page in pages {
        world.store(&space, page, 0, 1);
        // Tables it has: the next frames that it gets are for its pages.
        assert_eq!(world.load(&stranger, page, 0), 0);
    }
    let hoard = world.hoard(0);
    let space = Mutex::new(Some(space));
    let unmap = || {
        let taken = space.lock().expect("no thread has panicked").take();
        let left = leave(&world, taken.expect("nobody else takes it"));
        *space.lock().expect("no thread has panicked") = left;
    };
    let cut = || {
        let cut = file.set_size(&world.memory, 0);
        cut.expect("nothing is sealed");
    };
    let store = |page, word| {
        let done = world.execute(&stranger, page, word, Deed::Store(LIKE_AN_ENTRY));
        assert!(matches!(done, Ok(_) | Err(Outcome::OutOfMemory)));
        done.is_ok()
    };
    let stored = Mutex::new([[false; 2]; 2]);
    let move_in = || {
        let done = pages.map(|page| ENDS.map(|word| store(page, word)));
        *stored.lock().expect("no thread has panicked") = done;
    };
    side_by_side(&[&unmap, &cut, &move_in]);
    world.restore(hoard);
    let stored = stored.into_inner().expect("no thread has panicked");
    let expected = stored.map(|page| page.map(|word| if word { LIKE_AN_ENTRY } else { 0 }));
    let seen = pages.map(|page| ENDS.map(|word| world.load(&stranger, page, word)));
    assert_eq!(seen, expected, "a stranger's page was changed");
    assert_eq!(world.memory.frames_used_for(Use::Shared), 0);
    let left = space.into_inner().expect("no thread has panicked");
    world.close(left.into_iter().chain([stranger]).collect(), vec![file]);
}

/// A file is cut short while an area with what it loses moves.
pub(crate) fn cut_beside_move() {
    let (world, file) = world();
    let (moves, stays) = (world.sharing(2, &file), world.sharing(2, &file));
    for space in [&moves, &stays] {
        world.store(space, LOST, 0, 1);
    }
    // Down: who walks the reverse map comes to the new place first.
    let target = Page::new(FIRST.number() - 0x10);
    side_by_side(&[
        &|| moves.remap(&world, 2, target),
        &|| cut_to_one_page(&world, &file),
        &|| try_to(&world, &stays, Deed::Store(2)),
    ]);
    is_lost(&world, &[&stays]);
    let seen = world.execute(&moves, target + 1, 0, Deed::Load);
    let is_past_end = matches!(seen, Err(Outcome::Denied(Denial::PastEnd)));
    assert!(is_past_end, "a page was overlooked on its way: {seen:?}");
    assert_eq!(world.memory.frames_used_for(Use::Shared), 0);
    world.close(vec![moves, stays], vec![file]);
}

/// A private view copies a page that is punched out of its file just then, and whose frame is the file's new page at once:
/// what has become zero stays so.
pub(crate) fn hole_beside_copy() {
    let (world, file) = world();
    let view = world.copying(1, &file);
    let written = file.write_at(&world.memory, 24, &5u64.to_le_bytes());
    assert_eq!(written, Ok(8));
    let load = || world.load(&view, FIRST, 3);
    assert_eq!(load(), 5);
    let seen = Mutex::new([5; 2]);
    let punch = || {
        let punched = file.punch_hole(&world.memory, 0..PAGE_SIZE);
        punched.expect("nothing is sealed");
        *seen.lock().expect("no thread has panicked") = [load(), load()];
    };
    side_by_side(&[&|| world.store(&view, FIRST, 0, 7), &punch]);
    let [first, second] = seen.into_inner().expect("no thread has panicked");
    let order = [5, first, second, load()];
    let is_zero_for_good = order.is_sorted_by(|before, after| before >= after);
    assert!(is_zero_for_good, "the view held {order:?}");
    assert_eq!(world.load(&view, FIRST, 0), 7);
    world.close(vec![view], vec![file]);
}

/// A file is cut short, and a write by call makes it longer again, while a program stores to the page in question.
pub(crate) fn cut_beside_write() {
    let (world, file) = world();
    let space = world.sharing(2, &file);
    let write = || {
        cut_to_one_page(&world, &file);
        let written = file.write_at(&world.memory, PAGE_SIZE, &[7; 8]);
        assert_eq!(written, Ok(8));
    };
    side_by_side(&[&|| try_to(&world, &space, Deed::Store(9)), &write]);
    let seen = world.load(&space, LOST, 0);
    let bytes = u64::from_le_bytes([7; 8]);
    assert!(seen == bytes || seen == 9, "the page shows {seen:#x}");
    world.close(vec![space], vec![file]);
}

/// Who reads a file while it becomes longer reads nothing but what was written.
pub(crate) fn read_beside_write() {
    let world = World::new(24);
    let file = world.memory_file(0);
    let write = || {
        let written = file.write_at(&world.memory, 0, &[7; 16]);
        assert_eq!(written, Ok(16));
    };
    let read = || {
        let mut bytes = [1; 16];
        let count = file.read_at(&world.memory, 0, &mut bytes);
        let is_true = bytes[..count].iter().all(|&byte| byte == 7);
        assert!(is_true, "{count} bytes were read: {bytes:?}");
    };
    side_by_side(&[&write, &read, &read]);
    world.close(vec![], vec![file]);
}

/// The contents are sealed while somebody maps them for stores: one of the two is refused.
pub(crate) fn seal_beside_map() {
    use crate::mm::Error;
    use crate::mm::seal::Seals;
    let (world, file) = world();
    let space = world.anonymous(1);
    let (sealed, mapped) = (Mutex::new(None), Mutex::new(None));
    let seal = || *sealed.lock().expect("no panic") = Some(file.add_seals(Seals::WRITE));
    let map = || {
        let request = World::shared_mapping(FIRST + 8, 1, &file);
        let address = space.write().mmap(&world.memory, request);
        *mapped.lock().expect("no panic") = Some(address.map(drop));
    };
    side_by_side(&[&seal, &map]);
    let result = |cell: Mutex<Option<_>>| cell.into_inner().expect("no panic");
    match (result(sealed), result(mapped)) {
        (Some(Ok(())), Some(Err(Error::NotPermitted))) => {}
        (Some(Err(Error::Busy)), Some(Ok(()))) => {}
        other => panic!("sealing and mapping ended with {other:?}"),
    }
    world.close(vec![space], vec![file]);
}
