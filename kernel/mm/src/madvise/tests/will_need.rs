//! MADV_WILLNEED on what is in memory already, of which there may be much.
use alloc::sync::Arc;

use crate::mmap::{Mapping, Place};
use crate::page::PAGE_SIZE;
use crate::page_cache::{CachedFile, ReadResult, Source};
use crate::page_table::Levels;
use crate::stats::Counter;
use crate::testing::{FIRST, mapping, memory, space};
use crate::vma::{Backing, VmFlags};

#[test]
fn what_is_there_takes_no_frame_and_no_long_hold() {
    const PAGES: u64 = 600;
    let memory = memory(2 * PAGES as u32, Levels::Four);
    let file = Arc::new(CachedFile::new(1, Source::Disk, PAGES * PAGE_SIZE));
    let mut space = space(&memory);
    let backing = Backing::File {
        file: file.clone(),
        offset: 0,
    };
    let mut pages = FIRST..FIRST + PAGES;
    let request = Mapping {
        backing,
        ..mapping(pages.clone(), Place::Fixed, VmFlags::READ)
    };
    space.mmap(&memory, request).expect("free");
    for index in 0..PAGES {
        let read = file.begin_read(&memory, index).expect("memory is left");
        let read = read.expect("it is absent");
        read.complete(&memory, ReadResult::Filled);
    }
    let freed = memory.stats.get(Counter::pgfree);
    let next = space.next_to_read(&memory, &mut pages);
    assert!(next.is_none(), "all are there");
    // One look went to the area.
    assert_eq!(pages.start, FIRST + 511);
    let next = space.next_to_read(&memory, &mut pages);
    assert!(next.is_none() && pages.is_empty());
    assert_eq!(memory.stats.get(Counter::pgfree), freed);
    space.destroy(&memory);
    file.release(&memory);
}
