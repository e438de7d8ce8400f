//! Shows that nobody sees what isn't theirs while a file grows and shrinks under those who map, read and write it: a page
//! has its own bytes, or zeroes, or is not there.
#![no_std]
#![forbid(unsafe_code)]

use rt::abi::general::{
    FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, MADV_DONTNEED, O_CREAT, O_RDWR, O_TRUNC,
};
use rt::attempt::{self, load, store};
use rt::file::{allocate, close, map, read_at, truncate, write_at};
use rt::memory::{MAP_PRIVATE, MAP_SHARED, PAGE, PROT_READ, PROT_WRITE, madvise, munmap};
use rt::path::{HERE, open_at, remove};
use rt::println;
use rt::process::{Pid, Status, spawn, wait, yield_now};
use rt::signal::Signal;

const RW: u32 = PROT_READ | PROT_WRITE;
const PAGES: usize = 16;
const LENGTH: usize = PAGES * PAGE;

/// How often each does what it does.
const ROUNDS: usize = 300;

fn main() {
    attempt::prepare();
    let file = open_at(HERE, c"file", O_CREAT | O_TRUNC | O_RDWR, 0o644).expect("open");
    let children = [
        begin(file, shared),
        begin(file, private),
        begin(file, by_calls),
        begin(file, by_calls),
    ];
    change(file);
    for (child, name) in children
        .into_iter()
        .zip(["shared", "private", "calls", "calls"])
    {
        let status = wait(child).expect("wait").status;
        println!("{name}: {status}");
        assert_eq!(status, Status::Exited(0));
    }
    at_rest(file);
    close(file).expect("close");
    remove(c"file").expect("unlink");
}

fn begin(file: u32, body: fn(u32)) -> Pid {
    let child = spawn(|| {
        body(file);
        0
    });
    child.expect("fork")
}

/// What page `index` holds, all over.
fn word(index: usize) -> u64 {
    0x0101_0101_0101_0101 * (index as u64 + 1)
}

fn is_sound(index: usize, seen: u64) -> bool {
    seen == 0 || seen == word(index)
}

/// Lengths and holes, one after another.
fn change(file: u32) {
    let mut random = 12_345_u64;
    for _ in 0..2 * ROUNDS {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let length = (random as usize % (LENGTH + 1)) & !7;
        if random.is_multiple_of(5) {
            let mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
            allocate(file, mode, length, PAGE + 16).expect("fallocate");
        } else {
            truncate(file, length).expect("ftruncate");
        }
        yield_now();
    }
}

/// Loads and stores; those behind the end are told so.
fn walk(file: u32, flags: u32) {
    let start = map(file, LENGTH, RW, flags, 0).expect("mmap");
    for round in 0..ROUNDS {
        for index in 0..PAGES {
            let address = start + index * PAGE + round % 64 * 8;
            if round % 2 == 0 {
                let stored = store(address, word(index));
                assert!(stored.is_ok() || is_bus(stored));
            }
            match load(address) {
                Ok(seen) => assert!(is_sound(index, seen), "page {index} shows {seen:#x}"),
                other => assert!(is_bus(other)),
            }
        }
        if round % 16 == 0 {
            madvise(start, LENGTH, MADV_DONTNEED).expect("madvise");
        }
        yield_now();
    }
    munmap(start, LENGTH).expect("munmap");
}

fn is_bus<T>(result: Result<T, attempt::Fault>) -> bool {
    result.is_err_and(|fault| fault.signal as u32 == Signal::BUS.0)
}

fn shared(file: u32) {
    walk(file, MAP_SHARED);
}

fn private(file: u32) {
    walk(file, MAP_PRIVATE);
}

fn by_calls(file: u32) {
    for round in 0..ROUNDS {
        let index = round * 7 % PAGES;
        let mut bytes = [0; 64];
        if round % 3 == 0 {
            for part in bytes.chunks_exact_mut(8) {
                part.copy_from_slice(&word(index).to_le_bytes());
            }
            assert_eq!(write_at(file, &bytes, index * PAGE + 128), Ok(64));
        }
        let count = read_at(file, &mut bytes, index * PAGE + 96).expect("pread");
        for part in bytes[..count & !7].chunks_exact(8) {
            let seen = part
                .iter()
                .rev()
                .fold(0, |word, &byte| word << 8 | u64::from(byte));
            assert!(is_sound(index, seen), "page {index} reads {seen:#x}");
        }
        yield_now();
    }
}

/// Afterwards all ways to look agree.
fn at_rest(file: u32) {
    truncate(file, LENGTH).expect("ftruncate");
    let shared = map(file, LENGTH, PROT_READ, MAP_SHARED, 0).expect("mmap");
    let private = map(file, LENGTH, PROT_READ, MAP_PRIVATE, 0).expect("mmap");
    let mut differences = 0;
    for at in (0..LENGTH).step_by(8) {
        let mut bytes = [0; 8];
        read_at(file, &mut bytes, at).expect("pread");
        let read = u64::from_le_bytes(bytes);
        assert!(is_sound(at / PAGE, read), "byte {at} is {read:#x}");
        let is_same = load(shared + at) == Ok(read) && load(private + at) == Ok(read);
        differences += usize::from(!is_same);
    }
    println!("differences between calls and mappings: {differences}");
    munmap(shared, LENGTH).expect("munmap");
    munmap(private, LENGTH).expect("munmap");
}
