//! Areas grow, shrink and move with their pages; who is refused keeps everything.
use alloc::vec::Vec;

use super::{Remap, RemapFlags};
use crate::error::Error;
use crate::fault::{Access, Path};
use crate::mmap::Place;
use crate::page::{PAGE_SIZE, Page};
use crate::testing::{Drawing, FIRST, mapping};
use crate::vma::VmFlags;

const STAY: RemapFlags = RemapFlags::empty();
const MOVE: RemapFlags = RemapFlags::MAY_MOVE;
const FIXED: RemapFlags = RemapFlags::MAY_MOVE.union(RemapFlags::FIXED);
const KEEP: RemapFlags = FIXED.union(RemapFlags::DONT_UNMAP);

/// `old` and `new` are pages of the drawing and how many; answers with a page of the drawing.
fn remap(
    drawing: &mut Drawing,
    old: (u64, u64),
    new: (u64, u64),
    flags: RemapFlags,
) -> Result<u64, Error> {
    let request = Remap {
        address: (FIRST + old.0).address(),
        old_length: old.1 * PAGE_SIZE,
        new_length: new.1 * PAGE_SIZE,
        flags,
        new_address: (FIRST + new.0).address(),
    };
    let address = drawing.space.mremap(&drawing.memory, request)?;
    Ok(Page::containing(address) - FIRST)
}

/// Writes its number into each page.
fn fill(drawing: &Drawing, pages: core::ops::Range<u64>) {
    for page in pages {
        let (address, byte) = ((FIRST + page).address(), page as u8 + 1);
        let written = drawing
            .space
            .write_remote(&drawing.memory, address, &[byte]);
        assert_eq!(written.ok(), Some(1));
    }
}

fn bytes(drawing: &Drawing, pages: core::ops::Range<u64>) -> Vec<u8> {
    let byte = |page| {
        let mut byte = [0];
        let address = (FIRST + page).address();
        let read = drawing
            .space
            .read_remote(&drawing.memory, address, &mut byte);
        assert_eq!(read.ok(), Some(1), "page {page}");
        byte[0]
    };
    pages.map(byte).collect()
}

#[test]
fn an_area_grows_where_it_is_until_something_is_in_the_way() {
    //                               0123456789
    let mut drawing = Drawing::of("RWww...R..");
    assert_eq!(remap(&mut drawing, (2, 2), (0, 4), STAY), Ok(2));
    drawing.shows("RWwwww.R..");
    let got = remap(&mut drawing, (2, 4), (0, 6), STAY);
    assert_eq!(got, Err(Error::OutOfMemory));
    let got = remap(&mut drawing, (2, 2), (0, 3), STAY);
    assert_eq!(got, Err(Error::OutOfMemory), "not from its middle");
    drawing.shows("RWwwww.R..");
    // What it comes to touch is one with it, if it can be.
    let mut drawing = Drawing::of("Ww..Ww....");
    assert_eq!(remap(&mut drawing, (0, 2), (0, 4), STAY), Ok(0));
    drawing.shows("Wwwwww....");
}

#[test]
fn what_moves_and_shrinks_never_leaves_its_end_behind() {
    // The end may be of other areas, have holes, and begin where the area does not reach.
    //                               0123456789
    let mut drawing = Drawing::of("WwRr.Xx...");
    fill(&drawing, 0..2);
    assert_eq!(remap(&mut drawing, (0, 6), (8, 2), FIXED), Ok(8));
    drawing.shows("......X.Ww");
    assert_eq!(bytes(&drawing, 8..10), [1, 2]);
    let got = remap(&mut drawing, (8, 4), (0, 3), FIXED);
    assert_eq!(got, Err(Error::BadAddress), "nothing is cut off");
    // As on Linux the target has gone by the time that the end turns out to be nobody's.
    let far = crate::space::USER_END - FIRST;
    assert_eq!(
        remap(&mut drawing, (8, far), (6, 1), FIXED),
        Err(Error::Invalid)
    );
    drawing.shows("........Ww");
}

#[test]
fn an_area_shrinks_from_its_end() {
    //                               0123456789
    let mut drawing = Drawing::of("WwwwwwR...");
    fill(&drawing, 0..6);
    assert_eq!(remap(&mut drawing, (1, 4), (0, 2), STAY), Ok(1));
    drawing.shows("Www..WR...");
    assert_eq!(bytes(&drawing, 0..3), [1, 2, 3]);
    assert_eq!(remap(&mut drawing, (1, 2), (0, 2), STAY), Ok(1), "nothing");
    drawing.shows("Www..WR...");
}

#[test]
fn no_page_stays_behind_when_its_area_moves() {
    //                               0123456789
    let mut drawing = Drawing::of("Wwww......");
    fill(&drawing, 0..4);
    let resident = drawing.space.resident_pages(&drawing.memory);
    assert_eq!(remap(&mut drawing, (1, 2), (6, 2), FIXED), Ok(6));
    drawing.shows("W..W..Ww..");
    assert_eq!(bytes(&drawing, 6..8), [2, 3]);
    assert_eq!(drawing.space.resident_pages(&drawing.memory), resident);
    assert_eq!(drawing.fault(6, Access::Write), Path::Spurious);
    // Back to where it came from.
    assert_eq!(remap(&mut drawing, (6, 2), (1, 2), FIXED), Ok(1));
    drawing.shows("Wwww......");
    assert_eq!(bytes(&drawing, 0..4), [1, 2, 3, 4]);
}

#[test]
fn the_target_never_keeps_what_was_there() {
    //                               0123456789
    let mut drawing = Drawing::of("Ww..Wwww..");
    fill(&drawing, 0..2);
    fill(&drawing, 4..8);
    assert_eq!(remap(&mut drawing, (0, 2), (5, 2), FIXED), Ok(5));
    drawing.shows("....WWwW..");
    assert_eq!(bytes(&drawing, 4..8), [5, 1, 2, 8]);
    assert_eq!(drawing.space.resident_pages(&drawing.memory), 4);
}

#[test]
fn an_area_that_grows_on_its_way_has_zeroes_at_its_end() {
    //                               0123456789
    let mut drawing = Drawing::of("WwR.......");
    fill(&drawing, 0..2);
    let page = remap(&mut drawing, (0, 2), (0, 3), MOVE);
    assert_eq!(page, Ok(61), "below mmap_base");
    drawing.shows("..R.......");
    assert_eq!(bytes(&drawing, 61..64), [1, 2, 0]);
    assert_eq!(remap(&mut drawing, (61, 3), (5, 1), FIXED), Ok(5));
    drawing.shows("..R..W....");
    assert_eq!(drawing.space.mapped_pages(), 2);
    assert_eq!(drawing.memory.committed_pages(), 1);
}

#[test]
fn what_is_not_unmapped_stays_empty() {
    //                               0123456789
    let mut drawing = Drawing::of("Llll......");
    fill(&drawing, 0..4);
    assert_eq!(remap(&mut drawing, (1, 2), (6, 2), KEEP), Ok(6));
    drawing.shows("Wwww..Ll..");
    assert_eq!(bytes(&drawing, 0..4), [1, 0, 0, 4]);
    assert_eq!(bytes(&drawing, 6..8), [2, 3]);
    assert_eq!(drawing.memory.committed_pages(), 6);
}

#[test]
fn an_area_that_moves_beside_itself_still_knows_of_its_pages() {
    //                               0123456789
    let mut drawing = Drawing::of("WRWwww..W.");
    fill(&drawing, 4..5);
    assert_eq!(remap(&mut drawing, (0, 1), (1, 1), KEEP), Ok(1));
    drawing.shows("Wwwwww..W.");
    assert_eq!(remap(&mut drawing, (3, 1), (9, 1), FIXED), Ok(9));
    drawing.shows("Www.Ww..WW");
}

#[test]
fn several_areas_move_by_the_same_distance() {
    //                               0123456789
    let mut drawing = Drawing::of("WwRr.Xx....WwwwwwwW.");
    fill(&drawing, 0..2);
    fill(&drawing, 11..19);
    assert_eq!(remap(&mut drawing, (1, 5), (12, 5), FIXED), Ok(12));
    drawing.shows("W.....X....WWRrWXWW.");
    assert_eq!(bytes(&drawing, 11..13), [12, 2]);
    assert_eq!(bytes(&drawing, 15..16), [16], "a hole replaces nothing");
    let got = remap(&mut drawing, (11, 4), (0, 5), MOVE);
    assert_eq!(
        got,
        Err(Error::BadAddress),
        "only by moving, not by growing"
    );
}

#[test]
fn no_senseless_request_is_accepted() {
    //                               0123456789
    let mut drawing = Drawing::of("Wwww......");
    let end = crate::space::USER_END - FIRST;
    for (old, new, flags, expected) in [
        ((0, 1), (0, 0), STAY, Error::Invalid),
        ((0, 1), (6, 1), RemapFlags::FIXED, Error::Invalid),
        ((0, 1), (6, 1), RemapFlags::DONT_UNMAP, Error::Invalid),
        ((0, 1), (6, 2), KEEP, Error::Invalid),
        ((0, 2), (1, 2), FIXED, Error::Invalid),
        ((2, 2), (1, 2), FIXED, Error::Invalid),
        ((0, 1), (end, 1), FIXED, Error::Invalid),
        ((0, 1), (0, end + 0x2000), STAY, Error::Invalid),
        ((0, 0), (0, 1), MOVE, Error::Invalid),
        ((5, 1), (0, 1), STAY, Error::BadAddress),
        ((5, 1), (7, 1), FIXED, Error::BadAddress),
        ((2, 4), (0, 5), MOVE, Error::BadAddress),
    ] {
        let got = remap(&mut drawing, old, new, flags);
        assert_eq!(got, Err(expected), "{old:?} {new:?} {flags:?}");
    }
    drawing.shows("Wwww......");
}

#[test]
fn no_limit_is_passed_by_moving() {
    //                               0123456789
    let mut drawing = Drawing::of("WwwwR.....");
    drawing.space.limits.address_space = 6 * PAGE_SIZE;
    drawing.space.limits.data = 5 * PAGE_SIZE;
    for (len, flags) in [(7, MOVE), (4, KEEP)] {
        let got = remap(&mut drawing, (0, 4), (20, len), flags);
        assert_eq!(got, Err(Error::OutOfMemory));
    }
    drawing.shows("WwwwR.....");
    assert_eq!(remap(&mut drawing, (0, 4), (5, 5), FIXED), Ok(5));
    drawing.shows("....RWwwww");
}

#[test]
fn a_move_without_memory_never_happens_by_half() {
    //                               0123456789
    let mut drawing = Drawing::of("Wwww......");
    fill(&drawing, 0..4);
    let memory = &drawing.memory;
    let hoard: Vec<_> = core::iter::from_fn(|| memory.allocate(0).ok()).collect();
    // Far away, where tables are missing at two levels or more.
    let far = 1 << 20;
    let mut hoard = hoard.into_iter();
    for _ in 0..2 {
        let got = remap(&mut drawing, (0, 4), (far, 4), FIXED);
        assert_eq!(got, Err(Error::OutOfMemory));
        assert_eq!(bytes(&drawing, 0..4), [1, 2, 3, 4]);
        drawing.shows("Wwww......");
        hoard
            .next()
            .into_iter()
            .for_each(|frame| drawing.memory.free(frame));
    }
    assert_eq!(remap(&mut drawing, (0, 4), (far, 4), FIXED), Ok(far));
    hoard.for_each(|frame| drawing.memory.free(frame));
    drawing.shows("..........");
    assert_eq!(bytes(&drawing, far..far + 4), [1, 2, 3, 4]);
}

#[test]
fn a_child_never_sees_its_parents_move() {
    //                               0123456789
    let mut drawing = Drawing::of("Ww........");
    fill(&drawing, 0..2);
    let child = drawing.space.fork(&drawing.memory).expect("memory is left");
    assert_eq!(remap(&mut drawing, (0, 2), (4, 2), FIXED), Ok(4));
    assert_eq!(drawing.fault(4, Access::Write), Path::CowCopy);
    drawing.shows_all("....Ww....", &[&child]);
    let area = child.find_vma(FIRST.address()).map(|vma| vma.flags);
    assert!(area.is_some_and(|flags| flags.contains(VmFlags::WRITE)));
    child.destroy(&drawing.memory);
}

#[test]
fn a_range_beyond_all_memory_moves_what_there_is() {
    //                               0123456789
    let mut drawing = Drawing::of("........Ww");
    fill(&drawing, 8..10);
    let len = crate::space::USER_END.number() - 0x2000;
    assert_eq!(
        remap(&mut drawing, (8, len), (0, len), FIXED),
        Err(Error::Invalid)
    );
    let top = crate::space::USER_END - FIRST - 4;
    assert_eq!(remap(&mut drawing, (8, 2), (top, 2), FIXED), Ok(top));
    assert_eq!(
        remap(&mut drawing, (top, 1 << 20), (8, 1 << 20), FIXED),
        Ok(8)
    );
    drawing.shows("........Ww");
    assert_eq!(bytes(&drawing, 8..10), [9, 10]);
}

#[test]
fn no_limit_forgives_what_a_range_beyond_all_memory_does_not_replace() {
    let top = crate::space::USER_END - FIRST - 2;
    //                               0123456789
    let mut drawing = Drawing::of(".....Ww...");
    let request = mapping(
        FIRST + top..FIRST + top + 2,
        Place::Fixed,
        VmFlags::READ | VmFlags::WRITE,
    );
    let (space, memory) = (&mut drawing.space, &drawing.memory);
    space.mmap(memory, request).expect("free");
    space.limits.address_space = 5 * PAGE_SIZE;
    // Two pages more, and what stands at the target is too far off to make room for them.
    let got = remap(&mut drawing, (top, 10), (0, 10), KEEP);
    assert_eq!(got, Err(Error::OutOfMemory));
    assert_eq!(remap(&mut drawing, (top, 10), (5, 10), KEEP), Ok(5));
    drawing.shows(".....Ww...");
}

/// Maps `len` pages of shared memory at page `page`.
fn shared(drawing: &mut Drawing, first: u64, count: u64) {
    use crate::page_cache::{CachedFile, Source};
    use crate::vma::Backing;
    let file = alloc::sync::Arc::new(CachedFile::new(7, Source::Memory, count * PAGE_SIZE));
    let request = crate::mmap::Mapping {
        address: (FIRST + first).address(),
        length: count * PAGE_SIZE,
        place: Place::Fixed,
        opening: crate::opening::Opening::default(),
        flags: VmFlags::READ | VmFlags::WRITE | VmFlags::SHARED,
        backing: Backing::File { file, offset: 0 },
    };
    drawing.space.mmap(&drawing.memory, request).expect("free");
}

#[test]
fn an_area_that_makes_room_for_its_own_view_leaves_nothing_behind() {
    for len in [1, 3] {
        let mut it = Drawing::of("..........");
        shared(&mut it, 2, len);
        it.fault(2, Access::Write);
        assert_eq!(
            remap(&mut it, (2, 0), (2, 1), FIXED),
            Err(Error::BadAddress)
        );
        assert!(it.space.areas.at(FIRST + 2).is_none());
        crate::check::check(&it.memory, &[&it.space], &[]).expect("sound");
        it.unmap("----------").expect("allowed");
    }
}

#[test]
fn showing_a_page_twice_never_cuts_its_area() {
    let mut it = Drawing::of("..........");
    shared(&mut it, 2, 3);
    assert_eq!(remap(&mut it, (3, 0), (7, 2), FIXED), Ok(7));
    let areas = it.space.areas().iter();
    let shown: Vec<_> = areas
        .map(|vma| (vma.start - FIRST, vma.len(), vma.file_index(vma.start)))
        .collect();
    assert_eq!(shown, [(2, 3, Some(0)), (7, 2, Some(1))]);
    it.unmap("----------").expect("allowed");
}

#[test]
fn a_move_that_stopped_half_way_is_never_begun_anew() {
    let mut it = Drawing::of("AW........");
    fill(&it, 0..2);
    // A table for page 511, none for 512.
    let marks = " ".repeat(510) + "-";
    it.map(&marks, 'w').expect("free");
    it.fault(510, Access::Write);
    let hoard: Vec<_> = core::iter::from_fn(|| it.memory.allocate(0).ok()).collect();
    let moved = remap(&mut it, (0, 2), (511, 2), KEEP);
    assert_eq!(moved, Err(Error::OutOfMemoryMidway));
    hoard.into_iter().for_each(|frame| it.memory.free(frame));
}

#[test]
fn no_limit_counts_more_than_the_area_that_moves() {
    //                          0123456789
    let mut it = Drawing::of("AWRr.R....");
    fill(&it, 0..2);
    it.space.limits.data = (it.space.books.data + 1) * PAGE_SIZE;
    let moved = remap(&mut it, (0, 2), (2, 2), KEEP);
    assert_eq!(moved, Err(Error::OutOfMemoryMidway));
    assert!(it.space.areas.at(FIRST + 3).is_none(), "it is gone by then");
    assert_eq!(bytes(&it, 0..3), [0, 2, 1]);
    (it.space.limits.data, it.space.limits.data_hard) = (0, 0);
    let moved = remap(&mut it, (5, 1), (7, 1), KEEP);
    assert_eq!(moved, Ok(7), "what is no data is under no limit of data");
    it.unmap("----------").expect("allowed");
}
