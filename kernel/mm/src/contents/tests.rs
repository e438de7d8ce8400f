//! Calls on a memory file against a plain vector of bytes, and what seals keep from happening.
mod reserved;

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::Reach;
use crate::error::Error;
use crate::fault::Access;
use crate::mmap::{Mapping, Place};
use crate::page::PAGE_SIZE;
use crate::page_cache::{CachedFile, ReadResult, Source};
use crate::page_table::Levels;
use crate::remote;
use crate::seal::Seals;
use crate::testing::{FIRST, Random, TestMachine, mapping, memory, path, space};
use crate::vma::{Backing, VmFlags};
use crate::{AddressSpace, Memory};

fn file(size: u64) -> Arc<CachedFile> {
    Arc::new(CachedFile::new(1, Source::Memory, size))
}

fn contents(memory: &Memory<TestMachine>, file: &CachedFile) -> Vec<u8> {
    let mut bytes = vec![0xee; file.size() as usize + 10];
    let count = file.read_at(memory, 0, &mut bytes);
    bytes.truncate(count);
    bytes
}

fn map(
    memory: &Memory<TestMachine>,
    space: &mut AddressSpace,
    file: &Arc<CachedFile>,
    flags: VmFlags,
) -> Result<u64, Error> {
    let backing = Backing::File {
        file: file.clone(),
        offset: 0,
    };
    let request = Mapping {
        backing,
        ..mapping(FIRST..FIRST + 2, Place::Hint, flags)
    };
    space.mmap(memory, request)
}

const READ: VmFlags = VmFlags::READ.union(VmFlags::SHARED);
const STORE: VmFlags = READ.union(VmFlags::WRITE);

#[test]
fn no_sequence_of_calls_tells_the_file_from_a_vector() {
    const LONGEST: u64 = 6 * PAGE_SIZE;
    let (memory, file) = (memory(64, Levels::Four), file(0));
    let (mut plain, mut random) = (Vec::new(), Random(7));
    for step in 0..2000 {
        let (at, length) = (random.below(LONGEST), random.below(2 * PAGE_SIZE));
        let end = (at + length).min(LONGEST);
        match random.below(4) {
            0 => {
                let wanted = at as usize;
                plain.resize(wanted, 0);
                file.set_size(&memory, at).expect("nothing is sealed");
            }
            1 => {
                let inside = plain.len().min(end as usize);
                plain[(at as usize).min(inside)..inside].fill(0);
                file.punch_hole(&memory, at..end)
                    .expect("nothing is sealed");
            }
            2 => {
                plain.resize(plain.len().max(end as usize), 0);
                file.allocate(&memory, at..end, Reach::Extend)
                    .expect("memory is left");
            }
            _ => {
                let bytes: Vec<u8> = (at..end).map(|at| (at + step) as u8 | 1).collect();
                if !bytes.is_empty() {
                    plain.resize(plain.len().max(end as usize), 0);
                    plain[at as usize..end as usize].copy_from_slice(&bytes);
                }
                assert_eq!(file.write_at(&memory, at, &bytes), Ok(bytes.len()));
            }
        }
        assert_eq!(file.size(), plain.len() as u64, "step {step}");
        assert!(contents(&memory, &file) == plain, "step {step}");
        let (from, mut part) = (at as usize, [0xee; 100]);
        let count = file.read_at(&memory, at, &mut part);
        let expected = plain.iter().skip(from).take(part.len());
        assert!(part[..count].iter().eq(expected), "step {step}");
    }
    file.release(&memory);
    assert_eq!(memory.free_frames(), 64);
}

#[test]
fn a_page_that_is_not_there_is_never_taken_for_zeroes() {
    let memory = memory(16, Levels::Four);
    let device = Arc::new(CachedFile::new(1, Source::Disk, 5000));
    let mut word = [1; 8];
    let read_ready = |at, word: &mut [u8; 8]| device.read_ready(&memory, at, word);
    assert_eq!(read_ready(4092, &mut word), None);
    let read = device.begin_read(&memory, 0).expect("memory");
    assert!(device.is_being_read(&memory, 0) && !device.is_being_read(&memory, 1));
    assert_eq!(read_ready(4092, &mut word), None);
    read.expect("nobody was first")
        .complete(&memory, ReadResult::Filled);
    assert!(!device.is_being_read(&memory, 0));
    assert_eq!(read_ready(4092, &mut word), Some(4), "the page ends there");
    assert_eq!(word, [0, 0, 0, 0, 1, 1, 1, 1]);
    assert_eq!(read_ready(4096, &mut word), None);
    assert_eq!(read_ready(8192, &mut word), Some(0), "so does the file");
    device.release(&memory);
}

#[test]
fn reading_a_hole_takes_no_memory() {
    let (memory, file) = (memory(8, Levels::Four), file(1 << 40));
    assert_eq!(contents_at(&memory, &file, 1 << 39), [0; 4]);
    assert_eq!(file.write_at(&memory, 1 << 39, b"four"), Ok(4));
    assert_eq!(contents_at(&memory, &file, 1 << 39), *b"four");
    assert_eq!(file.resident_pages(), 1);
    assert_eq!(file.next_data(&memory, 5), Some(1 << 39));
    assert_eq!(
        file.next_hole(&memory, 1 << 39),
        Some((1 << 39) + PAGE_SIZE)
    );
    assert_eq!(file.next_data(&memory, (1 << 39) + PAGE_SIZE), None);
    assert_eq!(file.next_hole(&memory, 1 << 40), None);
    assert_eq!(file.next_data(&memory, (1 << 39) + 3), Some((1 << 39) + 3));
    file.set_size(&memory, (1 << 39) + 10)
        .expect("nothing is sealed");
    assert_eq!(file.next_hole(&memory, 1 << 39), Some((1 << 39) + 10));
    file.release(&memory);
    assert_eq!(memory.free_frames(), 8);
}

fn contents_at(memory: &Memory<TestMachine>, file: &CachedFile, at: u64) -> [u8; 4] {
    let mut bytes = [0xee; 4];
    assert_eq!(file.read_at(memory, at, &mut bytes), 4);
    bytes
}

#[test]
fn no_call_without_memory_leaves_a_page_behind_the_end() {
    for frames in 0..6 {
        let (memory, file) = (memory(frames, Levels::Four), file(100));
        let bytes = [7; 3 * PAGE_SIZE as usize];
        let written = file.write_at(&memory, 50, &bytes);
        let expected = match u64::from(frames).saturating_sub(1) {
            0 => Err(Error::OutOfMemory),
            pages => Ok((pages * PAGE_SIZE - 50).min(3 * PAGE_SIZE) as usize),
        };
        assert_eq!(written, expected, "{frames} frames");
        let end = written.map_or(100, |count| 50 + count as u64);
        assert_eq!(file.size(), end);
        assert!(file.resident_pages() <= file.pages());
        let much = file.allocate(&memory, 0..8 * PAGE_SIZE, Reach::Extend);
        assert_eq!(much, Err(Error::OutOfMemory));
        assert!(file.resident_pages() <= file.pages());
        assert_eq!(file.size(), end);
        file.release(&memory);
        assert_eq!(memory.free_frames(), frames as usize);
    }
}

#[test]
fn no_reservation_without_memory_leaves_a_page_behind_the_end() {
    // As many frames as pages are asked for, but the index takes one, too.
    let (memory, file) = (memory(4, Levels::Four), file(100));
    let got = file.allocate(&memory, 0..4 * PAGE_SIZE, Reach::Extend);
    assert_eq!((got, file.size()), (Err(Error::OutOfMemory), 100));
    assert!(file.resident_pages() <= file.pages());
    file.release(&memory);
    assert_eq!(memory.free_frames(), 4);
}

#[test]
fn what_is_reserved_behind_the_end_never_outlives_a_cut() {
    let (memory, file) = (memory(16, Levels::Four), file(100));
    let resident = |file: &CachedFile| {
        crate::check::check(&memory, &[], &[file]).expect("the invariants hold");
        file.resident_pages()
    };
    let reserve = |pages| file.allocate(&memory, 0..pages * PAGE_SIZE, Reach::Keep);
    assert_eq!((reserve(4), file.size(), resident(&file)), (Ok(()), 100, 4));
    // As many frames are left as pages are asked for, but the index takes some, too.
    let far = file.allocate(&memory, 600 * PAGE_SIZE..611 * PAGE_SIZE, Reach::Keep);
    assert_eq!(far, Err(Error::OutOfMemory));
    assert_eq!(resident(&file), 4, "who is refused takes nothing away");
    assert_eq!(contents(&memory, &file), [0; 100]);
    file.set_size(&memory, 2 * PAGE_SIZE).expect("not sealed");
    assert_eq!(resident(&file), 4, "growth finds them there");
    file.set_size(&memory, 2 * PAGE_SIZE).expect("not sealed");
    assert_eq!(resident(&file), 2, "even the same length is a cut");
    assert_eq!(reserve(3), Ok(()));
    file.set_size(&memory, 0).expect("not sealed");
    assert_eq!(resident(&file), 0);
    file.release(&memory);
    assert_eq!(memory.free_frames(), 16);
}

#[test]
fn what_is_sealed_never_happens() {
    let (memory, file) = (memory(8, Levels::Four), file(PAGE_SIZE));
    let refused = Err(Error::NotPermitted);
    assert_eq!(file.write_at(&memory, 0, b"kept"), Ok(4));
    assert_eq!(file.add_seals(Seals::SHRINK), Ok(()));
    assert_eq!(file.set_size(&memory, 10), refused);
    assert_eq!(file.set_size(&memory, PAGE_SIZE + 1), Ok(()));
    assert_eq!(file.add_seals(Seals::GROW), Ok(()));
    assert_eq!(file.set_size(&memory, PAGE_SIZE + 2), refused);
    let two = [1; 2];
    let at_end = file.write_at(&memory, PAGE_SIZE, &two);
    assert_eq!(at_end, Err(Error::NotPermitted));
    let further = file.allocate(&memory, 0..2 * PAGE_SIZE, Reach::Keep);
    assert_eq!(further, refused);
    assert_eq!(file.add_seals(Seals::WRITE), Ok(()));
    let inside = file.write_at(&memory, 0, &two);
    assert_eq!(inside, Err(Error::NotPermitted));
    assert_eq!(file.punch_hole(&memory, 0..10), refused);
    assert_eq!(file.add_seals(Seals::SEAL), Ok(()));
    let all = Seals::SEAL | Seals::SHRINK | Seals::GROW | Seals::WRITE;
    assert_eq!(file.seals(), all);
    assert_eq!(file.add_seals(Seals::EXEC), refused);
    assert_eq!(&contents(&memory, &file)[..4], b"kept");
    file.release(&memory);
}

#[test]
fn nobody_stores_to_a_file_whose_contents_are_sealed() {
    let (memory, file) = (memory(32, Levels::Four), file(2 * PAGE_SIZE));
    let mut space = space(&memory);
    let address = map(&memory, &mut space, &file, READ).expect("free");
    // It could be given the right to store, by mprotect.
    assert_eq!(file.add_seals(Seals::WRITE), Err(Error::Busy));
    assert_eq!(file.add_seals(Seals::FUTURE_WRITE), Ok(()));
    let written = file.write_at(&memory, 0, b"no");
    assert_eq!(written, Err(Error::NotPermitted));
    let store = map(&memory, &mut space, &file, STORE);
    assert_eq!(store, Err(Error::NotPermitted));
    space
        .munmap(&memory, address, 2 * PAGE_SIZE)
        .expect("room is left");
    let address = map(&memory, &mut space, &file, READ).expect("free");
    assert_eq!(file.add_seals(Seals::WRITE), Ok(()));
    let child = space.fork(&memory).expect("memory is left");
    assert!(child.read_remote(&memory, address, &mut [0]).is_ok());
    let both = VmFlags::READ | VmFlags::WRITE;
    let extent = crate::mprotect::Extent::Named;
    let granted = space.mprotect(&memory, address, PAGE_SIZE, both, extent, |_| {});
    assert_eq!(granted, Err(Error::Forbidden));
    let copy = map(&memory, &mut space, &file, both).expect("copies are one's own");
    path(space.handle_fault(&memory, copy, Access::Write));
    crate::check::check(&memory, &[&space, &child], &[&file]).expect("the invariants hold");
    child.destroy(&memory);
    space.destroy(&memory);
    file.release(&memory);
}

#[test]
fn a_lent_page_reads_and_writes_as_by_calls() {
    const LONGEST: u64 = 6 * PAGE_SIZE;
    let (memory, file) = (memory(64, Levels::Four), file(0));
    let free = memory.free_frames();
    let (mut plain, mut random) = (Vec::new(), Random(11));
    for step in 0..2000 {
        let (at, length) = (random.below(LONGEST), random.below(PAGE_SIZE) as usize + 1);
        let byte = step as u8;
        let copied = random.below(length as u64 + 1) as usize;
        let written = file.lend_to_write(&memory, at, length, |words, place| {
            let count = copied.min(place.len());
            remote::write_bytes(words, place.start, &vec![byte; count]);
            count
        });
        let count = written.expect("there is memory");
        let end = at as usize + count;
        if count > 0 {
            let longer = plain.len().max(end);
            plain.resize(longer, 0);
            plain[at as usize..end].fill(byte);
        }
        assert_eq!(file.size(), plain.len() as u64, "step {step}");
        let (from, most) = (random.below(LONGEST), random.below(PAGE_SIZE) as usize + 1);
        let seen = file.lend_to_read(&memory, from, most, |words, place| {
            let mut bytes = vec![0; place.len()];
            if let Some(words) = words {
                remote::read_bytes(words, place.start, &mut bytes);
            }
            bytes
        });
        let page_end = (from / PAGE_SIZE + 1) * PAGE_SIZE;
        let until = (from + most as u64).min(page_end).min(plain.len() as u64);
        let expected = plain.get(from as usize..until as usize);
        assert_eq!(
            seen.as_deref(),
            expected.filter(|bytes| !bytes.is_empty()),
            "step {step}"
        );
    }
    assert_eq!(contents(&memory, &file), plain);
    file.release(&memory);
    assert_eq!(memory.free_frames(), free);
}

//  pages     0123
//  before    A           one page long
//  copied      0 bytes   <- into a page behind the end
//  after     A           no page stays there
#[test]
fn a_copy_that_fails_leaves_no_page_behind() {
    let (memory, file) = (memory(64, Levels::Four), file(0));
    let wrote = file.write_at(&memory, 0, &[7; PAGE_SIZE as usize]);
    assert_eq!(wrote, Ok(PAGE_SIZE as usize));
    let copied = file.lend_to_write(&memory, 2 * PAGE_SIZE, 100, |_, _| 0);
    assert_eq!((copied, file.size()), (Ok(0), PAGE_SIZE));
    assert_eq!(file.resident_pages(), 1);
    file.release(&memory);
}

#[test]
fn a_sealed_file_lends_no_page_to_write() {
    let (memory, file) = (memory(64, Levels::Four), file(100));
    file.add_seals(Seals::GROW).expect("no seal forbids it");
    let write = |at| file.lend_to_write(&memory, at, 10, |_, place| place.len());
    assert_eq!(write(90), Ok(10));
    assert_eq!(write(91), Err(Error::NotPermitted));
    file.add_seals(Seals::FUTURE_WRITE).expect("nor this");
    assert_eq!(write(0), Err(Error::NotPermitted));
    file.release(&memory);
}
