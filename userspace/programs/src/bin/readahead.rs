//! Shows what is read of a file before anybody asks for it, and that advice is heeded: faults that had to wait for the
//! disk, and pages in memory afterwards.
//!
//! `readahead` works in the working folder, which must lie on a disk. `readahead DISK` mounts that disk first. How far
//! ahead a kernel reads is the disk's setting on Linux, so where nobody forbade it only bounds are the same everywhere.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::CStr;
use core::time::Duration;

use rt::abi::general::{
    AT_FDCWD, MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MAP_SHARED, O_CREAT,
    O_RDWR, POSIX_FADV_DONTNEED, POSIX_FADV_NORMAL, POSIX_FADV_RANDOM, POSIX_FADV_SEQUENTIAL,
    POSIX_FADV_WILLNEED, PROT_READ, RUSAGE_SELF,
};
use rt::faults::usage;
use rt::file::{advise, close, map, read_ahead, read_at, sync, write_at};
use rt::memory::{PAGE, madvise, mincore, munmap};
use rt::mount::mount;
use rt::path::{go, make_folder, open_at};
use rt::{env, println, probe, time};

const PLACE: &CStr = c"/tmp/volume";
const PAGES: usize = 768;

fn main() {
    if let Some(disk) = env::args().nth(1) {
        make_folder(PLACE, 0o755).expect("mkdir");
        mount(Some(disk), PLACE, Some(c"ext2"), 0, None).expect("mount");
        go(PLACE).expect("chdir");
    }
    let file = open_at(AT_FDCWD as u32, c"pages", O_CREAT | O_RDWR, 0o644).expect("open");
    let mut bytes = [0; PAGE];
    for page in 0..PAGES {
        bytes.fill(page as u8);
        assert_eq!(write_at(file, &bytes, page * PAGE), Ok(PAGE));
    }
    sync(file).expect("fsync");
    touched(file);
    asked_for(file);
    read(file);
    close(file).expect("close");
}

/// What touching pages of a mapping took.
struct Walk {
    major: u64,
    minor: u64,
    resident: usize,
}

/// Touches `pages` of the file, none of which is in memory, where it is mapped with this advice.
fn walk(file: u32, advice: u32, pages: impl Iterator<Item = usize>) -> Walk {
    forget(file);
    let start = map(file, PAGES * PAGE, PROT_READ, MAP_SHARED, 0).expect("mmap");
    madvise(start, PAGES * PAGE, advice).expect("madvise");
    let before = usage(RUSAGE_SELF as i32).expect("getrusage");
    for page in pages {
        assert_eq!(probe::load(start + page * PAGE), page as u8);
    }
    let after = usage(RUSAGE_SELF as i32).expect("getrusage");
    munmap(start, PAGES * PAGE).expect("munmap");
    Walk {
        major: after.major_faults - before.major_faults,
        minor: after.minor_faults - before.minor_faults,
        resident: resident(file),
    }
}

/// Has no page of the file in memory.
fn forget(file: u32) {
    advise(file, 0, 0, POSIX_FADV_DONTNEED).expect("fadvise");
    assert_eq!(resident(file), 0, "the working folder lies on no disk");
}

/// How many pages of the file are in memory.
fn resident(file: u32) -> usize {
    let start = map(file, PAGES * PAGE, PROT_READ, MAP_SHARED, 0).expect("mmap");
    let mut pages = [0; PAGES];
    mincore(start, PAGES * PAGE, &mut pages).expect("mincore");
    munmap(start, PAGES * PAGE).expect("munmap");
    pages.iter().filter(|&&page| page & 1 != 0).count()
}

fn touched(file: u32) {
    let all = 0..PAGES;
    for (what, walked) in [
        ("in order", walk(file, MADV_NORMAL, all.clone())),
        (
            "in order, as was said before",
            walk(file, MADV_SEQUENTIAL, all.clone()),
        ),
        ("backwards", walk(file, MADV_NORMAL, all.clone().rev())),
    ] {
        println!(
            "touched {what}: {} pages in memory, a wait for the disk at every 16th or less: {}, a fault at every 8th or less: {}",
            walked.resident,
            walked.major <= PAGES as u64 / 16,
            walked.major + walked.minor <= PAGES as u64 / 8
        );
    }
    let walked = walk(file, MADV_NORMAL, (10..PAGES).step_by(7).take(100));
    println!(
        "touched, every seventh: more pages in memory than the 100: {}, a wait at every third or less: {}",
        walked.resident > 100,
        walked.major <= 33
    );
    for (what, walked) in [
        (
            "every seventh",
            walk(file, MADV_RANDOM, (10..PAGES).step_by(7).take(100)),
        ),
        ("in order", walk(file, MADV_RANDOM, all)),
    ] {
        let Walk {
            major,
            minor,
            resident,
        } = walked;
        println!(
            "touched {what}, where no order was announced: {major} waits, {minor} other faults, {resident} pages in memory"
        );
    }
}

/// Waits until so many pages of the file are in memory, and says how many are.
fn settled(file: u32, expected: usize) -> usize {
    let later = time::now() + Duration::from_secs(20);
    while resident(file) < expected && time::now() < later {
        time::sleep(Duration::from_millis(5));
    }
    resident(file)
}

fn asked_for(file: u32) {
    forget(file);
    advise(file, 8 * PAGE, 64 * PAGE, POSIX_FADV_WILLNEED).expect("fadvise");
    println!("64 asked for by fadvise: {} in memory", settled(file, 64));
    read_ahead(file, 100 * PAGE + 5, 10 * PAGE).expect("readahead");
    println!("11 by readahead: {} in memory", settled(file, 75));
    let start = map(file, PAGES * PAGE, PROT_READ, MAP_SHARED, 0).expect("mmap");
    madvise(start + 200 * PAGE, 50 * PAGE, MADV_WILLNEED).expect("madvise");
    println!("50 by madvise: {} in memory", settled(file, 125));
    let before = usage(RUSAGE_SELF as i32).expect("getrusage").major_faults;
    for page in (8..72).chain(100..111).chain(200..250) {
        assert_eq!(probe::load(start + page * PAGE), page as u8);
    }
    let after = usage(RUSAGE_SELF as i32).expect("getrusage").major_faults;
    println!("touched: {} waits", after - before);
    advise(file, 0, 0, POSIX_FADV_DONTNEED).expect("fadvise");
    println!(
        "given up where they are mapped: {} in memory",
        resident(file)
    );
    munmap(start, PAGES * PAGE).expect("munmap");
    advise(file, 8 * PAGE + 1, 3 * PAGE, POSIX_FADV_DONTNEED).expect("fadvise");
    println!(
        "three pages less two ends given up: {} in memory",
        resident(file)
    );
}

fn read(file: u32) {
    let mut bytes = [0; PAGE];
    let mut read = |page: usize| {
        assert_eq!(read_at(file, &mut bytes, page * PAGE), Ok(PAGE));
        assert!(bytes.iter().all(|&byte| byte == page as u8));
    };
    for (what, advice) in [
        ("without order", POSIX_FADV_RANDOM),
        ("in order", POSIX_FADV_SEQUENTIAL),
        ("with nothing said", POSIX_FADV_NORMAL),
    ] {
        forget(file);
        advise(file, 0, 0, advice).expect("fadvise");
        (0..20).for_each(&mut read);
        let count = resident(file);
        println!("20 read {what}: more in memory than that: {}", count > 20);
    }
}
