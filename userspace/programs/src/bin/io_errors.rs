//! Meets a disk that can't write, or can't read, some of what a volume is made of, and shows who is told what.
//!
//! `io_errors DISK data` for a bad sector in page 2 of the file `victim`; `io_errors DISK books` for one in the inode of
//! `victim`; `io_errors DISK all` for a disk that writes nothing; `io_errors DISK read` for a page 2 that can't be read;
//! `io_errors DISK full` for a bad sector in a file that is larger than the memory which may be dirty.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::CStr;
use core::time::Duration;

use rt::abi::general::{
    AT_FDCWD, MAP_PRIVATE, MAP_SHARED, MS_SYNC, O_CREAT, O_DSYNC, O_RDONLY, O_RDWR, PROT_READ,
    PROT_WRITE,
};
use rt::file::{close, map, open, read_at, sync, write_at};
use rt::memory::{PAGE, msync, munmap};
use rt::mount::{mount, unmount};
use rt::path::{go, make_folder, open_at};
use rt::process::run_in_child;
use rt::{attempt, env, mount as system, println, probe, time};

const PLACE: &CStr = c"/tmp/volume";
const VICTIM: &CStr = c"victim";
const OTHER: &CStr = c"other";
const PAGES: usize = 5;

fn main() {
    let disk = env::args().nth(1).expect("a disk");
    make_folder(PLACE, 0o755).expect("mkdir");
    println!(
        "mounted: {:?}",
        mount(Some(disk), PLACE, Some(c"ext2"), 0, None)
    );
    go(PLACE).expect("chdir");
    match env::arg(2) {
        Some("data") => data(),
        Some("books") => books(),
        Some("all") => all(),
        Some("read") => reads(),
        Some("full") => full(),
        _ => panic!("what is wrong with the disk?"),
    }
    go(c"/").expect("chdir");
    println!("unmounted: {:?}", unmount(PLACE, 0));
}

fn opened(name: &CStr) -> u32 {
    open(name, O_RDWR).expect("open")
}

/// Fills all of a file, or a page of it.
fn fill(file: u32, pages: core::ops::Range<usize>, byte: u8) {
    for page in pages {
        let written = write_at(file, &[byte; PAGE], page * PAGE);
        assert_eq!(written, Ok(PAGE), "memory takes it, whatever the disk does");
    }
}

/// One page of a file can't be written: each who has it open is told once, whoever asks for the write and whether anybody
/// does.
fn data() {
    let (one, two, other) = (opened(VICTIM), opened(VICTIM), opened(OTHER));
    fill(one, 0..PAGES, 1);
    fill(other, 0..PAGES, 1);
    println!("the other file: {:?}", sync(other));
    println!("one who has it: {:?}, then {:?}", sync(one), sync(one));
    println!("two who has it: {:?}, then {:?}", sync(two), sync(two));
    let later = opened(VICTIM);
    println!("one who opens it later: {:?}", sync(later));
    let rights = PROT_READ | PROT_WRITE;
    let start = map(one, PAGES * PAGE, rights, MAP_SHARED, 0).expect("mmap");
    println!("memory has it: {}", probe::load(start + 2 * PAGE));
    probe::store(start + 2 * PAGE, 2);
    probe::store(start + 3 * PAGE, 2);
    let synced = [(); 2].map(|()| msync(start, PAGES * PAGE, MS_SYNC));
    println!("msync: {:?}, then {:?}", synced[0], synced[1]);
    println!("two who has it: {:?}, then {:?}", sync(two), sync(two));
    let through = open(VICTIM, O_RDWR | O_DSYNC).expect("open");
    println!(
        "a page by O_DSYNC: {:?}",
        write_at(through, &[3; PAGE], PAGE)
    );
    println!("the bad one: {:?}", write_at(through, &[3; PAGE], 2 * PAGE));
    println!("and then: {:?}", sync(through));
    println!("one who has it: {:?}, then {:?}", sync(one), sync(one));
    // Nobody asks: it is written when it has been dirty for five seconds.
    probe::store(start + 2 * PAGE, 4);
    probe::store(start + 4 * PAGE, 4);
    time::sleep(Duration::from_secs(8));
    println!("after a while: {:?}, then {:?}", sync(one), sync(one));
    println!("memory has it: {}", probe::load(start + 2 * PAGE));
    munmap(start, PAGES * PAGE).expect("munmap");
    for file in [one, two, other, later, through] {
        println!("closed: {:?}", close(file));
    }
    system::sync();
}

/// What the volume knows of a file can't be written: nobody is promised anything any more, and all can be read.
fn books() {
    let (victim, other) = (opened(VICTIM), opened(OTHER));
    fill(victim, 0..1, 1);
    println!("synced: {:?}, then {:?}", sync(victim), sync(victim));
    println!("the other file: {:?}", sync(other));
    println!("written: {:?}", write_at(other, &[1; PAGE], 0));
    let flags = O_CREAT | O_RDWR;
    println!(
        "made: {:?}",
        open_at(AT_FDCWD as u32, c"new", flags, 0o644).map(drop)
    );
    let folder = open(c".", O_RDONLY).expect("open");
    println!("the folder: {:?}", sync(folder));
    let mut page = [0; PAGE];
    println!(
        "read: {:?}, {}",
        read_at(other, &mut page, 2 * PAGE),
        page[0]
    );
    for file in [victim, other, folder] {
        close(file).expect("close");
    }
}

/// Nothing can be written, by anybody: nobody hangs.
fn all() {
    let file = opened(VICTIM);
    fill(file, 0..PAGES, 1);
    println!("synced: {:?}, then {:?}", sync(file), sync(file));
    let ended = run_in_child(|| {
        let file = opened(OTHER);
        let written =
            (0..64 * PAGES).try_for_each(|page| write_at(file, &[2; PAGE], page * PAGE).map(drop));
        u8::from(written.is_err())
    });
    println!("one who writes much ends: {ended}");
    system::sync();
    let mut page = [0; PAGE];
    println!("read: {:?}", read_at(file, &mut page, 4 * PAGE));
    close(file).expect("close");
}

/// A page can't be read: who comes to it is told, and who does not is not.
fn reads() {
    attempt::prepare();
    let file = opened(VICTIM);
    let mut page = [0; PAGE];
    for index in 0..PAGES {
        println!("page {index}: {:?}", read_at(file, &mut page, index * PAGE));
    }
    println!(
        "part of it written: {:?}",
        write_at(file, b"part", 2 * PAGE + 7)
    );
    println!("synced: {:?}", sync(file));
    let rights = PROT_READ | PROT_WRITE;
    for (name, flags) in [("shared", MAP_SHARED), ("private", MAP_PRIVATE)] {
        let start = map(file, PAGES * PAGE, rights, flags, 0).expect("mmap");
        let load = attempt::load(start + 2 * PAGE).map(drop);
        let next = attempt::load(start + 3 * PAGE).map(drop);
        println!(
            "{name}: {:?}, its neighbour {next:?}",
            load.map_err(|fault| fault.signal)
        );
        munmap(start, PAGES * PAGE).expect("munmap");
    }
    println!(
        "all of it written: {:?}",
        write_at(file, &[9; PAGE], 2 * PAGE)
    );
    close(file).expect("close");
}

/// More is written than may be dirty, and a page of it can't be: the writer waits for the disk, and is told in the end.
fn full() {
    const MUCH: usize = 6000;
    let file = open_at(AT_FDCWD as u32, c"large", O_CREAT | O_RDWR, 0o644).expect("open");
    for page in 0..MUCH {
        fill(file, page..page + 1, (page % 251) as u8);
    }
    println!("written: {MUCH} pages");
    println!("synced: {:?}, then {:?}", sync(file), sync(file));
    close(file).expect("close");
}
