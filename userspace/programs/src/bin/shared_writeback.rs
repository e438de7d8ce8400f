//! Shows that stores of two processes through mappings of one file reach it, whoever synchronises, and whether anybody
//! does.
//!
//! `shared_writeback` works in the working folder. `shared_writeback DISK` mounts that disk first, and leaves it mounted:
//! what was stored outlives the machine all the same. `shared_writeback DISK again` only looks.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::CStr;

use rt::abi::general::{
    AT_FDCWD, MAP_SHARED, MS_ASYNC, MS_SYNC, O_CREAT, O_RDONLY, O_RDWR, PROT_READ, PROT_WRITE,
};
use rt::file::{self, close, map, open, read_at};
use rt::memory::{PAGE, msync, munmap};
use rt::mount::mount;
use rt::path::{go, make_folder, open_at};
use rt::process::run_in_child;
use rt::{env, println, probe};

const PLACE: &CStr = c"/tmp/volume";
const NAME: &CStr = c"shared";
const PAGES: usize = 16;

fn main() {
    if let Some(disk) = env::args().nth(1) {
        make_folder(PLACE, 0o755).expect("mkdir");
        mount(Some(disk), PLACE, Some(c"ext2"), 0, None).expect("mount");
        go(PLACE).expect("chdir");
    }
    if env::args().nth(2).is_none() {
        store();
    }
    look();
}

/// What byte `at` of the file shall be.
fn byte(at: usize) -> u8 {
    (at / PAGE * 7 + at % 251) as u8
}

fn store() {
    let flags = O_CREAT | O_RDWR;
    let file = open_at(AT_FDCWD as u32, NAME, flags, 0o644).expect("open");
    file::truncate(file, PAGES * PAGE).expect("ftruncate");
    let rights = PROT_READ | PROT_WRITE;
    let start = map(file, PAGES * PAGE, rights, MAP_SHARED, 0).expect("mmap");
    close(file).expect("close");
    let ended = run_in_child(|| {
        store_every_other(start, 1);
        0
    });
    println!("one stored every other byte: {ended}");
    println!("asked for: {:?}", msync(start, PAGES * PAGE, MS_ASYNC));
    store_every_other(start, 0);
    println!("the other one too: {}", is_all_there(start));
    println!("waited for: {:?}", msync(start, PAGES * PAGE, MS_SYNC));
    // Behind everybody's back, by another way, and nobody waits for it.
    let ended = run_in_child(|| {
        let file = open(NAME, O_RDWR).expect("open");
        let again = map(file, PAGES * PAGE, rights, MAP_SHARED, 0).expect("mmap");
        probe::store(again + 5 * PAGE + 17, 0xee);
        probe::store(again + 15 * PAGE, 0xdd);
        0
    });
    println!("one more stored two bytes: {ended}");
    println!("seen: {:#x}", probe::load(start + 5 * PAGE + 17));
    munmap(start, PAGES * PAGE).expect("munmap");
}

/// Pages by turns backwards, so that both are at it in each.
fn store_every_other(start: usize, first: usize) {
    for page in (0..PAGES).rev() {
        for at in (page * PAGE + first..(page + 1) * PAGE).step_by(2) {
            probe::store(start + at, byte(at));
        }
    }
}

fn is_all_there(start: usize) -> bool {
    (0..PAGES * PAGE).all(|at| probe::load(start + at) == byte(at))
}

fn look() {
    let file = open(NAME, O_RDONLY).expect("open");
    let mut page = [0; PAGE];
    let mut others = 0;
    for index in 0..PAGES {
        let count = read_at(file, &mut page, index * PAGE);
        assert_eq!(count, Ok(PAGE), "the file is as long as it was made");
        let differ = |(offset, read): (usize, &u8)| *read != byte(index * PAGE + offset);
        others += page.iter().enumerate().filter(|pair| differ(*pair)).count();
        if index == 5 {
            println!("all of it is looked at; in page 5: {:#x}", page[17]);
        }
    }
    println!(
        "bytes that are others: {others}, the last of which is {:#x}",
        page[0]
    );
    close(file).expect("close");
}
