//! A disk larger than memory: what is read makes what was read leave.
use core::ffi::CStr;

use programs::disk::word_at;
use rt::abi::general::{MAP_SHARED, O_RDONLY, POSIX_FADV_DONTNEED};
use rt::file::{advise, map, open, read_at};
use rt::memory::{PAGE, PROT_READ, munmap};
use rt::{println, probe};

use super::{commands, size_of};

/// Reads all of it by calls, then by a mapping.
pub(super) fn read(path: &CStr) {
    const WINDOW: usize = 32 * PAGE;
    const TAIL: usize = 1 << 20;
    let file = open(path, O_RDONLY).expect("open");
    let size = size_of(file);
    let before = commands().0;
    by_calls(file, 0, size);
    let taken = commands().0 - before;
    println!(
        "{} MiB by calls: a command for each window or fewer: {}",
        size >> 20,
        taken <= (size / WINDOW) as u64 + 4
    );
    let before = commands().0;
    by_calls(file, size - TAIL, size);
    println!("the last of them again: {} commands", commands().0 - before);
    // What is there already would part the windows.
    advise(file, 0, 0, POSIX_FADV_DONTNEED).expect("fadvise");
    let before = commands().0;
    let start = map(file, size, PROT_READ, MAP_SHARED, 0).expect("mmap");
    for at in (0..size).step_by(PAGE) {
        let expected = if at % TAIL == 0 { word_at(at) } else { 0 };
        assert_eq!(probe::load_word(start + at), expected, "byte {at}");
    }
    // Where memory was short a window was not begun in time, and half of one follows, around the page that is needed.
    let taken = commands().0 - before;
    println!(
        "{} MiB by a mapping: a command for each window or fewer: {}",
        size >> 20,
        taken <= (size / WINDOW + size / WINDOW / 64) as u64
    );
    munmap(start, size).expect("munmap");
}

/// Zeroes, but for a word at each MiB that knows its place.
fn by_calls(file: u32, from: usize, to: usize) {
    let mut buffer = [0; 4096];
    for at in (from..to).step_by(buffer.len()) {
        assert_eq!(read_at(file, &mut buffer, at), Ok(buffer.len()));
        let word = u64::from_le_bytes(core::array::from_fn(|place| buffer[place]));
        let expected = if at.is_multiple_of(1 << 20) {
            word_at(at)
        } else {
            0
        };
        assert_eq!(word, expected, "byte {at}");
    }
}
