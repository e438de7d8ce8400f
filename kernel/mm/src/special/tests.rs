//! Two pages that the kernel put there, one behind the other as `[vvar]` and `[vdso]` are, and all that may be tried with
//! them.
use alloc::string::String;
use alloc::sync::Arc;

use crate::error::Error;
use crate::fault::{Access, Denial, Outcome};
use crate::foreign::Right;
use crate::madvise::Advice;
use crate::mlock::Lock;
use crate::mmap::{Mapping, Place};
use crate::mprotect::Extent;
use crate::mremap::{Remap, RemapFlags};
use crate::page::{PAGE_SIZE, Page};
use crate::page_cache::{CachedFile, ReadResult, Source};
use crate::populate::Populate;
use crate::report::{Frames, pagemap};
use crate::testing::{Drawing, FIRST, mapping};
use crate::vma::{Backing, VmFlags};

/// Where they are: the raw one, then the other.
const RAW: Page = Page::new(FIRST.number() + 3);
const CODE: Page = Page::new(FIRST.number() + 4);

const RAW_FLAGS: VmFlags = VmFlags::READ
    .union(VmFlags::SPECIAL)
    .union(VmFlags::RAW)
    .union(VmFlags::NEVER_WRITE);
const CODE_FLAGS: VmFlags = VmFlags::READ.union(VmFlags::EXEC).union(VmFlags::SPECIAL);

//  pages  0123456789
//  there  Ww.RC.....
fn drawing() -> Drawing {
    let mut drawing = Drawing::of("Ww........");
    let file = Arc::new(CachedFile::new(1, Source::Archive, 2 * PAGE_SIZE));
    for index in 0..2 {
        let read = file.begin_read(&drawing.memory, index);
        let read = read.expect("memory is left").expect("not there yet");
        read.complete(&drawing.memory, ReadResult::Filled);
    }
    for (page, offset, flags) in [(RAW, 0, RAW_FLAGS), (CODE, 1, CODE_FLAGS)] {
        put(&mut drawing, page, (file.clone(), offset), flags);
    }
    drawing
}

/// Maps one page of a file.
fn put(it: &mut Drawing, page: Page, (file, offset): (Arc<CachedFile>, u64), flags: VmFlags) {
    let request = Mapping {
        backing: Backing::File { file, offset },
        ..mapping(page..page + 1, Place::Fixed, flags)
    };
    it.space.mmap(&it.memory, request).expect("free");
}

/// Both as they were, each one by itself, and all that holds for spaces.
#[track_caller]
fn unchanged(it: &Drawing) {
    let areas = [(RAW, RAW_FLAGS), (CODE, CODE_FLAGS)];
    for (page, flags) in areas {
        let vma = it.space.areas.at(page).expect("it is there");
        assert_eq!((vma.start, vma.len(), vma.flags), (page, 1, flags));
    }
    it.space.check(&it.memory).expect("the invariants hold");
}

/// A file must not be dropped with its pages.
fn give_up(mut it: Drawing) {
    it.unmap("   ------ ").expect("allowed");
}

#[test]
fn no_right_reaches_what_can_only_be_read() {
    let mut it = drawing();
    for bits in 0..8 {
        let access = VmFlags::from_bits_retain(bits);
        let (space, memory) = (&mut it.space, &it.memory);
        let mut protect = |page: Page| {
            space.mprotect(
                memory,
                page.address(),
                PAGE_SIZE,
                access,
                Extent::Named,
                |_| {},
            )
        };
        let is_allowed = !access.intersects(VmFlags::WRITE | VmFlags::EXEC);
        let expected = if is_allowed {
            Ok(())
        } else {
            Err(Error::Forbidden)
        };
        assert_eq!(protect(RAW), expected, "{access:?}");
        assert_eq!(protect(CODE), Ok(()), "{access:?}");
        it.space.check(&it.memory).expect("the invariants hold");
    }
    give_up(it);
}

/// Two pages of code, one behind the other in the file too.
#[test]
fn no_neighbour_is_joined() {
    let mut it = drawing();
    let vma = it.space.areas.at(CODE).expect("it is there");
    let Backing::File { file, .. } = &vma.backing else {
        panic!("a page of a file: {vma:x?}");
    };
    let before = (file.clone(), 0);
    put(&mut it, RAW, before, CODE_FLAGS);
    for page in [RAW, CODE] {
        let vma = it.space.areas.at(page).expect("it is there");
        assert_eq!((vma.start, vma.len(), vma.flags), (page, 1, CODE_FLAGS));
    }
    it.space.check(&it.memory).expect("the invariants hold");
    give_up(it);
}

#[test]
fn no_lock_holds_what_the_kernel_put_there() {
    let mut it = drawing();
    let (space, memory) = (&mut it.space, &it.memory);
    let pages = space.mlock(memory, RAW.address(), 2 * PAGE_SIZE, Lock::Now);
    let wanted = space.next_to_populate(&pages.expect("allowed"), Populate::Area);
    assert_eq!(wanted, Ok(Some((CODE, Access::Read))), "one comes in");
    let all = space.mlockall(Some(Lock::Now), Lock::OnFault);
    assert_eq!((all, space.locked_pages()), (Ok(()), 2));
    unchanged(&it);
    give_up(it);
}

#[test]
fn no_move_changes_its_size_or_doubles_it() {
    let mut it = drawing();
    let target = (FIRST + 8).address();
    let (may, fixed) = (
        RemapFlags::MAY_MOVE,
        RemapFlags::MAY_MOVE | RemapFlags::FIXED,
    );
    for page in [RAW, CODE] {
        for (old, new, flags, error) in [
            (1, 2, RemapFlags::empty(), Error::BadAddress),
            (1, 2, may, Error::BadAddress),
            (1, 2, fixed, Error::BadAddress),
            (0, 1, may, Error::Invalid),
            (1, 1, may | RemapFlags::DONT_UNMAP, Error::Invalid),
            (1, 1, fixed | RemapFlags::DONT_UNMAP, Error::Invalid),
        ] {
            let got = it.space.mremap(
                &it.memory,
                Remap {
                    address: page.address(),
                    old_length: old * PAGE_SIZE,
                    new_length: new * PAGE_SIZE,
                    flags,
                    new_address: target,
                },
            );
            assert_eq!(got, Err(error), "{old} to {new} pages, {flags:?}");
            unchanged(&it);
        }
    }
    let moved = it.space.mremap(
        &it.memory,
        Remap {
            address: CODE.address(),
            old_length: PAGE_SIZE,
            new_length: PAGE_SIZE,
            flags: fixed,
            new_address: target,
        },
    );
    assert_eq!(moved, Ok(target), "as a whole it goes");
    give_up(it);
}

#[test]
fn no_advice_is_taken_that_linux_refuses() {
    let refused_by_both = [Advice::Free, Advice::Remove, Advice::DoDump];
    let refused_by_raw = [
        Advice::DontNeed,
        Advice::DontNeedLocked,
        Advice::Cold,
        Advice::PageOut,
        Advice::DoFork,
    ];
    let mut it = drawing();
    let mut advise = |page: Page, advice| {
        let (space, memory) = (&mut it.space, &it.memory);
        space.madvise(memory, page.address(), PAGE_SIZE, advice)
    };
    for advice in refused_by_both {
        assert_eq!(advise(CODE, advice), Err(Error::Invalid), "{advice:?}");
        assert_eq!(advise(RAW, advice), Err(Error::Invalid), "{advice:?}");
    }
    for advice in refused_by_raw {
        assert_eq!(advise(CODE, advice), Ok(()), "{advice:?}");
        assert_eq!(advise(RAW, advice), Err(Error::Invalid), "{advice:?}");
    }
    for page in [CODE, RAW] {
        assert_eq!(advise(page, Advice::Mergeable), Ok(()), "and forgotten");
        assert_eq!(advise(page, Advice::WipeOnFork), Ok(()));
        assert_eq!(advise(page, Advice::KeepOnFork), Ok(()));
    }
    unchanged(&it);
    let asked = |page| it.space.next_to_populate(&(page..page + 1), Populate::Read);
    assert_eq!(asked(RAW), Err(Error::Invalid));
    assert_eq!(asked(CODE), Ok(Some((CODE, Access::Read))));
    give_up(it);
}

#[test]
fn nobody_else_sees_what_is_no_memory() {
    let it = drawing();
    for page in [3, 4] {
        it.fault(page, Access::Read);
    }
    let mut bytes = [0; 8];
    for right in [Right::Granted, Right::Forced] {
        let got = it
            .space
            .read_foreign(&it.memory, RAW.address(), &mut bytes, right);
        let is_refused = matches!(got, Err(Outcome::Denied(Denial::Forbidden)));
        assert!(is_refused, "{right:?}: {got:?}");
        let got = it
            .space
            .write_foreign(&it.memory, RAW.address(), &bytes, right);
        assert!(got.is_err(), "{right:?}: {got:?}");
        let got = it
            .space
            .read_foreign(&it.memory, CODE.address(), &mut bytes, right);
        assert_eq!(got.ok(), Some(8), "{right:?}");
    }
    let mut words = [7; 3];
    pagemap(&it.space, &it.memory, RAW, Frames::Shown, &mut words);
    assert_eq!((words[0], words[1] == 0, words[2]), (0, false, 0));
    let mut resident = [7; 2];
    let count = it.space.mincore(&it.memory, RAW, &mut resident);
    assert_eq!((count, resident), (Ok(1), [1, 7]));
    give_up(it);
}

#[test]
fn no_count_has_what_is_no_memory() {
    use crate::report::{Files, Identity, smaps};
    use core::fmt::{Result, Write};

    struct Nameless;
    impl Files for Nameless {
        fn identity(&self, _: &CachedFile) -> Identity {
            self.zero_device()
        }
        fn zero_device(&self) -> Identity {
            Identity {
                device: (0, 0),
                inode: 0,
            }
        }
        fn write_name(
            &self,
            _: &CachedFile,
            _: &crate::opening::Opening,
            out: &mut dyn Write,
        ) -> Result {
            out.write_str("[vvar]")
        }
    }

    let it = drawing();
    for page in [3, 4] {
        it.fault(page, Access::Read);
    }
    let paragraph = |page| {
        let mut text = String::new();
        smaps(&it.space, &it.memory, &Nameless, page, &mut text).expect("strings grow");
        text
    };
    let raw = paragraph(RAW);
    assert!(raw.contains("Rss:                   0 kB"), "{raw}");
    assert!(raw.ends_with("VmFlags: rd mr pf io de \n"), "{raw}");
    let code = paragraph(CODE);
    assert!(code.contains("Rss:                   4 kB"), "{code}");
    assert!(code.ends_with("VmFlags: rd ex mr mw me de \n"), "{code}");
    give_up(it);
}
