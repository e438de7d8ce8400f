//! A file on a disk, drawn. Each character is a page: in the cache `.` absent, `r` being read, `h` a hole, `c` clean, `d`
//! dirty, `w` on its way to the disk, `b` both of the last two; in the space that shares the file `.` no entry, `r` one
//! that may be read, `w` one that may be stored through.
mod ahead;
mod evict;
mod length;
mod store;
mod write;

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::slot::{ABSENT, BACKED, DIRTY, PRESENT, READING, WRITEBACK};
use super::{CachedFile, Read, ReadResult, Source, Write};
use crate::fault::{Access, Outcome, Path};
use crate::frame::Frame;
use crate::machine::PhysMem;
use crate::memory::Memory;
use crate::mmap::{Mapping, Place};
use crate::page::PAGE_SIZE;
use crate::page_table::Levels;
use crate::pte::Pte;
use crate::space::AddressSpace;
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
use crate::testing::{FIRST, TestMachine, mapping, memory, path, space};
use crate::vma::{Backing, VmFlags};

const SHARED: VmFlags = VmFlags::READ.union(VmFlags::WRITE).union(VmFlags::SHARED);
const FRAMES: u32 = 64;

struct Drawing {
    memory: Memory<TestMachine>,
    space: AddressSpace,
    file: Arc<CachedFile>,
}

impl Drawing {
    /// The file with the pages that `picture` shows, of which none are on their way, and a space that shares them.
    fn of(picture: &str) -> Self {
        let memory = memory(FRAMES, Levels::Four);
        let pages = picture.len() as u64;
        let file = Arc::new(CachedFile::new(1, Source::Disk, pages * PAGE_SIZE));
        let mut space = space(&memory);
        let request = Mapping {
            backing: Backing::File {
                file: file.clone(),
                offset: 0,
            },
            ..mapping(FIRST..FIRST + pages, Place::Fixed, SHARED)
        };
        space.mmap(&memory, request).expect("the place is free");
        let drawing = Self {
            memory,
            space,
            file,
        };
        for (index, letter) in (0..).zip(picture.chars()) {
            drawing.draw(index, letter);
        }
        drawing.is_cached(picture);
        drawing
    }

    fn draw(&self, index: u64, letter: char) {
        match letter {
            '.' => {}
            'h' => self
                .begin_read(index)
                .complete(&self.memory, ReadResult::Hole),
            _ => self
                .begin_read(index)
                .complete(&self.memory, ReadResult::Filled),
        }
        if letter == 'd' {
            let written = self
                .file
                .lend_to_write(&self.memory, index * PAGE_SIZE, 1, |_, _| 1);
            assert_eq!(written, Ok(1));
        }
    }

    fn begin_read(&self, index: u64) -> Read {
        let begun = self.file.begin_read(&self.memory, index);
        begun.expect("memory is left").expect("the page is absent")
    }

    fn begin_write(&self) -> Option<Write> {
        self.file.begin_writeback(&self.memory, 0..u64::MAX)
    }

    fn fault(&self, page: u64, access: Access) -> Outcome {
        let address = (FIRST + page).address();
        self.space.handle_fault(&self.memory, address, access)
    }

    #[track_caller]
    fn takes(&self, page: u64, access: Access, expected: Path) {
        assert_eq!(path(self.fault(page, access)), expected);
    }

    /// Fails unless the cache looks like `picture`, and all that always holds does.
    #[track_caller]
    fn is_cached(&self, picture: &str) {
        let seen: String = (0..picture.len() as u64)
            .map(|page| self.letter(page))
            .collect();
        assert_eq!(seen, picture);
        crate::check::check(&self.memory, &[&self.space], &[&self.file]).expect("sound");
    }

    #[track_caller]
    fn is_mapped(&self, picture: &str) {
        let seen: String = (0..picture.len() as u64)
            .map(|page| self.entry(page))
            .collect();
        assert_eq!(seen, picture);
    }

    fn letter(&self, page: u64) -> char {
        let bits = self.file.state(&self.memory, page);
        match bits % PAGE_SIZE {
            ABSENT => '.',
            READING => 'r',
            PRESENT => 'h',
            marks => match marks & !(PRESENT | BACKED) {
                0 => 'c',
                DIRTY => 'd',
                WRITEBACK => 'w',
                _ => 'b',
            },
        }
    }

    fn entry(&self, page: u64) -> char {
        let entry = self.space.table.entry(&self.memory, FIRST + page);
        let bits = entry.map_or(0, |entry| entry.load(Relaxed));
        match Pte::decode(bits).leaf() {
            None => '.',
            Some(leaf) if leaf.is_writable() => 'w',
            Some(_) => 'r',
        }
    }

    /// The file's bytes from `at` on, all of them in memory.
    fn bytes(&self, at: u64, count: usize) -> Vec<u8> {
        let mut bytes = alloc::vec![0xee; count];
        let read = self.file.read_ready(&self.memory, at, &mut bytes);
        bytes.truncate(read.expect("the page is there"));
        bytes
    }

    fn words(&self, frame: Frame) -> &[AtomicU64] {
        self.memory.machine.words(frame)
    }

    fn write(&self, at: u64, bytes: &[u8]) -> Result<usize, crate::Error> {
        self.file
            .lend_to_write(&self.memory, at, bytes.len(), |words, place| {
                crate::remote::write_bytes(words, place.start, &bytes[..place.len()]);
                place.len()
            })
    }

    /// A program's own store, which faults first.
    fn store(&self, at: u64, bytes: &[u8]) {
        let stored = self
            .space
            .write_remote(&self.memory, FIRST.address() + at, bytes);
        assert_eq!(stored.ok(), Some(bytes.len()));
    }

    /// Everything goes, and each frame must come back.
    fn close(self) {
        self.space.destroy(&self.memory);
        self.file.release(&self.memory);
        assert_eq!(self.memory.free_frames(), FRAMES as usize);
        assert_eq!(self.memory.dirty_pages(), 0);
        assert_eq!(self.memory.pages_being_written(), 0);
    }
}
