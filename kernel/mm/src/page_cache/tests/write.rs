//! Writing back, and what becomes of it.
use alloc::vec::Vec;

use super::Drawing;
use crate::fault::{Access, Path};
use crate::page_cache::{Write, WriteResult};

#[test]
fn no_page_becomes_clean_that_can_be_stored_to() {
    let drawing = Drawing::of("cdcd");
    drawing.takes(0, Access::Write, Path::FileStore);
    drawing.takes(1, Access::Read, Path::FileRead);
    drawing.is_mapped("wrrr");
    let begun: Vec<Write> = core::iter::from_fn(|| drawing.begin_write()).collect();
    let pages: Vec<u64> = begun.iter().map(Write::index).collect();
    assert_eq!(pages, [0, 1, 3]);
    drawing.is_cached("wwcw");
    drawing.is_mapped("rrrr");
    assert_eq!(drawing.memory.pages_being_written(), 3);
    // Who stores meanwhile makes the page dirty again, and nobody writes it before it has arrived.
    drawing.takes(0, Access::Write, Path::WriteNotify);
    drawing.is_cached("bwcw");
    assert!(drawing.begin_write().is_none());
    assert_eq!(first_being_written(&drawing), Some(0));
    for write in begun {
        write.complete(&drawing.memory, WriteResult::Written);
    }
    drawing.is_cached("dccc");
    assert_eq!(first_being_written(&drawing), None);
    let again = drawing.begin_write().expect("it is dirty again");
    assert_eq!(again.index(), 0);
    again.complete(&drawing.memory, WriteResult::Written);
    drawing.is_cached("cccc");
    drawing.close();
}

fn first_being_written(drawing: &Drawing) -> Option<u64> {
    drawing.file.first_being_written(&drawing.memory, 0..4)
}

#[test]
fn no_write_is_begun_outside_its_range() {
    let drawing = Drawing::of("dddd");
    let write = drawing.file.begin_writeback(&drawing.memory, 1..3);
    let write = write.expect("two are dirty");
    assert_eq!((write.index(), write.file().id()), (1, 1));
    drawing.is_cached("dwdd");
    write.complete(&drawing.memory, WriteResult::Written);
    drawing.is_cached("dcdd");
    drawing.close();
}

#[test]
fn no_failure_is_told_twice_or_never() {
    let drawing = Drawing::of("d");
    let file = &drawing.file;
    let fail = || {
        let write = drawing.begin_write().expect("it is dirty");
        write.complete(&drawing.memory, WriteResult::Failed);
        drawing.is_cached("c");
        assert_eq!(drawing.write(0, b"x"), Ok(1));
    };
    let mut first = file.failures_seen();
    let mut second = file.failures_seen();
    assert!(!file.has_failed_since(&mut first));
    fail();
    fail();
    // Who opens the file now learns of what nobody was told.
    let mut late = file.failures_seen();
    for seen in [&mut first, &mut second, &mut late] {
        assert!(file.has_failed_since(seen));
        assert!(!file.has_failed_since(seen));
    }
    let mut later = file.failures_seen();
    assert!(!file.has_failed_since(&mut later));
    fail();
    for seen in [&mut later, &mut first] {
        assert!(file.has_failed_since(seen));
        assert!(!file.has_failed_since(seen));
    }
    drawing.close();
}
