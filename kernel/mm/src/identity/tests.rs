//! Which neighbours become one, as programs on Linux 6.18 see it in `/proc/self/maps`.
use alloc::sync::Arc;

use crate::fault::Access;
use crate::mmap::{Mapping, Place};
use crate::mremap::{Remap, RemapFlags};
use crate::page::PAGE_SIZE;
use crate::page_cache::{CachedFile, Source};
use crate::testing::{Drawing, FIRST, mapping};
use crate::vma::{Backing, VmFlags};

fn write(it: &Drawing, page: u64) {
    it.fault(page, Access::Write);
}

fn remap(it: &mut Drawing, (from, count): (u64, u64), (to, len): (u64, u64), flags: RemapFlags) {
    let request = Remap {
        address: (FIRST + from).address(),
        old_length: count * PAGE_SIZE,
        new_length: len * PAGE_SIZE,
        flags,
        new_address: (FIRST + to).address(),
    };
    let moved = it.space.mremap(&it.memory, request);
    assert_eq!(moved, Ok((FIRST + to).address()));
}

fn carry(it: &mut Drawing, from: u64, to: u64, count: u64) {
    let flags = RemapFlags::MAY_MOVE | RemapFlags::FIXED;
    remap(it, (from, count), (to, count), flags);
}

/// The same memory, seen by a child of the space.
fn in_a_child(mut it: Drawing) -> Drawing {
    let child = it.space.fork(&it.memory).expect("memory is left");
    let parent = core::mem::replace(&mut it.space, child);
    parent.destroy(&it.memory);
    it
}

#[test]
fn a_page_of_its_own_parts_no_area_from_a_fresh_one() {
    //                          0123456789
    let mut it = Drawing::of("Wwww......");
    write(&it, 0);
    it.map("    --    ", 'w').expect("free");
    it.shows("Wwwwww....");
    let mut it = Drawing::of("....Wwww..");
    write(&it, 4);
    it.map(" ---      ", 'w').expect("free");
    it.shows(".Wwwwwww..");
}

#[test]
fn two_that_began_apart_stay_two() {
    //                          0123456789
    let mut it = Drawing::of("Wwww..Wwww");
    write(&it, 0);
    write(&it, 6);
    it.map("    --    ", 'w').expect("free");
    it.shows("WwwwwwWwww");
    // Not where one of them began beside the other, and only the rights differed.
    let mut it = Drawing::of("WwwwXxx...");
    write(&it, 0);
    it.protect("    ---   ", 'r').expect("allowed");
    it.protect("----      ", 'n').expect("allowed");
    it.protect("    ---   ", 'w').expect("allowed");
    write(&it, 5);
    it.protect("----      ", 'w').expect("allowed");
    it.shows("Wwwwwww...");
}

#[test]
fn between_two_kin_none_goes_with_the_lower() {
    //                          0123456789
    let mut it = Drawing::of("Wwww..Wwww");
    write(&it, 0);
    write(&it, 6);
    it.protect("----      ", 'r').expect("allowed");
    it.protect("      ----", 'r').expect("allowed");
    it.map("    --    ", 'w').expect("free");
    write(&it, 4);
    it.protect("----      ", 'w').expect("allowed");
    it.protect("      ----", 'w').expect("allowed");
    it.shows("WwwwWwwwww");
}

#[test]
fn what_moved_with_its_pages_never_joins_its_new_neighbour() {
    //                          0123456789
    let mut it = Drawing::of("Ww..Ww....");
    carry(&mut it, 4, 2, 2);
    it.shows("Wwww......");
    let mut it = Drawing::of("Ww..Ww....");
    write(&it, 4);
    carry(&mut it, 4, 2, 2);
    it.shows("WwWw......");
    carry(&mut it, 2, 4, 2);
    it.map("      --  ", 'w').expect("free");
    it.shows("Ww..Wwww..");
    // Two halves that moved by the same distance are one again.
    let mut it = Drawing::of("Wwww......");
    write(&it, 0);
    carry(&mut it, 2, 8, 2);
    carry(&mut it, 0, 6, 2);
    it.shows("......Wwww");
}

#[test]
fn what_stays_behind_a_move_keeps_its_place_and_its_neighbours() {
    let keep = RemapFlags::MAY_MOVE | RemapFlags::FIXED | RemapFlags::DONT_UNMAP;
    //                          0123456789
    let mut it = Drawing::of("Ww........");
    write(&it, 0);
    carry(&mut it, 0, 4, 2);
    remap(&mut it, (4, 2), (8, 2), keep);
    it.map("      --  ", 'w').expect("free");
    it.shows("....WwWwWw");
    // Another move begins anew.
    carry(&mut it, 4, 2, 2);
    it.map("    --    ", 'w').expect("free");
    it.shows("..WwwwwwWw");
    let mut it = Drawing::of("WwLlWw....");
    write(&it, 2);
    remap(&mut it, (2, 2), (8, 2), keep);
    it.shows("WwWwWw..Ll");
}

#[test]
fn an_inherited_area_never_takes_a_neighbour_in() {
    //                          0123456789
    let mut it = Drawing::of("Wwww......");
    write(&it, 0);
    it.protect("  --      ", 'r').expect("allowed");
    let mut it = in_a_child(it);
    it.protect("  --      ", 'w').expect("allowed");
    it.shows("WwWw......");
    it.map("    --    ", 'w').expect("free");
    it.shows("WwWwWw....");
    // But it may grow until it touches one that was never written.
    let it = Drawing::of("Ww........");
    write(&it, 0);
    let mut it = in_a_child(it);
    it.map("    --    ", 'w').expect("free");
    remap(&mut it, (0, 2), (0, 4), RemapFlags::empty());
    it.shows("Wwwwww....");
    it.map("        --", 'w').expect("free");
    write(&it, 8);
    remap(&mut it, (0, 6), (0, 8), RemapFlags::empty());
    it.shows("WwwwwwwwWw");
}

#[test]
fn an_area_that_was_wiped_is_as_new() {
    //                          0123456789
    let it = Drawing::of("Vvvv......");
    write(&it, 0);
    let mut it = in_a_child(it);
    it.map("    --    ", 'v').expect("free");
    it.space
        .madvise(
            &it.memory,
            (FIRST + 4).address(),
            2 * PAGE_SIZE,
            crate::madvise::Advice::WipeOnFork,
        )
        .expect("allowed");
    it.shows("Vvvvvv....");
}

#[test]
fn locked_pages_that_become_writable_belong_somewhere_before_the_next_are_looked_at() {
    //                          0123456789
    let mut it = Drawing::of("Llllll....");
    it.protect("--        ", 'r').expect("allowed");
    it.protect("  --      ", 'x').expect("allowed");
    write(&it, 4);
    it.protect("----      ", 'w').expect("allowed");
    it.shows("LlllLl....");
}

#[test]
fn copies_of_a_file_are_kin_wherever_the_first_was_moved() {
    let mut it = Drawing::of("..........");
    let file = Arc::new(CachedFile::new(1, Source::Memory, 4 * PAGE_SIZE));
    let flags = VmFlags::READ | VmFlags::WRITE;
    let map = |it: &mut Drawing, first, offset, flags| {
        let file = file.clone();
        let request = Mapping {
            backing: Backing::File { file, offset },
            ..mapping(FIRST + first..FIRST + first + 2, Place::Fixed, flags)
        };
        it.space.mmap(&it.memory, request).expect("free");
    };
    map(&mut it, 6, 0, flags);
    write(&it, 6);
    carry(&mut it, 6, 0, 2);
    map(&mut it, 2, 2, flags | VmFlags::EXEC);
    write(&it, 2);
    it.protect("  --      ", 'w').expect("allowed");
    it.shows("Wwww......");
    it.unmap("----------").expect("allowed");
    file.release(&it.memory);
}
