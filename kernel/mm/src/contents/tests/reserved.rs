//! What fallocate reserved, drawn: each character is a page of a file in memory, `.` absent, `r` reserved, `c` there for
//! all to see.
use alloc::string::String;
use alloc::sync::Arc;

use super::{READ, STORE, file, map};
use crate::AddressSpace;
use crate::Memory;
use crate::contents::Reach;
use crate::error::Error;
use crate::fault::{Access, Path};
use crate::page::PAGE_SIZE;
use crate::page_cache::CachedFile;
use crate::page_table::Levels;
use crate::testing::{FIRST, TestMachine, memory, path, space};
use crate::vma::VmFlags;

struct Drawing {
    memory: Memory<TestMachine>,
    file: Arc<CachedFile>,
    /// The page that a picture begins with.
    first: u64,
    /// Those that were free at the start.
    frames: usize,
}

impl Drawing {
    /// A file that begins with `picture`.
    fn of(picture: &str) -> Self {
        Self::at(0, 64, picture)
    }

    /// A file that has `picture` from page `first` on, in a memory of `frames` frames.
    fn at(first: u64, frames: u32, picture: &str) -> Self {
        let memory = memory(frames, Levels::Four);
        let frames = memory.free_frames();
        let end = first + picture.len() as u64;
        let file = file(end * PAGE_SIZE);
        let drawing = Self {
            memory,
            file,
            first,
            frames,
        };
        for (page, letter) in (first..).zip(picture.chars()) {
            match letter {
                'r' => assert_eq!(drawing.reserve(page, page + 1), Ok(())),
                'c' => drawing.write(page),
                _ => {}
            }
        }
        drawing.is(picture);
        drawing
    }

    fn reserve(&self, start: u64, end: u64) -> Result<(), Error> {
        let bytes = start * PAGE_SIZE..end * PAGE_SIZE;
        self.file.allocate(&self.memory, bytes, Reach::Extend)
    }

    fn write(&self, page: u64) {
        let written = self.file.write_at(&self.memory, page * PAGE_SIZE + 9, b"x");
        assert_eq!(written, Ok(1));
    }

    fn mapped(&self, flags: VmFlags) -> AddressSpace {
        let mut space = space(&self.memory);
        map(&self.memory, &mut space, &self.file, flags).expect("free");
        space
    }

    /// Fails unless the file looks like `picture`, and all that always holds does.
    #[track_caller]
    fn is(&self, picture: &str) {
        let pages = self.first..self.first + picture.len() as u64;
        let letter = |page| match (
            self.file.is_ready(&self.memory, page),
            self.file.is_reserved(&self.memory, page),
        ) {
            (false, false) => '.',
            (false, true) => 'r',
            (true, _) => 'c',
        };
        let seen: String = pages.map(letter).collect();
        assert_eq!(seen, picture);
        self.file.check_pages(&self.memory).expect("sound");
    }

    fn end(self) {
        let Self {
            memory,
            file,
            frames,
            ..
        } = self;
        file.release(&memory);
        assert_eq!(memory.free_frames(), frames);
    }
}

#[test]
fn no_look_takes_up_what_is_reserved() {
    let drawing = Drawing::of("rcrr");
    let (memory, file) = (&drawing.memory, &drawing.file);
    assert_eq!(file.resident_pages(), 4, "it counts as the file's");
    let mut bytes = [7; 100];
    assert_eq!(file.read_at(memory, 2 * PAGE_SIZE, &mut bytes), 100);
    assert_eq!(bytes, [0; 100]);
    let lent = file.lend_to_read(memory, 0, 100, |words, _| words.is_some());
    assert_eq!(lent, Some(false), "zeroes need no page");
    let seek = |at| (file.next_data(memory, at), file.next_hole(memory, at));
    assert_eq!(seek(5), (Some(PAGE_SIZE), Some(5)));
    assert_eq!(seek(PAGE_SIZE), (Some(PAGE_SIZE), Some(2 * PAGE_SIZE)));
    assert_eq!(seek(2 * PAGE_SIZE), (None, Some(2 * PAGE_SIZE)));
    let space = drawing.mapped(STORE);
    let mut resident = [7; 2];
    let count = space.mincore(memory, FIRST, &mut resident);
    assert_eq!((count, resident), (Ok(2), [0, 1]));
    drawing.is("rcrr");
    space.destroy(memory);
    drawing.end();
}

#[test]
fn whoever_comes_for_a_page_takes_up_that_one_alone() {
    for (flags, access, expected) in [
        (READ, Access::Read, Path::SharedMemory),
        (STORE, Access::Write, Path::SharedMemory),
        (VmFlags::READ, Access::Read, Path::FileRead),
        (VmFlags::READ | VmFlags::WRITE, Access::Write, Path::FileCow),
    ] {
        let drawing = Drawing::of("rr");
        let space = drawing.mapped(flags);
        let fault = space.handle_fault(&drawing.memory, FIRST.address(), access);
        assert_eq!(path(fault), expected);
        drawing.is("cr");
        let mut resident = [7; 2];
        let count = space.mincore(&drawing.memory, FIRST, &mut resident);
        assert_eq!((count, resident), (Ok(2), [1, 0]), "nor do its neighbours");
        space.destroy(&drawing.memory);
        drawing.end();
    }
}

#[test]
fn what_is_written_by_calls_is_there() {
    let drawing = Drawing::of("rrr");
    drawing.write(1);
    drawing.is("rcr");
    let copied = drawing
        .file
        .lend_to_write(&drawing.memory, 2 * PAGE_SIZE, 10, |_, place| place.len());
    assert_eq!(copied, Ok(10));
    drawing.is("rcc");
    assert_eq!(drawing.file.resident_pages(), 3, "in frames it had");
    drawing.end();
}

#[test]
fn a_cut_takes_whole_reserved_pages_and_no_others() {
    let drawing = Drawing::of("rrrrr");
    let (memory, file) = (&drawing.memory, &drawing.file);
    let punched = file.punch_hole(memory, 100..2 * PAGE_SIZE + 100);
    assert_eq!(punched, Ok(()));
    drawing.is("r.rrr");
    assert_eq!(file.set_size(memory, 3 * PAGE_SIZE + 1), Ok(()));
    drawing.is("r.rr.");
    assert_eq!(file.set_size(memory, 5 * PAGE_SIZE), Ok(()));
    drawing.is("r.rr.");
    drawing.end();
}

//  pages     509 510 511 512 513 514      a node of the index ends at 511
//  before     .   r   c   .   .   .
//  reserve   [                     )      as many frames are left as pages are asked for, and one more; the index takes two
//  after      .   c   c   .   .   .       asked for twice is there; what is refused is as it was
#[test]
fn a_refused_reservation_takes_nothing_and_gives_nothing() {
    let drawing = Drawing::at(509, 8, ".rc...");
    assert_eq!(drawing.memory.free_frames(), 5);
    assert_eq!(drawing.reserve(509, 515), Err(Error::OutOfMemory));
    drawing.is(".cc...");
    drawing.end();
}

#[test]
fn a_second_reservation_never_leaves_a_hole() {
    let drawing = Drawing::of("r.c.");
    assert_eq!(drawing.reserve(0, 4), Ok(()));
    drawing.is("crcr");
    drawing.end();
}
