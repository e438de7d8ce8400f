//! The scenes: what happened before, the verb, and what it takes.
use super::ops::{
    ANONYMOUS, FAR, FILE, FORK, SHARED, advise, carry, lock_all, map, map_at, on, pages, populated,
    read, remap, write,
};
use super::{Cost, STACK_TOP, Scene};
use crate::op::{
    Advice, Call, Extent, Length, Lock, Op, Reach, Request, Rights, Sharing, Span, Way,
};

/// All scenes.
pub fn scenes() -> Vec<Scene> {
    [
        faults_of_anonymous_memory(),
        faults_of_files(),
        calls_on_files(),
        accesses_by_the_kernel(),
        calls(),
        moves(),
        advice(),
        processes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn scene(name: &'static str, before: &[Op], verb: Op, cost: Cost) -> Scene {
    Scene {
        name,
        before: before.to_vec(),
        verb,
        cost,
    }
}

const NONE: Cost = Cost::NONE;
const FRAME: Cost = Cost::frames(1);
/// The tables between the top one and a page.
const ROAD: Cost = NONE.and_a_road();
/// Room for more areas.
const AREAS: Cost = NONE.and_heap(1);

fn faults_of_anonymous_memory() -> Vec<Scene> {
    let (area, full) = ([map(8, ANONYMOUS)], populated(8));
    let shown = [map(8, ANONYMOUS), read(FAR)];
    let family = [full.clone(), FORK];
    let orphan = [full, FORK, Op::Exit(1)];
    let stack = [write(STACK_TOP - 1)];
    vec![
        scene("first_write", &area, write(FAR), FRAME.and_a_road()),
        // The zero page takes no frame.
        scene("first_read", &area, read(FAR), ROAD),
        scene("write_after_read", &shown, write(FAR), FRAME),
        scene("write_after_fork", &family, write(FAR + 1), FRAME),
        scene("write_after_exit", &orphan, write(FAR + 1), NONE),
        scene("write_below_the_stack", &stack, write(STACK_TOP - 5), FRAME),
        // The page, and a table for it.
        scene(
            "write_below_the_stacks_table",
            &stack,
            write(STACK_TOP - 10),
            Cost::frames(2),
        ),
    ]
}

fn faults_of_files() -> Vec<Scene> {
    let area = [map(2, FILE)];
    let cached = [map(2, FILE), read(FAR)];
    let cached_by_another = [map(2, FILE), read(FAR), FORK];
    let shared = [map(2, SHARED)];
    let shared_by_another = [map(2, SHARED), FORK, on(1, write(FAR))];
    let page = Cost::frames(2).and_a_road();
    vec![
        // The index's node, the page, and tables; and the copy.
        scene("file_read", &area, read(FAR), page),
        scene(
            "file_write",
            &area,
            write(FAR),
            Cost::frames(3).and_a_road(),
        ),
        scene("shared_read", &shared, read(FAR), page),
        scene("shared_write", &shared, write(FAR), page),
        scene(
            "shared_write_by_another",
            &shared_by_another,
            write(FAR),
            ROAD,
        ),
        scene("cached_file_write", &cached, write(FAR), FRAME),
        // Entries of a file's pages are not copied: the child makes tables of its own.
        scene(
            "cached_file_read",
            &cached_by_another,
            on(1, read(FAR)),
            ROAD,
        ),
    ]
}

fn calls_on_files() -> Vec<Scene> {
    let word = pages(0, 1);
    let written = [Op::WriteFile(1, word, 7)];
    let shown = [map(2, SHARED), write(FAR), write(FAR + 1)];
    let copied = [map(2, COPIED), write(FAR), write(FAR + 1)];
    let part = Span {
        address: 100,
        length: 5000,
    };
    vec![
        // The index's node and the page.
        scene(
            "file_write_by_call",
            &[],
            Op::WriteFile(1, word, 7),
            Cost::frames(2),
        ),
        scene(
            "file_write_by_call_again",
            &written,
            Op::WriteFile(1, word, 8),
            NONE,
        ),
        scene("file_read_by_call", &[], Op::ReadFile(1, word), NONE),
        scene("truncate", &shown, Op::Resize(1, 100), NONE),
        scene("truncate_of_copies", &copied, Op::Resize(1, 100), NONE),
        scene("punch", &shown, Op::Punch(1, part), NONE),
        // The index's node and a page each.
        scene(
            "fallocate",
            &[],
            Op::Allocate(1, pages(0, 3), Length::Grows),
            Cost::frames(4),
        ),
        scene(
            "fallocate_behind_the_end",
            &written,
            Op::Allocate(1, pages(20, 3), Length::Stays),
            Cost::frames(3),
        ),
    ]
}

/// Of the file in memory, privately.
const COPIED: Request = Request {
    sharing: Sharing::Private,
    ..SHARED
};

fn accesses_by_the_kernel() -> Vec<Scene> {
    let across = Span {
        address: FAR * 4096 + 4090,
        length: 12,
    };
    let (area, shown) = (
        [map(8, ANONYMOUS)],
        [map(2, COPIED), read(FAR), read(FAR + 1)],
    );
    let family = [populated(8), FORK];
    let poke = Op::Poke(0, across, 1, Reach::Own);
    vec![
        scene(
            "write_by_the_kernel",
            &area,
            poke.clone(),
            Cost::frames(2).and_a_road(),
        ),
        scene(
            "write_by_the_kernel_after_fork",
            &family,
            poke.clone(),
            Cost::frames(2),
        ),
        scene(
            "write_by_the_kernel_to_a_file",
            &shown,
            poke,
            Cost::frames(2),
        ),
        scene(
            "read_by_the_kernel",
            &area,
            Op::Peek(0, across, Reach::Own),
            ROAD,
        ),
    ]
}

fn calls() -> Vec<Scene> {
    let (area, full) = ([map(8, ANONYMOUS)], [populated(8)]);
    let file = [map(8, FILE)];
    let middle = pages(FAR + 2, 3);
    let protect = Op::Protect(0, middle, Rights::R, Extent::Named);
    let lock = Op::Call(0, Call::Lock(middle, Lock::Now));
    let heap = [Op::Brk(0, 0x40_8000), write(0x407)];
    vec![
        scene("mmap", &[], map(8, ANONYMOUS), AREAS),
        scene("mmap_over_pages", &full, map(3, ANONYMOUS), AREAS),
        // Room for areas, and the first in the file's books: a list of rows, and a row.
        scene("mmap_of_a_file", &[], map(8, SHARED), NONE.and_heap(3)),
        // Prefaulting is a wish: the call succeeds without.
        scene("mmap_populate", &[], populated(8), AREAS),
        scene("munmap", &full, Op::Unmap(0, middle), AREAS),
        scene("munmap_of_a_file", &file, Op::Unmap(0, middle), AREAS),
        scene("mlock", &full, lock, AREAS),
        // Fetching is a wish, too.
        scene("mlockall", &area, lock_all(), NONE),
        scene("mprotect", &full, protect, AREAS),
        scene("brk", &[], Op::Brk(0, 0x40_8000), AREAS),
        scene("brk_back", &heap, Op::Brk(0, 0x40_7000), AREAS),
    ]
}

fn moves() -> Vec<Scene> {
    let full = [populated(8)];
    let fenced = [populated(8), map_at(FAR + 8, 1, ANONYMOUS)];
    // The new place has the top two levels of five in common with the old one. The heap has room for areas, and for the
    // distance in the family's books.
    let books = Cost::frames(3).and_heap(2);
    vec![
        scene("mremap", &full, carry(8), books),
        // Promises need no table, wherever they are.
        scene("mremap_of_nothing", &[map(8, ANONYMOUS)], carry(8), AREAS),
        scene("mremap_by_half", &full, carry(4), books),
        scene("mremap_in_place", &full, remap(8, 12, Way::Stay), NONE),
        scene("mremap_to_less", &full, remap(8, 4, Way::Stay), AREAS),
        scene("mremap_anywhere", &fenced, remap(8, 12, Way::Move), books),
        scene(
            "mremap_dontunmap",
            &full,
            remap(8, 8, Way::FixedKeep),
            books,
        ),
        scene(
            "mremap_dontunmap_anywhere",
            &full,
            remap(8, 8, Way::Keep),
            books,
        ),
    ]
}

fn advice() -> Vec<Scene> {
    let (area, full) = ([map(8, ANONYMOUS)], [populated(8)]);
    let (file, shared) = ([map(8, FILE)], [map(8, SHARED), write(FAR + 2)]);
    let copies = [populated(8), FORK];
    let middle = pages(FAR + 2, 3);
    let given = |advice| advise(middle, advice);
    vec![
        scene("madvise", &full, given(Advice::Random), AREAS),
        scene("madvise_dontneed", &full, given(Advice::DontNeed), AREAS),
        scene("madvise_free", &full, given(Advice::Free), AREAS),
        scene("madvise_cold", &full, given(Advice::Cold), AREAS),
        scene("madvise_remove", &shared, given(Advice::Remove), AREAS),
        // Reading ahead is a wish, too.
        scene("madvise_willneed", &file, given(Advice::WillNeed), AREAS),
        scene(
            "madvise_populate_read",
            &area,
            given(Advice::PopulateRead),
            ROAD,
        ),
        scene(
            "madvise_populate_write",
            &area,
            given(Advice::PopulateWrite),
            Cost::frames(3).and_a_road(),
        ),
        // The index's node is there, and so is a page.
        scene(
            "madvise_populate_read_of_shared",
            &shared,
            given(Advice::PopulateRead),
            Cost::frames(2),
        ),
        scene(
            "madvise_populate_write_of_copies",
            &copies,
            given(Advice::PopulateWrite),
            Cost::frames(3),
        ),
    ]
}

fn processes() -> Vec<Scene> {
    // The families' books have room for four at first.
    let four = [1, 2, 3].map(Op::Spawn);
    let books = FRAME.and_heap(2);
    // The list of rows of areas, and a row.
    let areas = FRAME.and_heap(2);
    let apart = [populated(8), write(STACK_TOP - 1)];
    let far = Cost::frames(4).and_a_road().and_heap(2);
    let wiped = [populated(8), advise(pages(FAR, 8), Advice::WipeOnFork)];
    vec![
        scene("spawn", &four, Op::Spawn(4), books),
        scene("exec", &[], Op::Exec(0), FRAME),
        scene("exec_among_four", &four, Op::Exec(0), books),
        // The child's top level, and tables for the one neighbourhood that has pages.
        scene("fork", &[populated(8)], FORK, areas.and_a_road()),
        // The other neighbourhood has the upper one of five levels in common with the first.
        scene("fork_of_far_pages", &apart, FORK, far),
        // What is shared is found through the file: the child needs no tables.
        scene("fork_of_shared", &[map(8, SHARED), write(FAR)], FORK, areas),
        // What is wiped needs no tables.
        scene("fork_of_wiped", &wiped, FORK, areas),
        scene("fork_of_nothing", &[map(8, ANONYMOUS)], FORK, areas),
    ]
}
