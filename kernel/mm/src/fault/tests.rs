//! The life of one mapping as `README.md` draws it, and the ends of a fault that change nothing.
use alloc::sync::Arc;

use super::{Access, Denial, Outcome, Path};
use crate::mmap::{Mapping, Place};
use crate::page::PAGE_SIZE;
use crate::page_cache::{CachedFile, ReadResult, Source};
use crate::page_table::Levels;
use crate::pte::PteFlags;
use crate::space::AddressSpace;
use crate::testing::{Drawing, FIRST, mapping, memory, path, space};
use crate::vma::{Backing, VmFlags};

/// How many hold the frame behind page number `page`; 0 where there is none.
fn holders(drawing: &Drawing, space: &AddressSpace, page: u64) -> u32 {
    let entry = space.table.entry(&drawing.memory, FIRST + page);
    let bits = entry.map_or(0, |entry| entry.load(super::Acquire));
    let leaf = crate::pte::Pte::decode(bits).leaf();
    leaf.map_or(0, |leaf| drawing.memory.record(leaf.frame).references())
}

#[test]
fn no_step_of_the_readme_is_wrong() {
    let mut parent = Drawing::of("Wwww");
    assert_eq!(parent.fault(1, Access::Read), Path::ZeroRead);
    assert_eq!(parent.fault(2, Access::Write), Path::ZeroWrite);
    assert_eq!(parent.fault(1, Access::Write), Path::CowZero);
    let child = parent.space.fork(&parent.memory).expect("memory is left");
    assert_eq!([1, 2].map(|page| holders(&parent, &child, page)), [2, 2]);
    let address = (FIRST + 2).address();
    let copied = child.handle_fault(&parent.memory, address, Access::Write);
    assert_eq!(path(copied), Path::CowCopy);
    assert_eq!(holders(&parent, &parent.space, 2), 1);
    assert_eq!(parent.fault(2, Access::Write), Path::CowReuse);
    parent.protect("  --", 'n').expect("allowed");
    parent.shows_all("WwNn", &[&child]);
    parent.protect("  --", 'w').expect("allowed");
    parent.shows_all("Wwww", &[&child]);
    assert_eq!(parent.fault(2, Access::Write), Path::Spurious);
    parent.unmap(" -- ").expect("allowed");
    parent.shows_all("W..W", &[&child]);
    assert_eq!(holders(&parent, &child, 1), 1);
    child.destroy(&parent.memory);
    parent.shows("W..W");
}

#[test]
fn no_access_without_a_right_is_served() {
    //                           01234567
    let drawing = Drawing::of("..RNXW..");
    let denial = |page, access| {
        let address = (FIRST + page).address();
        match drawing.space.handle_fault(&drawing.memory, address, access) {
            Outcome::Denied(denial) => denial,
            other => panic!("page {page}: {other:?}"),
        }
    };
    for access in [Access::Read, Access::Write, Access::Execute] {
        assert_eq!(denial(1, access), Denial::Unmapped);
        assert_eq!(denial(3, access), Denial::Forbidden);
        assert_eq!(denial(6, access), Denial::Unmapped);
        assert_eq!(denial(u64::MAX >> 13, access), Denial::Unmapped);
    }
    assert_eq!(denial(2, Access::Write), Denial::Forbidden);
    assert_eq!(denial(4, Access::Write), Denial::Forbidden);
    // As on Linux, what the first try of a fetch finds missing comes in, and only then is it refused.
    for (page, path) in [(2, Path::ZeroRead), (5, Path::ZeroRead)] {
        assert_eq!(drawing.fault(page, Access::Execute), path);
        assert_eq!(denial(page, Access::Execute), Denial::Forbidden);
    }
}

#[test]
fn a_page_being_read_is_never_read_twice() {
    let memory = memory(32, Levels::Four);
    let mut space = space(&memory);
    let file = CachedFile::new(1, Source::Disk, PAGE_SIZE + 1);
    let request = Mapping {
        backing: Backing::File {
            file: Arc::new(file),
            offset: 0,
        },
        ..mapping(FIRST..FIRST + 3, Place::Fixed, VmFlags::READ)
    };
    space.mmap(&memory, request).expect("free");
    let fault = |page| space.handle_fault(&memory, (FIRST + page).address(), Access::Read);
    let Outcome::NeedsRead(read) = fault(0) else {
        panic!("nothing was in memory");
    };
    assert!(matches!(fault(0), Outcome::Busy));
    read.complete(&memory, ReadResult::Failed);
    let Outcome::NeedsRead(read) = fault(0) else {
        panic!("a read that failed left nothing behind");
    };
    read.complete(&memory, ReadResult::Filled);
    assert_eq!(path(fault(0)), Path::FileRead);
    assert!(matches!(fault(1), Outcome::NeedsRead(_)), "the last byte");
    assert!(matches!(fault(2), Outcome::Denied(Denial::PastEnd)));
    space.destroy(&memory);
    assert_eq!(memory.free_frames(), 32);
}

#[test]
fn what_is_shared_is_never_two_pages_and_never_outlives_its_last_area() {
    let memory = memory(32, Levels::Four);
    let mut parent = space(&memory);
    let flags = VmFlags::READ | VmFlags::WRITE | VmFlags::SHARED;
    let request = Mapping {
        backing: Backing::File {
            file: Arc::new(CachedFile::new(1, Source::Memory, 2 * PAGE_SIZE)),
            offset: 0,
        },
        ..mapping(FIRST..FIRST + 3, Place::Fixed, flags)
    };
    parent.mmap(&memory, request).expect("free");
    let child = parent.fork(&memory).expect("memory is left");
    let address = FIRST.address();
    let fault =
        |space: &AddressSpace, page, access| path(space.handle_fault(&memory, page, access));
    assert_eq!(fault(&child, address, Access::Read), Path::SharedMemory);
    assert_eq!(child.write_remote(&memory, address, b"seen").ok(), Some(4));
    let mut bytes = [0; 4];
    assert_eq!(
        parent.read_remote(&memory, address, &mut bytes).ok(),
        Some(4)
    );
    assert_eq!(&bytes, b"seen");
    let past = (FIRST + 2).address();
    let outcome = parent.handle_fault(&memory, past, Access::Write);
    assert!(matches!(outcome, Outcome::Denied(Denial::PastEnd)));
    crate::check::check(&memory, &[&parent, &child], &[]).expect("sound");
    parent
        .munmap(&memory, address, 3 * PAGE_SIZE)
        .expect("allowed");
    assert_eq!(
        child.read_remote(&memory, address, &mut bytes).ok(),
        Some(4)
    );
    assert_eq!(&bytes, b"seen");
    child.destroy(&memory);
    parent.destroy(&memory);
    assert_eq!(memory.free_frames(), 32);
}

#[test]
fn no_fault_is_counted_that_never_passed_its_area() {
    let drawing = Drawing::of("..RW..");
    let counted = || drawing.memory.stats.get(crate::stats::Counter::pgfault);
    for (page, access) in [(0, Access::Read), (2, Access::Write)] {
        let address = (FIRST + page).address();
        let outcome = drawing.space.handle_fault(&drawing.memory, address, access);
        assert!(matches!(outcome, Outcome::Denied(_)));
    }
    assert_eq!(counted(), 0);
    drawing.fault(3, Access::Write);
    assert_eq!(counted(), 1);
}

#[test]
fn no_store_is_left_to_the_processor_to_mark() {
    for source in [Source::Memory, Source::Archive, Source::Disk] {
        let memory = memory(32, Levels::Four);
        let mut space = space(&memory);
        let file = Arc::new(CachedFile::new(1, source, PAGE_SIZE));
        let request = Mapping {
            backing: Backing::File { file, offset: 0 },
            ..mapping(
                FIRST..FIRST + 1,
                Place::Fixed,
                VmFlags::READ | VmFlags::WRITE | VmFlags::SHARED,
            )
        };
        space.mmap(&memory, request).expect("free");
        let store = || space.handle_fault(&memory, FIRST.address(), Access::Write);
        let outcome = match store() {
            Outcome::NeedsRead(read) => {
                read.complete(&memory, ReadResult::Filled);
                store()
            }
            outcome => outcome,
        };
        let Outcome::Resolved(change) = outcome else {
            panic!("{source:?}: {outcome:?}");
        };
        let leaf = crate::pte::Pte::decode(change.after)
            .leaf()
            .expect("mapped");
        assert!(leaf.flags.contains(PteFlags::DIRTY), "{source:?}");
        space.destroy(&memory);
    }
}
