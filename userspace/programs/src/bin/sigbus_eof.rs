//! Shows the end of a mapped file: zeroes up to the page's end, SIGBUS behind it, and both moving as the file's length
//! does.
#![no_std]
#![forbid(unsafe_code)]

use rt::abi::general::{BUS_ADRERR, O_CREAT, O_RDWR, O_TRUNC};
use rt::attempt::{self, Fault, load, store};
use rt::file::{close, map, read_at, status, truncate, write_at};
use rt::io::write;
use rt::memory::{MAP_PRIVATE, MAP_SHARED, PAGE, PROT_READ, PROT_WRITE, munmap};
use rt::path::{HERE, open_at, remove};
use rt::process::run_in_child;
use rt::signal::Signal;
use rt::{print, println};

const RW: u32 = PROT_READ | PROT_WRITE;
const PAGES: usize = 4;

/// The file's length at first: a page and a half.
const LENGTH: usize = PAGE + PAGE / 2;

fn main() {
    attempt::prepare();
    for (name, flags) in [("private", MAP_PRIVATE), ("shared", MAP_SHARED)] {
        println!("{name}:");
        let file = make();
        let start = map(file, PAGES * PAGE, RW, flags, 0).expect("mmap");
        at_first(file, start);
        longer(file, start);
        shorter(file, start);
        by_calls(file, start);
        munmap(start, PAGES * PAGE).expect("munmap");
        close(file).expect("close");
    }
    behind_the_end();
    remove(c"file").expect("unlink");
}

fn make() -> u32 {
    let file = open_at(HERE, c"file", O_CREAT | O_TRUNC | O_RDWR, 0o644).expect("open");
    let page = [0x11; PAGE];
    write_at(file, &page, 0).expect("pwrite");
    write_at(file, &page[..PAGE / 2], PAGE).expect("pwrite");
    file
}

fn word(result: Result<u64, Fault>) -> &'static str {
    match result {
        Ok(0) => "zeroes",
        Ok(0x1111_1111_1111_1111) => "bytes",
        Ok(_) => "others",
        Err(fault) => end(fault),
    }
}

fn end(fault: Fault) -> &'static str {
    let is_bus = fault.signal as u32 == Signal::BUS.0 && fault.code as u32 == BUS_ADRERR;
    if is_bus { "SIGBUS" } else { "another signal" }
}

/// What each half page shows.
fn show(when: &str, start: usize) {
    print!("  {when}:");
    for half in 0..2 * PAGES {
        print!(" {}", word(load(start + half * PAGE / 2)));
    }
    println!();
}

fn at_first(file: u32, start: usize) {
    show("at first", start);
    let stored = store(start + LENGTH + 8, 5).is_ok();
    let behind = store(start + 2 * PAGE + 16, 5).map_err(end);
    println!("  store in the last page: {stored}, behind it: {behind:?}");
    if let Err(fault) = load(start + 2 * PAGE + 24) {
        println!(
            "  it is told {:#x} from the start",
            fault.address - start as u64
        );
    }
    let mut bytes = [0; 16];
    let count = read_at(file, &mut bytes, LENGTH).expect("pread");
    let length = status(file).expect("fstat").st_size as usize;
    println!(
        "  the file ends where it did: {}, {count} bytes",
        length == LENGTH
    );
    assert!(store(start + LENGTH + 8, 0).is_ok());
}

fn longer(file: u32, start: usize) {
    truncate(file, 3 * PAGE).expect("ftruncate");
    show("longer", start);
    write_at(file, &[0x11; 8], 3 * PAGE).expect("pwrite");
    show("by a write", start);
}

fn shorter(file: u32, start: usize) {
    assert!(store(start + PAGE, 7).is_ok());
    assert!(store(start + 2 * PAGE, 7).is_ok());
    truncate(file, PAGE / 2).expect("ftruncate");
    show("shorter", start);
    truncate(file, LENGTH).expect("ftruncate");
    show("and longer again", start);
    let child = run_in_child(|| load(start + 2 * PAGE).is_ok().into());
    println!("  in a child: {child}");
    truncate(file, 0).expect("ftruncate");
    show("nothing left", start);
}

/// Calls that are given such memory.
fn by_calls(file: u32, start: usize) {
    truncate(file, PAGE).expect("ftruncate");
    let out = open_at(HERE, c"out", O_CREAT | O_TRUNC | O_RDWR, 0o644).expect("open");
    let raw = |number: rt::abi::Sysno, address: usize, length: usize| {
        let arguments = [out as usize, address, length, 0, 0, 0];
        rt::syscall::raw(number.id() as usize, arguments)
    };
    let write_from = |address, length| raw(rt::abi::Sysno::pwrite64, address, length);
    println!("  written from behind: {:?}", write_from(start + PAGE, 8));
    println!(
        "  from across the end: {:?}",
        write_from(start + PAGE - 8, 16)
    );
    println!("  {:?}", write(out, &[0; 32]));
    let read_to = |address, length| raw(rt::abi::Sysno::pread64, address, length);
    println!("  read to behind: {:?}", read_to(start + PAGE, 8));
    println!("  to across the end: {:?}", read_to(start + PAGE - 8, 16));
    close(out).expect("close");
    remove(c"out").expect("unlink");
}

fn behind_the_end() {
    let file = make();
    let start = map(file, PAGE, RW, MAP_SHARED, 8 * PAGE).expect("mmap");
    println!("a page far behind: {}", word(load(start)));
    truncate(file, 8 * PAGE + 1).expect("ftruncate");
    println!("once the file is so long: {}", word(load(start)));
    munmap(start, PAGE).expect("munmap");
    close(file).expect("close");
}
