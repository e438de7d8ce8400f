//! Reports of drawn spaces, byte for byte as Linux writes them.
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt::{Result, Write};

use super::{Files, Frames, Identity, Locked, maps, pagemap, smaps, smaps_rollup};
use crate::error::Error;
use crate::fault::Access;
use crate::frame::Use;
use crate::machine::{PhysMem, WORDS};
use crate::madvise::Advice;
use crate::mmap::{Mapping, Place};
use crate::opening::Opening;
use crate::page::{PAGE_SIZE, Page};
use crate::page_cache::{CachedFile, Source};
use crate::page_table::Levels;
use crate::space::USER_END;
use crate::sync::atomic::Ordering::Relaxed;
use crate::testing::{Drawing, FIRST, mapping, memory, space};
use crate::vma::{Backing, VmFlags};

const RW: VmFlags = VmFlags::READ.union(VmFlags::WRITE);

struct Named;

impl Files for Named {
    fn identity(&self, file: &CachedFile) -> Identity {
        Identity {
            device: (0, 1),
            inode: file.id(),
        }
    }

    fn zero_device(&self) -> Identity {
        Identity {
            device: (0, 6),
            inode: 4,
        }
    }

    fn write_name(&self, _: &CachedFile, _: &Opening, out: &mut dyn Write) -> Result {
        out.write_str("/dev/zero (deleted)")
    }
}

/// All lines, read from cursor to cursor.
fn all_maps(drawing: &Drawing) -> String {
    let (mut text, mut from) = (String::new(), Page::new(0));
    while let Some(next) = maps(&drawing.space, &Named, from, &mut text).expect("strings grow") {
        assert!(next > from, "the cursor moves on");
        from = next;
    }
    text
}

/// The lines of the first area's paragraph whose label is one of `labels`.
fn chosen(drawing: &Drawing, labels: &[&str]) -> String {
    let mut text = String::new();
    smaps(
        &drawing.space,
        &drawing.memory,
        &Named,
        Page::new(0),
        &mut text,
    )
    .expect("strings grow");
    let wanted = |line: &&str| {
        labels
            .iter()
            .any(|label| line.starts_with(label) && line[label.len()..].starts_with(':'))
    };
    let lines = text.lines().filter(wanted);
    lines
        .map(|line| line.split_whitespace().nth(1).unwrap_or(""))
        .collect::<alloc::vec::Vec<_>>()
        .join(" ")
}

fn map_shared(drawing: &mut Drawing, first: u64, len: u64) {
    let file = Arc::new(CachedFile::new(7, Source::Memory, 16 * PAGE_SIZE));
    let request = Mapping {
        flags: RW | VmFlags::SHARED,
        backing: Backing::File { file, offset: 2 },
        ..mapping(FIRST + first..FIRST + first + len, Place::Fixed, RW)
    };
    drawing
        .space
        .mmap(&drawing.memory, request)
        .expect("allowed");
}

/// A file must not be dropped with its pages.
fn unmap_shared(drawing: &mut Drawing) {
    drawing.unmap("        --").expect("allowed");
}

#[test]
fn no_line_differs_from_linux() {
    //                               0123456789
    let mut drawing = Drawing::of("WwXN..Ss..");
    drawing.space.set_stack_start((FIRST + 7).address() + 8);
    map_shared(&mut drawing, 8, 2);
    let expected = "\
01000000-01002000 rw-p 00000000 00:00 0 
01002000-01003000 r-xp 00000000 00:00 0 
01003000-01004000 ---p 00000000 00:00 0 
01006000-01008000 rw-p 00000000 00:00 0                                  [stack]
01008000-0100a000 rw-s 00002000 00:01 7                                  /dev/zero (deleted)
";
    assert_eq!(all_maps(&drawing), expected);
    unmap_shared(&mut drawing);
}

#[test]
fn no_other_area_is_called_heap_or_stack() {
    let mut drawing = Drawing::of("Ww........Ww....");
    drawing.space.set_heap_start((FIRST + 12).address());
    drawing.space.set_stack_start(1);
    assert!(!all_maps(&drawing).contains('['), "an empty heap above");
    drawing.space.set_heap_start((FIRST + 10).address());
    assert!(!all_maps(&drawing).contains('['), "an empty heap there");
    drawing.space.brk += 1;
    let text = all_maps(&drawing);
    let lines = text.lines().map(|line| line.ends_with("[heap]"));
    assert!(lines.eq([false, true]), "{text}");
}

#[test]
fn a_reader_never_meets_the_same_line_twice_while_areas_change() {
    //                               0123456789
    let mut drawing = Drawing::of("W.W.W.W.W.");
    let (mut text, mut from) = (String::new(), Page::new(0));
    let mut steps = 0;
    while let Some(next) = maps(&drawing.space, &Named, from, &mut text).expect("strings grow") {
        assert!(next > from, "the cursor moves on");
        from = next;
        steps += 1;
        match steps {
            1 => drawing.map(" -        ", 'r').expect("free"),
            2 => drawing.unmap("  ---     ").map(|()| 0).expect("allowed"),
            3 => drawing.unmap("       ---").map(|()| 0).expect("allowed"),
            _ => 0,
        };
    }
    assert_eq!(steps, 3, "{text}");
}

#[test]
fn no_page_is_counted_that_is_only_promised() {
    const LABELS: [&str; 6] = ["Size", "Rss", "Pss", "Private_Dirty", "Anonymous", "Locked"];
    //                           0123456789
    let drawing = Drawing::of("Llllllll..");
    assert_eq!(chosen(&drawing, &LABELS), "32 0 0 0 0 0");
    drawing.fault(0, Access::Read);
    assert_eq!(chosen(&drawing, &LABELS), "32 0 0 0 0 0", "the zero page");
    drawing.fault(0, Access::Write);
    drawing.fault(5, Access::Write);
    assert_eq!(chosen(&drawing, &LABELS), "32 8 8 8 8 8");
}

#[test]
fn no_hidden_or_given_up_page_is_forgotten() {
    const LABELS: [&str; 3] = ["Rss", "Anonymous", "LazyFree"];
    //                               0123456789
    let mut drawing = Drawing::of("Wwww......");
    (0..3).for_each(|page| _ = drawing.fault(page, Access::Write));
    let (space, memory) = (&mut drawing.space, &drawing.memory);
    let freed = space.madvise(memory, FIRST.address(), 2 * PAGE_SIZE, Advice::Free);
    freed.expect("allowed");
    assert_eq!(chosen(&drawing, &LABELS), "12 12 8");
    let written = drawing
        .space
        .write_remote(&drawing.memory, FIRST.address(), b"kept");
    assert_eq!(written.ok(), Some(4));
    assert_eq!(chosen(&drawing, &LABELS), "12 12 4");
    drawing.protect("----      ", 'n').expect("allowed");
    assert_eq!(chosen(&drawing, &LABELS), "12 12 4");
}

#[test]
fn no_flag_is_shown_as_another() {
    let plain = VmFlags::READ | VmFlags::WRITE;
    for (flags, letters) in [
        (plain, "rd wr mr mw me ac "),
        (plain | VmFlags::DONT_FORK, "rd wr mr mw me dc ac "),
        (plain | VmFlags::DONT_DUMP, "rd wr mr mw me ac dd "),
        (plain | VmFlags::NO_RESERVE, "rd wr mr mw me nr "),
        (plain | VmFlags::LOCK, "rd wr mr mw me lo lf ac "),
        (VmFlags::READ | VmFlags::EXEC, "rd ex mr mw me "),
        (
            VmFlags::READ | VmFlags::SHARED | VmFlags::NEVER_WRITE,
            "rd mr me ms ",
        ),
    ] {
        let mut drawing = Drawing::of("..........");
        let request = mapping(FIRST..FIRST + 1, Place::Fixed, flags);
        let (space, memory) = (&mut drawing.space, &drawing.memory);
        space.mmap(memory, request).expect("free");
        let mut text = String::new();
        smaps(space, memory, &Named, FIRST, &mut text).expect("strings grow");
        let expected = alloc::format!("VmFlags: {letters}\n");
        assert!(text.ends_with(&expected), "{letters}: {text}");
    }
}

#[test]
fn a_page_of_two_is_half_of_each() {
    const LABELS: [&str; 5] = ["Rss", "Pss", "Shared_Dirty", "Private_Dirty", "Referenced"];
    let mut drawing = Drawing::of("Wwww......");
    (0..4).for_each(|page| _ = drawing.fault(page, Access::Write));
    assert_eq!(chosen(&drawing, &LABELS), "16 16 0 16 16");
    let child = drawing.space.fork(&drawing.memory).expect("memory is left");
    assert_eq!(chosen(&drawing, &LABELS), "16 8 16 0 16");
    drawing.fault(0, Access::Write);
    assert_eq!(chosen(&drawing, &LABELS), "16 10 12 4 16");
    child.destroy(&drawing.memory);
    assert_eq!(chosen(&drawing, &LABELS), "16 16 0 16 16");
}

#[test]
fn no_area_is_missing_from_the_sums() {
    let mut drawing = Drawing::of("Ww...Ww...");
    map_shared(&mut drawing, 8, 2);
    for page in [0, 5, 6, 8] {
        drawing.fault(page, Access::Write);
    }
    let mut text = String::new();
    smaps_rollup(&drawing.space, &drawing.memory, &mut text).expect("strings grow");
    let head = "\
01000000-0100a000 ---p 00000000 00:00 0                                  [rollup]
Rss:                  16 kB
Pss:                  16 kB
Pss_Dirty:            16 kB
Pss_Anon:             12 kB
Pss_File:              0 kB
Pss_Shmem:             4 kB
Shared_Clean:          0 kB
";
    assert!(text.starts_with(head), "{text}");
    assert!(text.ends_with("SwapPss:               0 kB\nLocked:                0 kB\n"));
    unmap_shared(&mut drawing);
}

#[test]
fn no_word_of_pagemap_lies() {
    const PRESENT: u64 = 1 << 63;
    const FILE: u64 = 1 << 61;
    const EXCLUSIVE: u64 = 1 << 56;
    //                               0123456789
    let mut drawing = Drawing::of("Wwww......");
    map_shared(&mut drawing, 8, 2);
    drawing.fault(0, Access::Read);
    for page in [1, 2, 3, 8] {
        drawing.fault(page, Access::Write);
    }
    drawing.protect("  -       ", 'n').expect("allowed");
    let mut words = [7; 12];
    let (space, memory) = (&drawing.space, &drawing.memory);
    pagemap(space, memory, FIRST, Frames::Hidden, &mut words);
    let own = PRESENT | EXCLUSIVE;
    let shared = own | FILE;
    let expected = [PRESENT, own, own, own, 0, 0, 0, 0, shared, 0, 0, 0];
    assert_eq!(words, expected);
    // The table of these pages begins at the third.
    pagemap(
        space,
        memory,
        Page::new(FIRST.number() - 2),
        Frames::Hidden,
        &mut words[..4],
    );
    assert_eq!(words[..4], [0, 0, PRESENT, own]);
    pagemap(space, memory, FIRST + 1, Frames::Shown, &mut words[..1]);
    assert_ne!(words[0] & ((1 << 55) - 1), 0);
    pagemap(space, memory, USER_END, Frames::Shown, &mut words);
    assert_eq!(words, [0; 12], "behind the end");
    unmap_shared(&mut drawing);
}

#[test]
fn no_frame_is_counted_twice_or_not_at_all() {
    let mut drawing = Drawing::of("Wwww......");
    map_shared(&mut drawing, 8, 2);
    for page in [0, 1, 8] {
        drawing.fault(page, Access::Write);
    }
    let kernel = drawing.memory.allocate(2).expect("memory is left");
    let census = drawing.memory.census();
    for usage in [Use::Anonymous, Use::Shared, Use::Table, Use::Kernel] {
        assert_eq!(census.used(usage), drawing.memory.frames_used_for(usage));
    }
    assert_eq!((census.used(Use::Kernel), census.mapped()), (4, 1));
    let free = [Use::FreeBlock, Use::CpuCache].map(|usage| census.used(usage));
    assert_eq!(free.iter().sum::<usize>(), drawing.memory.free_frames());
    drawing.memory.free(kernel);
    unmap_shared(&mut drawing);
}

#[test]
fn a_peak_never_falls() {
    let mut drawing = Drawing::of("Wwww......");
    drawing.unmap(" -        ").expect("allowed");
    let totals = drawing.space.totals();
    assert_eq!((totals.mapped, totals.peak), (3, 4));
    assert_eq!((totals.data, totals.stack, totals.code), (3, 0, 0));
    //                               0123456789
    let mut drawing = Drawing::of("XxSsT.....");
    let flags = RW | VmFlags::EXEC;
    let request = mapping(FIRST + 7..FIRST + 8, Place::Fixed, flags);
    let (space, memory) = (&mut drawing.space, &drawing.memory);
    space.mmap(memory, request).expect("free");
    let totals = space.totals();
    assert_eq!((totals.data, totals.stack, totals.code), (1, 3, 2));
}

#[test]
fn nothing_of_the_kernels_half_is_shown() {
    const PRESENT_WRITABLE_ACCESSED: u64 = 1 | 1 << 1 | 1 << 5;
    let mut memory = memory(16, Levels::Four);
    let [top, below] = [(); 2].map(|()| memory.allocate(0).expect("memory is left"));
    let entry = below.address() | PRESENT_WRITABLE_ACCESSED;
    for (table, first) in [(top, WORDS / 2), (below, 0)] {
        let words = memory.machine.words(table).iter().enumerate();
        words.for_each(|(index, word)| word.store(if index < first { 0 } else { entry }, Relaxed));
    }
    memory.set_kernel_half(top.address());
    let space = space(&memory);
    let mut words = [7; 4];
    pagemap(&space, &memory, USER_END, Frames::Shown, &mut words);
    assert_eq!(words, [0; 4]);
    space.destroy(&memory);
}

/// Pages of a file that lives in memory alone are changed when a call or any mapping wrote them, whoever shows them.
#[test]
fn no_page_that_a_call_wrote_is_clean() {
    const LABELS: [&str; 5] = [
        "Rss",
        "Shared_Dirty",
        "Private_Clean",
        "Private_Dirty",
        "Pss_Dirty",
    ];
    let mut drawing = Drawing::of("..........");
    let file = Arc::new(CachedFile::new(7, Source::Memory, 4 * PAGE_SIZE));
    let written = file.write_at(&drawing.memory, PAGE_SIZE, b"written");
    assert_eq!(written, Ok(7));
    let map = |drawing: &mut Drawing, page: u64, flags: VmFlags| {
        let backing = Backing::File {
            file: file.clone(),
            offset: 0,
        };
        let request = Mapping {
            backing,
            ..mapping(FIRST + page..FIRST + page + 4, Place::Fixed, flags)
        };
        let (space, memory) = (&mut drawing.space, &drawing.memory);
        space.mmap(memory, request.clone()).expect("free");
        let Backing::File { file, .. } = request.backing else {
            unreachable!("it is the file's")
        };
        file.release(memory);
    };
    map(&mut drawing, 0, VmFlags::READ);
    drawing.fault(0, Access::Read);
    drawing.fault(1, Access::Read);
    assert_eq!(chosen(&drawing, &LABELS), "8 4 0 4 4", "the second page");
    // The third is stored to through another mapping, the fourth through one that could be stored through before.
    map(&mut drawing, 5, RW | VmFlags::SHARED);
    drawing.fault(7, Access::Write);
    drawing.fault(2, Access::Read);
    assert_eq!(
        chosen(&drawing, &LABELS),
        "12 6 4 4 4",
        "while both are there"
    );
    drawing.fault(8, Access::Read);
    let written = drawing
        .space
        .write_remote(&drawing.memory, (FIRST + 8).address(), b"stored");
    assert_eq!(written.ok(), Some(6));
    let (address, length) = ((FIRST + 5).address(), 4 * PAGE_SIZE);
    let (space, memory) = (&mut drawing.space, &drawing.memory);
    space.munmap(memory, address, length).expect("no limit");
    drawing.fault(3, Access::Read);
    assert_eq!(chosen(&drawing, &LABELS), "16 12 0 4 12");
    let (space, memory) = (&mut drawing.space, &drawing.memory);
    space
        .munmap(memory, FIRST.address(), length)
        .expect("no limit");
    file.release(&drawing.memory);
}

#[test]
fn no_locked_page_is_counted_twice() {
    //                               0123456789
    let mut drawing = Drawing::of("LllWwwLl..");
    for page in [0, 1, 3, 6] {
        drawing.fault(page, Access::Write);
    }
    drawing.fault(2, Access::Read);
    let count = |drawing: &Drawing, others: &[&crate::AddressSpace]| {
        let mut locked = Locked::default();
        for space in [&drawing.space].into_iter().chain(others.iter().copied()) {
            locked.add(&drawing.memory, space).expect("memory is left");
        }
        assert_eq!(locked.pages(), locked.used(Use::Anonymous));
        locked.pages()
    };
    assert_eq!(count(&drawing, &[]), 3, "what was only read is nobody's");
    let mut child = drawing.space.fork(&drawing.memory).expect("memory is left");
    assert_eq!(count(&drawing, &[&child]), 3, "a child inherits no lock");
    let all = Some(crate::mlock::Lock::OnFault);
    child
        .mlockall(all, crate::mlock::Lock::Free)
        .expect("no limit");
    assert_eq!(count(&drawing, &[&child]), 4, "the child's include page 3");
    child.destroy(&drawing.memory);
}

#[test]
fn zeroes_of_the_device_are_no_kin_of_others() {
    let mut drawing = Drawing::of("..........");
    let map = |drawing: &mut Drawing, page: u64, count: u64, backing: Backing| {
        let request = Mapping {
            backing,
            ..mapping(FIRST + page..FIRST + page + count, Place::Fixed, RW)
        };
        let (space, memory) = (&mut drawing.space, &drawing.memory);
        space.mmap(memory, request).expect("free");
    };
    let zeroes = |offset| Backing::ZeroDevice { offset };
    map(&mut drawing, 0, 2, zeroes(0));
    map(&mut drawing, 2, 2, zeroes(2));
    map(&mut drawing, 4, 2, Backing::Anonymous);
    map(&mut drawing, 6, 2, zeroes(4));
    map(&mut drawing, 8, 1, zeroes(4));
    drawing.unmap(" -        ").expect("allowed");
    drawing.fault(3, Access::Write);
    drawing.fault(2, Access::Read);
    let text = all_maps(&drawing);
    let mut lines = text.lines();
    for (offset, device) in [(0, "00:06 4 "), (2, "00:06 4 "), (0, "00:00 0 ")]
        .into_iter()
        .chain([(4, "00:06 4 "); 2])
    {
        let line = lines.next().expect("five areas");
        let expected = alloc::format!("{offset:05x}000 {device}");
        assert!(line[23..].starts_with(&expected), "{text}");
        assert_eq!(line.get(73..) == Some("/dev/zero"), device != "00:00 0 ");
    }
    for (page, refused) in [(0, Some(Error::Invalid)), (4, None)] {
        let (address, space) = ((FIRST + page).address(), &mut drawing.space);
        let told = space.madvise(&drawing.memory, address, PAGE_SIZE, Advice::WipeOnFork);
        assert_eq!(told.err(), refused);
    }
    drawing
        .space
        .check(&drawing.memory)
        .expect("the books are right");
}
