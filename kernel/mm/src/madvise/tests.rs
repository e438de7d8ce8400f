//! Notes split and merge areas; pages are lost where the program said so, and nowhere else.
mod will_need;

use alloc::sync::Arc;

use super::Advice;
use crate::error::Error;
use crate::fault::{Access, Path};
use crate::mmap::{Mapping, Place};
use crate::page::PAGE_SIZE;
use crate::page_cache::{CachedFile, ReadResult, Source};
use crate::stats::Counter;
use crate::testing::{Drawing, FIRST, mapping};
use crate::vma::{Backing, VmFlags};

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
fn no_note_is_taken_for_another() {
    const HUGE: VmFlags = VmFlags::HUGE;
    for (advice, noted, undone) in [
        (Advice::Random, VmFlags::RANDOM, Advice::Normal),
        (Advice::Sequential, VmFlags::SEQUENTIAL, Advice::Normal),
        (Advice::DontFork, VmFlags::DONT_FORK, Advice::DoFork),
        (
            Advice::WipeOnFork,
            VmFlags::WIPE_ON_FORK,
            Advice::KeepOnFork,
        ),
        (Advice::DontDump, VmFlags::DONT_DUMP, Advice::DoDump),
        (Advice::Mergeable, VmFlags::MERGEABLE, Advice::Unmergeable),
    ] {
        let mut drawing = Drawing::of("W.........");
        let plain = flags(&drawing);
        advise(&mut drawing, 0, 1, advice).expect("allowed");
        assert_eq!(flags(&drawing), plain | noted, "{advice:?}");
        advise(&mut drawing, 0, 1, undone).expect("allowed");
        assert_eq!(flags(&drawing), plain, "{undone:?}");
    }
    // Each of these takes the other back.
    let mut drawing = Drawing::of("W.........");
    let plain = flags(&drawing);
    for (advice, noted) in [
        (Advice::HugePage, HUGE),
        (Advice::NoHugePage, VmFlags::NO_HUGE),
        (Advice::HugePage, HUGE),
        (Advice::Random, HUGE | VmFlags::RANDOM),
        (Advice::Sequential, HUGE | VmFlags::SEQUENTIAL),
        (Advice::Random, HUGE | VmFlags::RANDOM),
    ] {
        advise(&mut drawing, 0, 1, advice).expect("allowed");
        assert_eq!(flags(&drawing), plain | noted, "{advice:?}");
    }
}

fn flags(drawing: &Drawing) -> VmFlags {
    let vma = drawing.space.find_vma(FIRST.address());
    vma.expect("it is drawn").flags
}

#[test]
fn what_is_shared_is_never_cut_to_be_merged() {
    //                               0123456789
    let mut drawing = Drawing::of("WwwwHhhh..");
    for (first, count) in [(1, 2), (5, 2)] {
        advise(&mut drawing, first, count, Advice::Mergeable).expect("allowed");
    }
    drawing.shows("WGgWHhhh..");
    advise(&mut drawing, 0, 8, Advice::Unmergeable).expect("allowed");
    drawing.shows("WwwwHhhh..");
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
fn no_page_is_given_up_twice_by_the_count() {
    //                               0123456789
    let mut drawing = Drawing::of("Wwww......");
    let counts = |drawing: &Drawing| {
        [Counter::pglazyfree, Counter::pglazyfreed].map(|count| drawing.memory.stats.get(count))
    };
    (0..4).for_each(|page| write(&drawing, page, 1));
    advise(&mut drawing, 0, 3, Advice::Free).expect("allowed");
    write(&drawing, 1, 2);
    advise(&mut drawing, 0, 2, Advice::Free).expect("allowed");
    assert_eq!(counts(&drawing), [3, 0]);
    let child = drawing.space.fork(&drawing.memory).expect("memory is left");
    child.destroy(&drawing.memory);
    assert_eq!(drawing.fault(0, Access::Write), Path::CowReuse);
    advise(&mut drawing, 0, 1, Advice::Free).expect("allowed");
    assert_eq!(counts(&drawing), [3, 0], "a store after a fork");
    assert_eq!(drawing.space.reclaim_lazy(&drawing.memory), 3);
    assert_eq!(counts(&drawing), [3, 3]);
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
fn what_is_shared_is_never_given_up() {
    let mut drawing = Drawing::of("Ww........");
    (0..2).for_each(|page| write(&drawing, page, 1));
    let child = drawing.space.fork(&drawing.memory).expect("memory is left");
    advise(&mut drawing, 0, 2, Advice::Free).expect("allowed");
    child.destroy(&drawing.memory);
    assert_eq!(drawing.space.reclaim_lazy(&drawing.memory), 0);
    assert_eq!([0, 1].map(|page| read(&drawing, page)), [1; 2]);
}

#[test]
fn a_child_never_forgets_what_it_may_lose() {
    //                               0123456789
    let mut drawing = Drawing::of("Ww........");
    (0..2).for_each(|page| write(&drawing, page, 1));
    advise(&mut drawing, 0, 2, Advice::Free).expect("allowed");
    let mut child = drawing.space.fork(&drawing.memory).expect("memory is left");
    // The parent's stores leave the old frames to the child.
    (0..2).for_each(|page| write(&drawing, page, 2));
    assert_eq!(drawing.space.reclaim_lazy(&drawing.memory), 0);
    assert_eq!(child.reclaim_lazy(&drawing.memory), 2);
    drawing.shows_all("Ww........", &[&child]);
    child.destroy(&drawing.memory);
}

#[test]
fn only_what_can_be_read_again_is_paged_out() {
    //                               0123456789
    let mut drawing = Drawing::of("Ww........");
    write(&drawing, 0, 1);
    let file = Arc::new(CachedFile::new(1, Source::Disk, 2 * PAGE_SIZE));
    let backing = Backing::File {
        file: file.clone(),
        offset: 0,
    };
    let request = Mapping {
        backing,
        ..mapping(FIRST + 4..FIRST + 7, Place::Fixed, VmFlags::READ)
    };
    let (space, memory) = (&mut drawing.space, &drawing.memory);
    space.mmap(memory, request).expect("free");
    let mut rest = FIRST..FIRST + 7;
    for index in 0..2 {
        let read = space.next_to_read(memory, &mut rest);
        let read = read.expect("it is not in memory");
        assert_eq!((rest.start, read.index()), (FIRST + 5 + index, index));
        read.complete(memory, ReadResult::Filled);
    }
    let next = space.next_to_read(memory, &mut rest);
    assert!(next.is_none() && rest.is_empty(), "the file ends there");
    drawing.fault(4, Access::Read);
    assert_eq!(drawing.space.resident_pages(&drawing.memory), 3);
    let got = advise(&mut drawing, 0, 6, Advice::PageOut);
    assert_eq!(got, Err(Error::OutOfMemory), "there is a hole");
    assert_eq!(drawing.space.resident_pages(&drawing.memory), 1);
    assert_eq!(read(&drawing, 0), 1);
    for advice in [Advice::Free, Advice::WipeOnFork] {
        let got = advise(&mut drawing, 4, 1, advice);
        assert_eq!(got, Err(Error::Invalid), "{advice:?}");
    }
    drawing.unmap("    ---   ").expect("allowed");
    file.release(&drawing.memory);
}

#[test]
fn what_lives_in_memory_alone_is_never_read_in() {
    let mut drawing = Drawing::of("..........");
    let file = Arc::new(CachedFile::new(1, Source::Memory, 2 * PAGE_SIZE));
    let backing = Backing::File {
        file: file.clone(),
        offset: 0,
    };
    let flags = VmFlags::READ | VmFlags::WRITE | VmFlags::SHARED;
    let pages = FIRST..FIRST + 2;
    let request = Mapping {
        backing,
        ..mapping(pages.clone(), Place::Fixed, flags)
    };
    let (space, memory) = (&mut drawing.space, &drawing.memory);
    space.mmap(memory, request).expect("free");
    let free = memory.free_frames();
    let next = space.next_to_read(memory, &mut pages.clone());
    assert!(next.is_none(), "no device has it");
    assert_eq!(memory.free_frames(), free);
    drawing.unmap("--        ").expect("allowed");
    file.release(&drawing.memory);
}

#[test]
fn nothing_is_removed_but_by_who_may_store_there() {
    let mut drawing = Drawing::of("..........");
    let file = Arc::new(CachedFile::new(1, Source::Memory, 4 * PAGE_SIZE));
    let both = VmFlags::READ | VmFlags::WRITE;
    // Pages 1 and 2 of the file, three times.
    for (page, flags) in [
        (0, both | VmFlags::SHARED),
        (3, both),
        (6, both | VmFlags::SHARED | VmFlags::LOCKED),
    ] {
        let backing = Backing::File {
            file: file.clone(),
            offset: 1,
        };
        let request = Mapping {
            backing,
            ..mapping(FIRST + page..FIRST + page + 2, Place::Fixed, flags)
        };
        let mapped = drawing.space.mmap(&drawing.memory, request);
        mapped.expect("free");
    }
    let filled = file.write_at(&drawing.memory, 0, &[1; 4 * PAGE_SIZE as usize]);
    assert_eq!(filled, Ok(4 * PAGE_SIZE as usize));
    write(&drawing, 4, 2);
    let refused = [3, 6].map(|page| advise(&mut drawing, page, 1, Advice::Remove));
    assert_eq!(refused, [Err(Error::Forbidden), Err(Error::Invalid)]);
    assert_eq!([0, 1, 3, 4].map(|page| read(&drawing, page)), [1, 1, 1, 2]);
    advise(&mut drawing, 1, 1, Advice::Remove).expect("allowed");
    let seen = [0, 1, 3, 4, 6, 7].map(|page| read(&drawing, page));
    assert_eq!(seen, [1, 0, 1, 2, 1, 0], "copies stay");
    assert_eq!(
        file.resident_pages(),
        4,
        "the hole was read through an area"
    );
    drawing.unmap("--------  ").expect("allowed");
    file.release(&drawing.memory);
}

#[test]
fn nothing_is_removed_that_would_be_read_in_again() {
    let mut drawing = Drawing::of("..........");
    let file = Arc::new(CachedFile::new(1, Source::Disk, PAGE_SIZE));
    let begun = file.begin_read(&drawing.memory, 0).expect("memory is left");
    let begun = begun.expect("nobody reads it yet");
    begun.complete(&drawing.memory, ReadResult::Filled);
    assert_eq!(file.write_at(&drawing.memory, 0, &[1]), Ok(1));
    let both = VmFlags::READ | VmFlags::WRITE;
    for (page, flags) in [(0, both | VmFlags::SHARED), (2, both)] {
        let backing = Backing::File {
            file: file.clone(),
            offset: 0,
        };
        let pages = FIRST + page..FIRST + page + 1;
        let request = Mapping {
            backing,
            ..mapping(pages, Place::Fixed, flags)
        };
        drawing.space.mmap(&drawing.memory, request).expect("free");
    }
    let refused = [0, 2].map(|page| advise(&mut drawing, page, 1, Advice::Remove));
    assert_eq!(refused, [Err(Error::Invalid), Err(Error::Forbidden)]);
    assert_eq!(file.resident_pages(), 1);
    assert_eq!([0, 2].map(|page| read(&drawing, page)), [1, 1]);
    drawing.unmap("---       ").expect("allowed");
    file.release(&drawing.memory);
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
    let totals = child.totals();
    assert_eq!((totals.mapped, totals.peak), (4, 4), "nor ever had it");
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
