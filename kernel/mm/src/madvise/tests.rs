//! Notes split and merge areas; pages are lost where the program said so, and nowhere else.
use super::Advice;
use crate::error::Error;
use crate::fault::{Access, Path};
use crate::page::PAGE_SIZE;
use crate::testing::{Drawing, FIRST};

fn advise(drawing: &mut Drawing, first: u64, count: u64, advice: Advice) -> Result<(), Error> {
    let address = (FIRST + first).address();
    drawing
        .space
        .madvise(&drawing.memory, address, count * PAGE_SIZE, advice)
}

fn write(drawing: &Drawing, page: u64, byte: u8) {
    let address = (FIRST + page).address();
    let written = drawing
        .space
        .write_remote(&drawing.memory, address, &[byte]);
    assert_eq!(written.ok(), Some(1));
}

fn read(drawing: &Drawing, page: u64) -> u8 {
    let mut byte = [0];
    let address = (FIRST + page).address();
    let read = drawing
        .space
        .read_remote(&drawing.memory, address, &mut byte);
    assert_eq!(read.ok(), Some(1));
    byte[0]
}

#[test]
fn a_note_never_stays_when_it_is_taken_back() {
    //                               0123456789
    let mut drawing = Drawing::of("Wwwwwwww..");
    advise(&mut drawing, 2, 3, Advice::Random).expect("allowed");
    drawing.shows("WwAaaWww..");
    advise(&mut drawing, 4, 2, Advice::Sequential).expect("allowed");
    drawing.shows("WwAaQqWw..");
    advise(&mut drawing, 0, 8, Advice::Normal).expect("allowed");
    drawing.shows("Wwwwwwww..");
    advise(&mut drawing, 3, 1, Advice::DontFork).expect("allowed");
    drawing.shows("WwwDWwww..");
    advise(&mut drawing, 0, 8, Advice::DoFork).expect("allowed");
    drawing.shows("Wwwwwwww..");
}

#[test]
fn a_hole_never_keeps_the_rest_from_being_done() {
    //                               0123456789
    let mut drawing = Drawing::of("Ww..Wwww..");
    let got = advise(&mut drawing, 1, 5, Advice::Random);
    assert_eq!(got, Err(Error::OutOfMemory));
    drawing.shows("WA..AaWw..");
    for (first, count) in [(2, 2), (8, 1)] {
        let got = advise(&mut drawing, first, count, Advice::Normal);
        assert_eq!(got, Err(Error::OutOfMemory));
    }
    assert_eq!(advise(&mut drawing, 2, 0, Advice::Normal), Ok(()));
}

#[test]
fn what_is_not_needed_is_zero_when_it_comes_back() {
    //                               0123456789
    let mut drawing = Drawing::of("Wwww......");
    (0..4).for_each(|page| write(&drawing, page, 1));
    advise(&mut drawing, 1, 2, Advice::DontNeed).expect("allowed");
    assert_eq!(drawing.space.resident_pages(&drawing.memory), 2);
    assert_eq!([0, 1, 2, 3].map(|page| read(&drawing, page)), [1, 0, 0, 1]);
    drawing.shows("Wwww......");
}

#[test]
fn a_lazily_freed_page_is_lost_only_under_pressure_and_only_unwritten() {
    //                               0123456789
    let mut drawing = Drawing::of("Wwww......");
    (0..4).for_each(|page| write(&drawing, page, 1));
    advise(&mut drawing, 0, 3, Advice::Free).expect("allowed");
    assert_eq!([0, 1, 2, 3].map(|page| read(&drawing, page)), [1; 4]);
    write(&drawing, 1, 2);
    assert_eq!(drawing.space.reclaim_lazy(&drawing.memory), 2);
    assert_eq!(drawing.space.reclaim_lazy(&drawing.memory), 0);
    assert_eq!([0, 1, 2, 3].map(|page| read(&drawing, page)), [0, 2, 0, 1]);
    drawing.shows("Wwww......");
}

#[test]
fn no_lazily_freed_page_is_taken_from_a_child_or_a_lock() {
    //                               0123456789
    let mut drawing = Drawing::of("Wwww......");
    (0..4).for_each(|page| write(&drawing, page, 1));
    advise(&mut drawing, 0, 4, Advice::Free).expect("allowed");
    let mut child = drawing.space.fork(&drawing.memory).expect("memory is left");
    assert_eq!(drawing.space.reclaim_lazy(&drawing.memory), 0);
    assert_eq!(child.reclaim_lazy(&drawing.memory), 0);
    child.destroy(&drawing.memory);
    let (address, lock) = (FIRST.address(), crate::mlock::Lock::OnFault);
    let locked = drawing
        .space
        .mlock(&drawing.memory, address, PAGE_SIZE, lock);
    assert!(locked.is_ok());
    drawing.protect(" -        ", 'n').expect("allowed");
    assert_eq!(drawing.space.reclaim_lazy(&drawing.memory), 3);
    assert_eq!(read(&drawing, 0), 1);
    drawing.shows("ONWw......");
}

#[test]
fn a_child_never_gets_what_was_kept_from_it() {
    //                               0123456789
    let mut drawing = Drawing::of("Wwwwww....");
    (0..6).for_each(|page| write(&drawing, page, 1));
    advise(&mut drawing, 1, 2, Advice::DontFork).expect("allowed");
    advise(&mut drawing, 3, 2, Advice::WipeOnFork).expect("allowed");
    drawing.shows("WDdVvW....");
    let child = drawing.space.fork(&drawing.memory).expect("memory is left");
    let mut family = Drawing {
        space: child,
        memory: drawing.memory,
    };
    assert_eq!(family.fault(3, Access::Read), Path::ZeroRead);
    assert_eq!([0, 3, 4, 5].map(|page| read(&family, page)), [1, 0, 0, 1]);
    core::mem::swap(&mut family.space, &mut drawing.space);
    family.shows_all("WDdVvW....", &[&drawing.space]);
    core::mem::swap(&mut family.space, &mut drawing.space);
    family.shows_all("W..VvW....", &[&drawing.space]);
}

#[test]
fn no_area_takes_advice_that_makes_no_sense_for_it() {
    //                               0123456789
    let mut drawing = Drawing::of("LlWw......");
    for advice in [
        Advice::DontNeed,
        Advice::Free,
        Advice::Cold,
        Advice::PageOut,
        Advice::Remove,
    ] {
        assert_eq!(advise(&mut drawing, 0, 1, advice), Err(Error::Invalid));
    }
    assert_eq!(advise(&mut drawing, 0, 4, Advice::DontNeedLocked), Ok(()));
    let got = advise(&mut drawing, 2, 1, Advice::Remove);
    assert_eq!(got, Err(Error::Invalid), "nothing is behind it");
    let (space, memory) = (&mut drawing.space, &drawing.memory);
    for (address, length) in [(1, PAGE_SIZE), (FIRST.address(), u64::MAX)] {
        let got = space.madvise(memory, address, length, Advice::Normal);
        assert_eq!(got, Err(Error::Invalid));
    }
}
