//! Tables come when a page is touched and go with the last area that they serve, with 4 levels and with 5.
use super::{Levels, Seen};
use crate::fault::Access;
use crate::memory::Memory;
use crate::mmap::Place;
use crate::page::Page;
use crate::space::{AddressSpace, USER_END};
use crate::testing::{TestMachine, mapping, memory, path, space};
use crate::vma::VmFlags;

const BOTH: [Levels; 2] = [Levels::Four, Levels::Five];

/// Pages on both sides of the edges of tables at each level, and at both ends of the space.
const EDGES: [u64; 8] = [
    16,
    511,
    512,
    (1 << 18) - 1,
    1 << 18,
    (1 << 27) - 1,
    1 << 27,
    USER_END.number() - 1,
];

fn tables(memory: &Memory<TestMachine>, space: &AddressSpace) -> usize {
    let mut count = 0;
    space.table().survey(memory, &mut |seen| {
        count += usize::from(matches!(seen, Seen::Table(_)));
    });
    count
}

fn touch(memory: &Memory<TestMachine>, space: &mut AddressSpace, page: u64) {
    let page = Page::new(page);
    let request = mapping(page..page + 1, Place::Fixed, VmFlags::WRITE);
    space.mmap(memory, request).expect("the page is free");
    path(space.handle_fault(memory, page.address(), Access::Write));
}

#[test]
fn no_table_is_made_by_a_promise() {
    for levels in BOTH {
        let memory = memory(64, levels);
        let mut space = space(&memory);
        let pages = Page::new(16)..USER_END;
        let request = mapping(pages, Place::Fixed, VmFlags::READ);
        space.mmap(&memory, request).expect("all of it is free");
        assert_eq!(tables(&memory, &space), 1);
    }
}

#[test]
fn no_page_is_found_under_anothers_number() {
    for levels in BOTH {
        let memory = memory(64, levels);
        let mut space = space(&memory);
        for page in EDGES {
            touch(&memory, &mut space, page);
            let bytes = page.to_le_bytes();
            let written = space.write_remote(&memory, page << 12, &bytes);
            assert_eq!(written.ok(), Some(8));
        }
        for page in EDGES {
            let mut bytes = [0; 8];
            let read = space.read_remote(&memory, page << 12, &mut bytes);
            assert_eq!((read.ok(), u64::from_le_bytes(bytes)), (Some(8), page));
        }
    }
}

#[test]
fn no_table_outlives_its_last_area() {
    for levels in BOTH {
        let memory = memory(64, levels);
        let mut space = space(&memory);
        let below_top = levels as usize - 1;
        for page in EDGES {
            touch(&memory, &mut space, page);
            assert_eq!(tables(&memory, &space), 1 + below_top, "page {page:#x}");
            let removed = space.munmap(&memory, page << 12, 1 << 12);
            removed.expect("the page is mapped");
            assert_eq!(tables(&memory, &space), 1, "page {page:#x}");
        }
    }
}

#[test]
fn no_table_goes_while_a_neighbour_needs_it() {
    for levels in BOTH {
        let memory = memory(64, levels);
        let mut space = space(&memory);
        for page in EDGES {
            touch(&memory, &mut space, page);
        }
        for page in EDGES {
            let removed = space.munmap(&memory, page << 12, 1 << 12);
            removed.expect("the page is mapped");
            crate::check::check(&memory, &[&space], &[]).expect("the invariants hold");
        }
        assert_eq!(tables(&memory, &space), 1);
    }
}

#[test]
fn no_frame_is_lost_when_a_space_ends() {
    for levels in BOTH {
        let memory = memory(64, levels);
        let before = memory.free_frames();
        let mut space = space(&memory);
        for page in EDGES {
            touch(&memory, &mut space, page);
        }
        space.destroy(&memory);
        assert_eq!(memory.free_frames(), before);
    }
}
