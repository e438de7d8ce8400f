//! Areas split and join as rights change; entries follow, and never get more than the frame allows.
use super::Extent;
use crate::error::Error;
use crate::fault::{Access, Path};
use crate::page::Page;
use crate::testing::{Drawing, FIRST};
use crate::vma::VmFlags;

#[test]
fn a_changed_middle_never_keeps_its_neighbours() {
    //                               0123456789
    let mut drawing = Drawing::of(".Wwwwwwww.");
    drawing.protect("   ---    ", 'r').expect("allowed");
    drawing.shows(".WwRrrWww.");
    drawing.protect("   ---    ", 'w').expect("allowed");
    drawing.shows(".Wwwwwwww.");
}

#[test]
fn equal_neighbours_never_stay_apart() {
    //                               0123456789
    let mut drawing = Drawing::of("RrrWwwRrrr");
    drawing.protect("   ---    ", 'r').expect("allowed");
    drawing.shows("Rrrrrrrrrr");

    let mut drawing = Drawing::of("RrrWwwXxxx");
    drawing.protect("   ---    ", 'r').expect("allowed");
    drawing.shows("RrrrrrXxxx");

    let mut drawing = Drawing::of("RrrWwwXxxx");
    drawing.protect("   ---    ", 'x').expect("allowed");
    drawing.shows("RrrXxxxxxx");

    // Every piece of a range takes part.
    let mut drawing = Drawing::of("RrrWwwXxxx");
    drawing.protect(" -------- ", 'n').expect("allowed");
    drawing.shows("RNnnnnnnnX");
}

#[test]
fn what_lies_behind_a_hole_never_changes() {
    //                               0123456789
    let mut drawing = Drawing::of("Wwww..Wwww");
    let got = drawing.protect("  ------  ", 'r');
    assert_eq!(got, Err(Error::OutOfMemory));
    drawing.shows("WwRr..Wwww");
    let got = drawing.protect("     ---  ", 'r');
    assert_eq!(got, Err(Error::OutOfMemory), "it begins in the hole");
    drawing.shows("WwRr..Wwww");
}

#[test]
fn grows_down_never_means_more_than_the_stack() {
    //                               0123456789
    let mut drawing = Drawing::of("Ww.Sssss..");
    let below = |drawing: &mut Drawing, marks| drawing.protect_with(marks, 'n', Extent::GrowsDown);
    assert_eq!(below(&mut drawing, "-         "), Err(Error::Invalid));
    assert_eq!(below(&mut drawing, "        - "), Err(Error::OutOfMemory));
    below(&mut drawing, "      -   ").expect("the stack grows down");
    drawing.shows("Ww.TtttS..");
}

#[test]
fn no_right_outlives_the_call_that_took_it() {
    //                               0123456789
    let mut drawing = Drawing::of("Wwww......");
    assert_eq!(drawing.fault(1, Access::Write), Path::ZeroWrite);
    assert_eq!(drawing.fault(2, Access::Read), Path::ZeroRead);
    drawing.protect("----      ", 'n').expect("allowed");
    drawing.shows("Nnnn......");
    drawing.protect("----      ", 'w').expect("allowed");
    drawing.shows("Wwww......");
    // The frame was kept and is this space's alone: no fault is left. The zero page is everybody's.
    assert_eq!(drawing.fault(1, Access::Write), Path::Spurious);
    assert_eq!(drawing.fault(2, Access::Write), Path::CowZero);
}

#[test]
fn no_shared_frame_becomes_writable() {
    //                               0123456789
    let mut drawing = Drawing::of("Wwww......");
    assert_eq!(drawing.fault(1, Access::Write), Path::ZeroWrite);
    let child = drawing.space.fork(&drawing.memory).expect("memory is left");
    for letter in ['n', 'w'] {
        drawing.protect("----      ", letter).expect("allowed");
    }
    assert_eq!(drawing.fault(1, Access::Write), Path::CowCopy);
    child.destroy(&drawing.memory);
    drawing.shows("Wwww......");
}

#[test]
fn no_page_is_its_own_again_before_a_store_found_out() {
    //                               0123456789
    let mut drawing = Drawing::of("Wwww......");
    assert_eq!(drawing.fault(1, Access::Write), Path::ZeroWrite);
    let child = drawing.space.fork(&drawing.memory).expect("memory is left");
    child.destroy(&drawing.memory);
    for path in [Path::CowReuse, Path::Spurious] {
        drawing.protect("----      ", 'r').expect("allowed");
        drawing.protect("----      ", 'w').expect("allowed");
        assert_eq!(drawing.fault(1, Access::Write), path);
    }
    drawing.shows("Wwww......");
}

#[test]
fn nothing_is_done_for_no_pages() {
    let mut drawing = Drawing::of("Ww........");
    let (space, memory) = (&mut drawing.space, &drawing.memory);
    let mut protect = |address, length| {
        let access = VmFlags::READ;
        space.mprotect(memory, address, length, access, Extent::Named, |_| {})
    };
    assert_eq!(protect(FIRST.address(), 0), Ok(()));
    assert_eq!(protect(FIRST.address() + 1, 0), Err(Error::Invalid));
    assert_eq!(protect(FIRST.address(), u64::MAX), Err(Error::OutOfMemory));
    drawing.shows("Ww........");
}

#[test]
fn no_limit_is_passed_by_gaining_rights() {
    //                               0123456789
    let mut drawing = Drawing::of("WwRrrr....");
    drawing.space.limits.data = 4 * crate::page::PAGE_SIZE;
    let got = drawing.protect("  ---     ", 'w');
    assert_eq!(got, Err(Error::OutOfMemory));
    drawing.shows("WwRrrr....");
    drawing
        .protect("   --     ", 'w')
        .expect("four pages of data");
    drawing.shows("WwRWwR....");
}

#[test]
fn no_locked_page_that_can_be_written_is_left_to_a_fault() {
    //                               0123456789
    let mut drawing = Drawing::of("LllWwOoRr.");
    let mut protect = |access| {
        let mut fetched = alloc::vec::Vec::new();
        let (space, memory) = (&mut drawing.space, &drawing.memory);
        let (start, length) = (FIRST.address(), 8 * crate::page::PAGE_SIZE);
        let fetch = |pages: core::ops::Range<Page>| {
            fetched.push((pages.start - FIRST, pages.end - FIRST));
        };
        let done = space.mprotect(memory, start, length, access, Extent::Named, fetch);
        done.expect("no hole");
        fetched
    };
    assert_eq!(protect(VmFlags::READ), []);
    assert_eq!(protect(VmFlags::READ | VmFlags::WRITE), [(0, 3)]);
    assert_eq!(protect(VmFlags::WRITE), [], "it could be written before");
}
