//! What files in memory add to the sum of promises, and that they take it all with them.
use alloc::sync::Arc;

use crate::AddressSpace;
use crate::Memory;
use crate::commit::Overcommit;
use crate::contents::Reach;
use crate::error::Error;
use crate::fault::{Access, Denial, Outcome};
use crate::mmap::{Mapping, Place};
use crate::page::PAGE_SIZE;
use crate::page_cache::{CachedFile, ReadResult, Reserve, Source};
use crate::page_table::Levels;
use crate::testing::{FIRST, TestMachine, mapping, memory, space};
use crate::vma::{Backing, VmFlags};

/// Of the machine's frames; strict mode promises half as many pages.
const FRAMES: u32 = 129;

const SHARED: VmFlags = VmFlags::READ.union(VmFlags::WRITE).union(VmFlags::SHARED);

fn world(mode: Overcommit) -> Memory<TestMachine> {
    let memory = memory(FRAMES, Levels::Four);
    memory.set_overcommit(mode);
    memory
}

fn file(pages: u64, reserve: Reserve) -> Arc<CachedFile> {
    let file = CachedFile::new(1, Source::Memory, pages * PAGE_SIZE);
    Arc::new(file.with_reserve(reserve))
}

fn map(
    memory: &Memory<TestMachine>,
    space: &mut AddressSpace,
    file: Arc<CachedFile>,
) -> Result<u64, Error> {
    let pages = FIRST..FIRST + file.pages();
    let backing = Backing::File { file, offset: 0 };
    let request = Mapping {
        backing,
        ..mapping(pages, Place::Hint, SHARED)
    };
    space.mmap(memory, request)
}

#[test]
fn shared_memory_is_never_promised_twice_or_after_its_last_area() {
    let memory = world(Overcommit::Never);
    let mut parent = space(&memory);
    let start = map(&memory, &mut parent, file(40, Reserve::Whole)).expect("below half");
    assert_eq!(memory.committed_pages(), 40, "untouched");
    for page in 0..3 {
        let outcome = parent.handle_fault(&memory, start + page * PAGE_SIZE, Access::Write);
        assert!(matches!(outcome, Outcome::Resolved(_)));
    }
    let child = parent.fork(&memory).expect("it promises nothing");
    assert_eq!(memory.committed_pages(), 40, "once for both");
    let refused = map(&memory, &mut parent, file(24, Reserve::Whole));
    assert_eq!(refused, Err(Error::OutOfMemory), "64 in all is too many");
    parent.destroy(&memory);
    assert_eq!(memory.committed_pages(), 40, "the child still has it");
    crate::check::check(&memory, &[&child], &[]).expect("sound");
    child.destroy(&memory);
    assert_eq!(memory.committed_pages(), 0);
}

#[test]
fn no_refused_mapping_leaves_a_promise() {
    let memory = world(Overcommit::Never);
    let mut it = space(&memory);
    it.limits.address_space = 10 * PAGE_SIZE;
    let refused = map(&memory, &mut it, file(20, Reserve::Whole));
    assert_eq!(refused, Err(Error::OutOfMemory));
    assert_eq!(memory.committed_pages(), 0);
    it.destroy(&memory);
}

#[test]
fn no_shared_memory_is_larger_than_the_machine_but_without_reserve() {
    let memory = world(Overcommit::Heuristic);
    let mut it = space(&memory);
    let pages = memory.managed_frames() as u64 + 1;
    let refused = map(&memory, &mut it, file(pages, Reserve::Whole));
    assert_eq!(refused, Err(Error::OutOfMemory));
    assert!(map(&memory, &mut it, file(pages, Reserve::ByPage)).is_ok());
    assert_eq!(memory.committed_pages(), 0);
    it.destroy(&memory);
}

#[test]
fn no_page_of_a_memory_file_comes_without_a_promise_or_leaves_with_one() {
    let memory = world(Overcommit::Never);
    let mut it = space(&memory);
    let file = file(2, Reserve::ByPage);
    let start = map(&memory, &mut it, file.clone()).expect("nothing is promised yet");
    let fault = |address| it.handle_fault(&memory, address, Access::Read);
    assert!(matches!(fault(start), Outcome::Resolved(_)));
    assert_eq!(memory.committed_pages(), 1, "a page that was only read");
    assert_eq!(file.write_at(&memory, 0, b"there"), Ok(5));
    assert_eq!(memory.committed_pages(), 1);
    let limit = memory.commit_limit();
    memory.commit(limit - 2, 0).expect("up to the limit");
    let denied = Outcome::Denied(Denial::NotPromised);
    assert_eq!(
        alloc::format!("{:?}", fault(start + PAGE_SIZE)),
        alloc::format!("{denied:?}")
    );
    let refused = file.write_at(&memory, PAGE_SIZE, b"not");
    assert_eq!(refused, Err(Error::NoSpace));
    let all = file.allocate(&memory, 0..2 * PAGE_SIZE, Reach::Extend);
    assert_eq!(all, Err(Error::NoSpace));
    memory.uncommit(limit - 2);
    assert_eq!(
        file.allocate(&memory, 0..2 * PAGE_SIZE, Reach::Extend),
        Ok(())
    );
    assert_eq!(memory.committed_pages(), 2);
    file.punch_hole(&memory, 0..PAGE_SIZE)
        .expect("nothing is sealed");
    assert_eq!(memory.committed_pages(), 1);
    file.set_size(&memory, 0).expect("nothing is sealed");
    assert_eq!(memory.committed_pages(), 0);
    assert_eq!(file.write_at(&memory, 0, b"there"), Ok(5));
    crate::check::check(&memory, &[&it], &[&file]).expect("sound");
    it.destroy(&memory);
    file.release(&memory);
    assert_eq!(memory.committed_pages(), 0);
}

#[test]
fn no_page_of_a_file_that_is_read_in_is_promised() {
    let memory = world(Overcommit::Never);
    let it = space(&memory);
    let file = Arc::new(CachedFile::new(1, Source::Disk, 2 * PAGE_SIZE));
    let read = file.begin_read(&memory, 0).expect("frames are left");
    read.expect("nobody reads it yet")
        .complete(&memory, ReadResult::Filled);
    assert_eq!(file.write_at(&memory, 0, b"over it"), Ok(7));
    let end = 2 * PAGE_SIZE;
    assert_eq!(file.write_at(&memory, end, b"behind it"), Ok(9));
    assert_eq!(file.resident_pages(), 2);
    assert_eq!(memory.committed_pages(), 0);
    crate::check::check(&memory, &[&it], &[&file]).expect("sound");
    it.destroy(&memory);
    file.release(&memory);
    assert_eq!(memory.committed_pages(), 0, "nor is a promise taken back");
}
