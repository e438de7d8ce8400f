//! Stores through shared mappings, and bytes that calls copy.
use super::Drawing;
use crate::error::Error;
use crate::fault::{Access, Denial, Outcome, Path};
use crate::mprotect::Extent;
use crate::page::PAGE_SIZE;
use crate::testing::FIRST;
use crate::vma::VmFlags;

#[test]
fn no_first_store_passes_unnoticed() {
    let drawing = Drawing::of("c.d");
    drawing.takes(0, Access::Read, Path::FileRead);
    drawing.draw(1, 'c');
    drawing.is_mapped("r.r");
    drawing.takes(0, Access::Write, Path::WriteNotify);
    drawing.takes(1, Access::Write, Path::FileStore);
    drawing.takes(2, Access::Write, Path::WriteNotify);
    drawing.is_mapped("www");
    drawing.is_cached("ddd");
    assert_eq!(drawing.file.dirty_pages(), 3);
    drawing.close();
}

#[test]
fn no_store_comes_before_its_place_on_the_disk() {
    let drawing = Drawing::of("h.");
    drawing.takes(0, Access::Read, Path::FileRead);
    drawing.draw(1, 'h');
    for page in [0, 1, 0] {
        let Outcome::NeedsRoom(room) = drawing.fault(page, Access::Write) else {
            panic!("page {page} has a place");
        };
        assert_eq!((room.index(), room.file().id()), (page, 1));
        room.release(&drawing.memory);
    }
    drawing.is_mapped("r.");
    drawing.is_cached("hh");
    for page in [0, 1] {
        assert!(drawing.file.back(&drawing.memory, page));
    }
    // What was on the disk there before is another file's.
    drawing.is_cached("dd");
    drawing.takes(0, Access::Write, Path::WriteNotify);
    drawing.takes(1, Access::Write, Path::FileStore);
    drawing.is_cached("dd");
    assert!(!drawing.file.back(&drawing.memory, 7));
    drawing.close();
}

#[test]
fn no_page_leaves_memory_while_its_place_is_looked_for() {
    let drawing = Drawing::of("h");
    for rounds in 0..2 {
        let Outcome::NeedsRoom(room) = drawing.fault(0, Access::Write) else {
            panic!("page 0 has a place");
        };
        for _ in 0..2 {
            assert_eq!(drawing.file.give_back(&drawing.memory, 1), 0);
        }
        room.release(&drawing.memory);
        if rounds == 0 {
            drawing.takes(0, Access::Read, Path::FileRead);
        }
    }
    let held = drawing.file.hold(&drawing.memory, 0).expect("it is there");
    for _ in 0..2 {
        assert_eq!(drawing.file.give_back(&drawing.memory, 1), 0);
    }
    drawing.file.let_go(&drawing.memory, held);
    assert_eq!(drawing.file.give_back(&drawing.memory, 1), 1);
    assert!(drawing.file.hold(&drawing.memory, 0).is_none());
    drawing.close();
}

#[test]
fn no_page_behind_the_end_gets_a_place() {
    let drawing = Drawing::of("hc");
    drawing.takes(0, Access::Read, Path::FileRead);
    drawing.file.change_size(0);
    for page in [0, 1] {
        let outcome = drawing.fault(page, Access::Write);
        assert!(matches!(outcome, Outcome::Denied(Denial::PastEnd)));
    }
    drawing
        .file
        .set_size(&drawing.memory, 0)
        .expect("not sealed");
    drawing.close();
}

#[test]
fn no_right_comes_back_with_mprotect() {
    let mut drawing = Drawing::of("c..");
    drawing.takes(0, Access::Read, Path::FileRead);
    (1..3).for_each(|page| drawing.draw(page, 'c'));
    drawing.takes(1, Access::Write, Path::FileStore);
    for (access, entries) in [
        (VmFlags::READ, "rr."),
        (VmFlags::READ | VmFlags::WRITE, "rr."),
        (VmFlags::empty(), "rr."),
        (VmFlags::WRITE, "rr."),
    ] {
        let (memory, length) = (&drawing.memory, 3 * PAGE_SIZE);
        let address = FIRST.address();
        let changed =
            drawing
                .space
                .mprotect(memory, address, length, access, Extent::Named, |_| {});
        assert_eq!(changed, Ok(()));
        drawing.is_mapped(entries);
        drawing.is_cached("cdc");
    }
    drawing.takes(0, Access::Write, Path::WriteNotify);
    // What may be stored through stays so where the area still allows it.
    let all = VmFlags::ACCESS;
    let (address, length) = (FIRST.address(), 3 * PAGE_SIZE);
    let changed =
        drawing
            .space
            .mprotect(&drawing.memory, address, length, all, Extent::Named, |_| {});
    assert_eq!(changed, Ok(()));
    drawing.is_mapped("wr.");
    drawing.is_cached("ddc");
    drawing.close();
}

#[test]
fn no_call_fills_a_page_that_is_not_ready_for_it() {
    let drawing = Drawing::of(".hc");
    for page in [0, 1] {
        assert_eq!(
            drawing.write(page * PAGE_SIZE, b"new"),
            Err(Error::TryAgain)
        );
    }
    let read = drawing.begin_read(0);
    assert_eq!(drawing.write(0, b"new"), Err(Error::TryAgain));
    read.complete(&drawing.memory, super::ReadResult::Failed);
    assert_eq!(drawing.write(2 * PAGE_SIZE, b"new"), Ok(3));
    assert_eq!(drawing.bytes(2 * PAGE_SIZE, 4), b"new\0");
    drawing.is_cached(".hd");
    let lent = drawing
        .file
        .lend_ready(&drawing.memory, 2 * PAGE_SIZE + 1, 2, |words, place| {
            (words[0].load(super::Relaxed).to_le_bytes()[1], place)
        });
    assert_eq!(lent, Ok(Some((b'e', 1..3))));
    let absent = drawing.file.lend_ready(&drawing.memory, 0, 1, |_, _| ());
    assert_eq!(absent, Err(Error::TryAgain));
    let behind = drawing
        .file
        .lend_ready(&drawing.memory, 3 * PAGE_SIZE, 1, |_, _| ());
    assert_eq!(behind, Ok(None));
    drawing.close();
}

#[test]
fn no_store_of_the_kernel_is_lost_to_the_disk() {
    let drawing = Drawing::of("c");
    drawing.store(10, b"one");
    drawing.is_cached("d");
    let write = drawing.begin_write().expect("it is dirty");
    drawing.is_mapped("r");
    drawing.store(10, b"two");
    drawing.is_cached("b");
    write.complete(&drawing.memory, super::super::WriteResult::Written);
    drawing.is_cached("d");
    assert_eq!(drawing.bytes(10, 3), b"two");
    drawing.close();
}
