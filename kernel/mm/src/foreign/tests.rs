//! Strangers get what areas grant; who forces reads what is hidden and writes to copies, and the program sees no more.
use alloc::sync::Arc;

use super::Right;
use crate::fault::{Access, Denial, Outcome};
use crate::mmap::{Mapping, Place};
use crate::page::PAGE_SIZE;
use crate::page_cache::{CachedFile, Source};
use crate::testing::{Drawing, FIRST, mapping};
use crate::vma::{Backing, VmFlags};

type Moved = Result<usize, Denial>;

fn denied(result: Result<usize, Outcome>) -> Moved {
    result.map_err(|outcome| match outcome {
        Outcome::Denied(denial) => denial,
        other => panic!("nothing had to be seen to, but {other:?}"),
    })
}

fn read(drawing: &Drawing, page: u64, right: Right) -> Result<u8, Denial> {
    let mut byte = [0xee];
    let address = (FIRST + page).address();
    let space = &drawing.space;
    denied(space.read_foreign(&drawing.memory, address, &mut byte, right)).map(|_| byte[0])
}

fn write(drawing: &Drawing, page: u64, byte: u8, right: Right) -> Moved {
    let address = (FIRST + page).address();
    let space = &drawing.space;
    denied(space.write_foreign(&drawing.memory, address, &[byte], right))
}

#[test]
fn nothing_is_granted_that_the_area_does_not_name() {
    //                               0123456789
    let mut drawing = Drawing::of("WwRrNn..Ss");
    for (page, read_it, written) in [
        (0, Ok(0), Ok(1)),
        (2, Ok(0), Err(Denial::Forbidden)),
        (4, Err(Denial::Forbidden), Err(Denial::Forbidden)),
        (6, Err(Denial::Unmapped), Err(Denial::Unmapped)),
        // Below a stack that would grow under the program's own access.
        (7, Err(Denial::Unmapped), Err(Denial::Unmapped)),
        (8, Ok(0), Ok(1)),
    ] {
        assert_eq!(read(&drawing, page, Right::Granted), read_it, "{page}");
        assert_eq!(write(&drawing, page, 7, Right::Granted), written, "{page}");
    }
    drawing.shows("WwRrNn..Ss");
    // Writable and executable areas can be read on x86, but do not say so.
    let unnamed = mapping(FIRST + 6..FIRST + 7, Place::Fixed, VmFlags::WRITE);
    let mapped = drawing.space.mmap(&drawing.memory, unnamed);
    mapped.expect("free");
    assert_eq!(read(&drawing, 6, Right::Granted), Err(Denial::Forbidden));
    assert_eq!(read(&drawing, 6, Right::Forced), Ok(0));
}

#[test]
fn what_is_hidden_is_read_by_force_and_stays_hidden() {
    let mut drawing = Drawing::of("Wwww......");
    assert_eq!(write(&drawing, 1, 7, Right::Granted), Ok(1));
    drawing.protect("----", 'n').expect("allowed");
    assert_eq!(read(&drawing, 1, Right::Forced), Ok(7));
    assert_eq!(read(&drawing, 2, Right::Forced), Ok(0));
    assert_eq!(write(&drawing, 1, 8, Right::Forced), Err(Denial::Forbidden));
    let address = (FIRST + 1).address();
    let fault = drawing
        .space
        .handle_fault(&drawing.memory, address, Access::Read);
    assert!(matches!(fault, Outcome::Denied(Denial::Forbidden)));
    drawing.shows("Nnnn......");
}

#[test]
fn a_forced_write_reaches_no_relative_and_gives_no_right() {
    let mut drawing = Drawing::of("Wwww......");
    assert_eq!(write(&drawing, 0, 7, Right::Granted), Ok(1));
    drawing.protect("----", 'r').expect("allowed");
    let child = drawing.space.fork(&drawing.memory).expect("memory is left");
    for page in [0, 1] {
        assert_eq!(write(&drawing, page, 9, Right::Forced), Ok(1));
        assert_eq!(write(&drawing, page, 8, Right::Forced), Ok(1));
        assert_eq!(read(&drawing, page, Right::Granted), Ok(8));
    }
    let mut byte = [0];
    let address = FIRST.address();
    let seen = child.read_remote(&drawing.memory, address, &mut byte);
    assert_eq!((seen.ok(), byte), (Some(1), [7]));
    let fault = drawing
        .space
        .handle_fault(&drawing.memory, address, Access::Write);
    assert!(matches!(fault, Outcome::Denied(Denial::Forbidden)));
    drawing.shows_all("Rrrr......", &[&child]);
    child.destroy(&drawing.memory);
}

#[test]
fn no_force_writes_to_what_others_share() {
    let mut drawing = Drawing::of("..........");
    let file = Arc::new(CachedFile::new(1, Source::Memory, 2 * PAGE_SIZE));
    for (page, flags) in [(0, VmFlags::SHARED), (4, VmFlags::empty())] {
        let request = Mapping {
            backing: Backing::File {
                file: file.clone(),
                offset: 0,
            },
            ..mapping(
                FIRST + page..FIRST + page + 3,
                Place::Fixed,
                VmFlags::READ | flags,
            )
        };
        let mapped = drawing.space.mmap(&drawing.memory, request);
        mapped.expect("free");
    }
    assert_eq!(write(&drawing, 0, 7, Right::Forced), Err(Denial::Forbidden));
    assert_eq!(write(&drawing, 4, 7, Right::Forced), Ok(1));
    assert_eq!(read(&drawing, 4, Right::Granted), Ok(7));
    assert_eq!(read(&drawing, 0, Right::Granted), Ok(0));
    assert_eq!(write(&drawing, 6, 7, Right::Forced), Err(Denial::PastEnd));
    assert_eq!(read(&drawing, 6, Right::Forced), Err(Denial::PastEnd));
    drawing.unmap("-------...").expect("allowed");
    file.release(&drawing.memory);
}
