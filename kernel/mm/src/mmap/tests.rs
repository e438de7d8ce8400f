//! Where areas go, what is refused, and which refusal comes first.
use alloc::sync::Arc;

use super::{Mapping, Place};
use crate::error::Error;
use crate::mprotect::Extent;
use crate::opening::Opening;
use crate::page::{PAGE_SIZE, Page};
use crate::page_cache::{CachedFile, Source};
use crate::page_table::Levels;
use crate::space::{MAX_AREAS, USER_END};
use crate::testing::{Drawing, FIRST, mapping, memory, space};
use crate::vma::{Backing, VmFlags};

const RW: VmFlags = VmFlags::READ.union(VmFlags::WRITE);

/// Asks for `len` pages at page `hint` of the drawing; answers with a page of the drawing.
fn place(drawing: &mut Drawing, hint: u64, len: u64, place: Place) -> Result<u64, Error> {
    let start = FIRST + hint;
    let request = mapping(start..start + len, place, VmFlags::READ);
    let address = drawing.space.mmap(&drawing.memory, request)?;
    Ok(Page::containing(address) - FIRST)
}

/// Asks for `len` pages anywhere.
fn anywhere(drawing: &mut Drawing, len: u64) -> Page {
    let request = Mapping {
        address: 0,
        ..mapping(FIRST..FIRST + len, Place::Hint, VmFlags::READ)
    };
    let address = drawing.space.mmap(&drawing.memory, request);
    Page::containing(address.expect("there is room"))
}

#[test]
fn a_hint_is_never_taken_from_another_area() {
    //                               0123456789
    let mut drawing = Drawing::of("...Www....");
    assert_eq!(place(&mut drawing, 0, 3, Place::Hint), Ok(0));
    drawing.shows("RrrWww....");
    // Not free, so from mmap_base down.
    assert_eq!(place(&mut drawing, 4, 2, Place::Hint), Ok(62));
    drawing.shows("RrrWww....");
}

#[test]
fn no_room_is_left_between_areas_placed_from_above() {
    let mut drawing = Drawing::of("..........");
    assert_eq!(anywhere(&mut drawing, 3), FIRST + 61);
    assert_eq!(anywhere(&mut drawing, 2), FIRST + 59);
    drawing
        .space
        .munmap(&drawing.memory, (FIRST + 61).address(), 3 * PAGE_SIZE)
        .expect("mapped");
    assert_eq!(
        anywhere(&mut drawing, 4),
        FIRST + 55,
        "too wide for the hole"
    );
    assert_eq!(anywhere(&mut drawing, 1), FIRST + 63, "the hole's top");
}

#[test]
fn nothing_is_placed_in_a_guard_gap() {
    let mut drawing = Drawing::of("..........");
    let stack = mapping(
        FIRST + 60..FIRST + 64,
        Place::Fixed,
        RW | VmFlags::GROWS_DOWN,
    );
    drawing.space.mmap(&drawing.memory, stack).expect("free");
    assert_eq!(anywhere(&mut drawing, 1), FIRST + 60 - 256 - 1);
    let hint = mapping(FIRST + 59..FIRST + 60, Place::Hint, VmFlags::READ);
    let elsewhere = drawing.space.mmap(&drawing.memory, hint);
    assert_eq!(elsewhere, Ok((FIRST + 60 - 256 - 2).address()));
    assert_eq!(
        place(&mut drawing, 59, 1, Place::Fixed),
        Ok(59),
        "who insists gets it"
    );
}

#[test]
fn room_above_the_base_is_used_only_when_none_is_below() {
    let mut drawing = Drawing::of("..........");
    let below = mapping(Page::new(16)..FIRST + 64, Place::Fixed, VmFlags::READ);
    drawing.space.mmap(&drawing.memory, below).expect("free");
    assert_eq!(anywhere(&mut drawing, 1), FIRST + 128);
    assert_eq!(anywhere(&mut drawing, 1), FIRST + 129);
}

#[test]
fn a_fixed_mapping_never_keeps_what_was_there() {
    //                               0123456789
    let mut drawing = Drawing::of("..Wwwwww..");
    drawing.map("   ---    ", 'r').expect("allowed");
    drawing.shows("..WRrrWw..");
    assert_eq!(
        place(&mut drawing, 7, 2, Place::FixedNoReplace),
        Err(Error::Exists)
    );
    assert_eq!(place(&mut drawing, 8, 2, Place::FixedNoReplace), Ok(8));
    drawing.shows("..WRrrWwRr");
}

#[test]
fn low_areas_never_leave_the_lowest_two_gigabytes() {
    let mut drawing = Drawing::of("..........");
    let request = |address| Mapping {
        address,
        ..mapping(FIRST..FIRST + 2, Place::Low, VmFlags::READ)
    };
    for expected in [0x4000_0000, 0x4000_2000] {
        let address = drawing.space.mmap(&drawing.memory, request(0));
        assert_eq!(address, Ok(expected));
    }
    let address = drawing.space.mmap(&drawing.memory, request(0x7fff_f000));
    assert_eq!(address, Ok(0x4000_4000), "a hint that reaches out");
    let raised = Mapping {
        length: 0x7fff_f000,
        ..request(0x1000)
    };
    let address = drawing.space.mmap(&drawing.memory, raised);
    assert_eq!(address, Err(Error::OutOfMemory), "one that is raised first");
}

#[test]
fn no_refusal_comes_before_its_turn() {
    let mut drawing = Drawing::of("Ww........");
    let file = CachedFile::new(1, Source::Disk, PAGE_SIZE);
    let backing = Backing::File {
        file: Arc::new(file),
        offset: u64::MAX,
    };
    let good = mapping(FIRST..FIRST + 1, Place::Fixed, VmFlags::READ);
    let end = USER_END.address();
    let with = |address, length, place| Mapping {
        address,
        length,
        place,
        ..good.clone()
    };
    let requests = [
        (with(1, 0, Place::Fixed), Error::Invalid),
        (with(1, u64::MAX, Place::Fixed), Error::OutOfMemory),
        (with(1, end + 1, Place::Fixed), Error::OutOfMemory),
        (with(end - 1, PAGE_SIZE, Place::Fixed), Error::OutOfMemory),
        (with(1, PAGE_SIZE, Place::Fixed), Error::Invalid),
        (with(0xf000, PAGE_SIZE, Place::Fixed), Error::NotPermitted),
        (
            with(0xf000, PAGE_SIZE, Place::FixedNoReplace),
            Error::NotPermitted,
        ),
        (with(good.address, 1, Place::FixedNoReplace), Error::Exists),
        (with(0, end, Place::Hint), Error::OutOfMemory),
        (
            Mapping {
                backing,
                ..with(1, 1, Place::Fixed)
            },
            Error::Overflow,
        ),
    ];
    for (request, expected) in requests {
        let words = alloc::format!("{request:x?}");
        assert_eq!(
            drawing.space.mmap(&drawing.memory, request),
            Err(expected),
            "{words}"
        );
    }
    drawing.shows("Ww........");
}

#[test]
fn a_file_never_grows_down() {
    let memory = memory(16, Levels::Four);
    let mut space = space(&memory);
    let file = Arc::new(CachedFile::new(1, Source::Disk, PAGE_SIZE));
    let request = Mapping {
        backing: Backing::File { file, offset: 0 },
        ..mapping(
            FIRST..FIRST + 1,
            Place::Fixed,
            VmFlags::READ | VmFlags::GROWS_DOWN,
        )
    };
    assert_eq!(space.mmap(&memory, request), Err(Error::Invalid));
}

#[test]
fn no_limit_counts_a_replaced_page_twice() {
    //                               0123456789
    let mut drawing = Drawing::of("Wwww......");
    drawing.space.limits.address_space = 5 * PAGE_SIZE;
    drawing.space.limits.data = 5 * PAGE_SIZE;
    drawing.map(" ----     ", 'w').expect("five pages in all");
    drawing.shows("Wwwww.....");
    assert_eq!(drawing.map("     -    ", 'r'), Err(Error::OutOfMemory));
    drawing.space.limits.address_space = u64::MAX;
    assert_eq!(drawing.map("     -    ", 'w'), Err(Error::OutOfMemory));
    drawing
        .map("     -    ", 'r')
        .expect("what can't be written is no data");
    drawing.shows("WwwwwR....");
}

#[test]
fn no_promise_exceeds_the_machine() {
    let mut drawing = Drawing::of("..........");
    let frames = drawing.memory.managed_frames() as u64;
    let request = |flags| mapping(FIRST..FIRST + frames + 1, Place::Fixed, flags);
    let refused = drawing.space.mmap(&drawing.memory, request(RW));
    assert_eq!(refused, Err(Error::OutOfMemory));
    for flags in [VmFlags::READ, RW | VmFlags::NO_RESERVE] {
        let address = drawing.space.mmap(&drawing.memory, request(flags));
        assert_eq!(address, Ok(FIRST.address()));
    }
}

/// Linux lets a mapping pass the limit by one area; what splits an area stops at it.
#[test]
fn no_space_has_more_than_65531_areas() {
    let memory = memory(16, Levels::Four);
    let mut space = space(&memory);
    let rights = [VmFlags::READ, VmFlags::EXEC];
    for number in 0..MAX_AREAS as u64 {
        let start = FIRST + 3 * number;
        let request = mapping(start..start + 3, Place::Fixed, rights[number as usize % 2]);
        space.mmap(&memory, request).expect("below the limit");
    }
    let (address, page) = (FIRST.address(), PAGE_SIZE);
    let no_more = Err(Error::OutOfMemory);
    let split = space.mprotect(&memory, address, page, RW, Extent::Named, |_| {});
    assert_eq!(split, no_more);
    assert_eq!(space.munmap(&memory, address + page, page), no_more);
    let middle = mapping(FIRST + 1..FIRST + 2, Place::Fixed, RW);
    let replaced = space.mmap(&memory, middle);
    assert_eq!(replaced, Err(Error::OutOfMemory));
    let more = |page: u64| mapping(FIRST - page..FIRST - page + 1, Place::Fixed, RW);
    space.mmap(&memory, more(2)).expect("one more");
    assert_eq!(space.mmap(&memory, more(4)), Err(Error::OutOfMemory));
    space.munmap(&memory, address, page).expect("no area more");
}

#[test]
fn two_openings_of_a_file_are_never_one_area() {
    //                               0123456789
    let mut drawing = Drawing::of("..........");
    let file = Arc::new(CachedFile::new(1, Source::Memory, 4 * PAGE_SIZE));
    let openings = [(); 2].map(|()| Opening::new(Arc::new(())));
    for (page, opening) in [(0, 0), (1, 0), (2, 1), (3, 1)] {
        let backing = Backing::File {
            file: file.clone(),
            offset: page,
        };
        let request = Mapping {
            backing,
            opening: openings[opening].clone(),
            ..mapping(FIRST + page..FIRST + page + 1, Place::Fixed, VmFlags::READ)
        };
        drawing.space.mmap(&drawing.memory, request).expect("free");
    }
    drawing.shows("RrRr......");
}
