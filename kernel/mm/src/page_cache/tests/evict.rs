//! Pages that are given back, and those that must stay.
use super::Drawing;
use crate::fault::{Access, Path};
use crate::mlock::Lock;
use crate::page::PAGE_SIZE;
use crate::page_cache::{Lookup, WriteResult};
use crate::testing::FIRST;

impl Drawing {
    fn give_back(&self, most: u64) -> u64 {
        self.file.give_back(&self.memory, most)
    }
}

#[test]
fn nothing_is_given_back_that_the_disk_does_not_have() {
    let drawing = Drawing::of("cdh.dc");
    let write = drawing.file.begin_writeback(&drawing.memory, 4..5);
    let write = write.expect("it is dirty");
    let read = drawing.begin_read(3);
    drawing.is_cached("cdhrwc");
    assert_eq!(drawing.give_back(u64::MAX), 3);
    drawing.is_cached(".d.rw.");
    assert_eq!(drawing.give_back(u64::MAX), 0);
    write.complete(&drawing.memory, WriteResult::Written);
    read.complete(&drawing.memory, super::ReadResult::Filled);
    assert_eq!(drawing.give_back(u64::MAX), 2);
    drawing.is_cached(".d....");
    drawing.close();
}

#[test]
fn no_page_in_use_goes_at_the_first_visit() {
    let drawing = Drawing::of("c..");
    drawing.takes(0, Access::Read, Path::FileRead);
    (1..3).for_each(|page| drawing.draw(page, 'c'));
    assert_eq!(drawing.give_back(u64::MAX), 2);
    drawing.is_cached("c..");
    drawing.is_mapped("r..");
    assert_eq!(drawing.give_back(u64::MAX), 1);
    drawing.is_mapped("...");
    drawing.is_cached("...");
    drawing.close();
}

#[test]
fn no_more_is_given_back_than_asked_for() {
    let drawing = Drawing::of("ccccc");
    assert_eq!(drawing.give_back(2), 2);
    drawing.is_cached("..ccc");
    assert_eq!(drawing.give_back(1), 1);
    drawing.is_cached("...cc");
    // From where it stopped, and then from the start.
    drawing.draw(0, 'c');
    assert_eq!(drawing.give_back(2), 2);
    drawing.is_cached("c....");
    assert_eq!(drawing.give_back(2), 1);
    drawing.close();
}

#[test]
fn no_page_goes_that_is_locked_or_held() {
    let mut drawing = Drawing::of("cccc");
    let (memory, address) = (&drawing.memory, (FIRST + 1).address());
    let locked = drawing
        .space
        .mlock(memory, address, PAGE_SIZE, Lock::OnFault);
    assert!(locked.is_ok());
    let Lookup::Ready(frame) = drawing.file.lookup(&drawing.memory, 2) else {
        panic!("the page was there");
    };
    for given in [2, 0, 0] {
        assert_eq!(drawing.give_back(u64::MAX), given);
        drawing.is_cached_beside_holds(".cc.");
    }
    drawing.memory.put(frame);
    assert_eq!(drawing.give_back(u64::MAX), 1);
    drawing.is_cached(".c..");
    let (memory, length) = (&drawing.memory, 2 * PAGE_SIZE);
    let address = FIRST.address();
    drawing
        .space
        .munlock(memory, address, length)
        .expect("it is there");
    assert_eq!(drawing.give_back(u64::MAX), 1);
    drawing.is_cached("....");
    drawing.close();
}

#[test]
fn no_stale_page_survives_a_write_past_the_cache() {
    let drawing = Drawing::of("ccdccc.");
    drawing.takes(1, Access::Read, Path::FileRead);
    let write = drawing.file.begin_writeback(&drawing.memory, 2..3);
    let read = drawing.begin_read(6);
    // Somebody copies from it just now.
    let Lookup::Ready(held) = drawing.file.lookup(&drawing.memory, 3) else {
        panic!("the page was there");
    };
    let stays = drawing.file.invalidate(&drawing.memory, 1..7);
    assert_eq!(stays, Some(2));
    drawing.memory.put(held);
    drawing.is_cached("c.w...r");
    drawing.is_mapped("r.r....");
    write
        .expect("it was dirty")
        .complete(&drawing.memory, WriteResult::Written);
    assert_eq!(drawing.file.invalidate(&drawing.memory, 1..7), Some(6));
    read.complete(&drawing.memory, super::ReadResult::Filled);
    assert_eq!(drawing.file.invalidate(&drawing.memory, 1..7), None);
    drawing.is_cached("c......");
    drawing.is_mapped("r......");
    drawing.close();
}

#[test]
fn no_page_that_a_device_fills_is_clean_afterwards() {
    let drawing = Drawing::of("cd");
    let memory = &drawing.memory;
    let pinned = [0, 1].map(|page| {
        let pinned = drawing
            .space
            .pin(memory, (FIRST + page).address(), Access::Write);
        pinned.expect("both are backed")
    });
    drawing.is_cached("dd");
    while let Some(write) = drawing.begin_write() {
        write.complete(memory, WriteResult::Written);
    }
    drawing.is_cached("cc");
    drawing.is_mapped("rr");
    // Neither goes to make room.
    assert_eq!(drawing.give_back(u64::MAX), 0);
    assert_eq!(drawing.give_back(u64::MAX), 0);
    for page in pinned {
        page.release(memory);
    }
    drawing.is_cached("dd");
    drawing.close();
}

impl Drawing {
    /// The same picture while the test itself holds a frame.
    #[track_caller]
    fn is_cached_beside_holds(&self, picture: &str) {
        let seen: alloc::string::String = (0..picture.len() as u64)
            .map(|page| self.letter(page))
            .collect();
        assert_eq!(seen, picture);
    }
}

#[test]
fn nothing_is_dropped_that_somebody_uses() {
    let drawing = Drawing::of("cc.....");
    drawing.takes(1, Access::Read, Path::FileRead);
    for (page, letter) in [(2, 'd'), (3, 'h'), (5, 'c'), (6, 'c')] {
        drawing.draw(page, letter);
    }
    drawing.is_mapped("rr.....");
    let Lookup::Ready(frame) = drawing.file.lookup(&drawing.memory, 5) else {
        panic!("the page was there");
    };
    drawing.file.drop_unused(&drawing.memory, 0..6);
    drawing.is_cached_beside_holds("ccd..cc");
    drawing.memory.put(frame);
    drawing.file.drop_unused(&drawing.memory, 0..6);
    drawing.is_cached("ccd...c");
    drawing.is_mapped("rr.....");
    drawing.close();
}
