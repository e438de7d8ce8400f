//! Shows the four types of mapping, private and shared, of a file and of nothing: what may be done where, and who sees it.
#![no_std]
#![forbid(unsafe_code)]

use rt::abi::general::{
    MAP_SHARED_VALIDATE, O_CREAT, O_DIRECTORY, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY, SEGV_ACCERR,
};
use rt::attempt::{self, Fault, execute, load, rewrite};
use rt::file::{close, map, pipe, read_at, truncate, write_at};
use rt::memory::{
    MAP_ANONYMOUS, MAP_PRIVATE, MAP_SHARED, PAGE, PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE,
    mprotect, munmap,
};
use rt::path::{HERE, open_at, remove};
use rt::probe::store_word;
use rt::process::run_in_child;
use rt::signal::Signal;
use rt::{Errno, print, println};

const RW: u32 = PROT_READ | PROT_WRITE;

/// What no descriptor stands for.
const NOTHING: u32 = u32::MAX;

/// The first bytes of the file: code that returns.
const RETURN: u64 = 0x9090_9090_9090_90c3;

fn main() {
    attempt::prepare();
    let file = open_at(HERE, c"file", O_CREAT | O_TRUNC | O_RDWR, 0o755).expect("open");
    truncate(file, 4 * PAGE).expect("ftruncate");
    write_at(file, &RETURN.to_le_bytes(), 0).expect("pwrite");
    for (name, fd, flags) in [
        ("file, private", file, MAP_PRIVATE),
        ("file, shared", file, MAP_SHARED),
        ("nothing, private", NOTHING, MAP_PRIVATE | MAP_ANONYMOUS),
        ("nothing, shared", NOTHING, MAP_SHARED | MAP_ANONYMOUS),
    ] {
        println!("{name}:");
        rights(fd, flags);
        sight(file, fd, flags);
    }
    offsets(file);
    modes();
    refusals(file);
    closed(file);
    remove(c"file").expect("unlink");
}

fn outcome<T>(result: Result<T, Fault>) -> &'static str {
    match result {
        Ok(_) => "yes",
        Err(fault) if fault.signal as u32 != Signal::SEGV.0 => "another signal",
        Err(fault) if fault.code as u32 == SEGV_ACCERR => "no",
        Err(_) => "not there",
    }
}

/// Reading, writing and executing under each protection.
fn rights(fd: u32, flags: u32) {
    for (name, protection) in [
        ("---", PROT_NONE),
        ("r--", PROT_READ),
        ("rw-", RW),
        ("r-x", PROT_READ | PROT_EXEC),
        ("rwx", RW | PROT_EXEC),
    ] {
        let page = map(fd, PAGE, RW, flags, 0).expect("mmap");
        store_word(page, RETURN);
        mprotect(page, PAGE, protection).expect("mprotect");
        print!("  {name}: read {},", outcome(load(page)));
        print!(" write {},", outcome(rewrite(page)));
        println!(" execute {}", outcome(execute(page)));
        munmap(page, PAGE).expect("munmap");
    }
}

/// Who sees a store: this mapping, a child, another mapping, the file.
fn sight(file: u32, fd: u32, flags: u32) {
    let second = PAGE;
    let clear = [0; 16];
    write_at(file, &clear, second).expect("pwrite");
    let page = map(fd, PAGE, RW, flags, second).expect("mmap");
    let other = map(file, PAGE, PROT_READ, MAP_SHARED, second).expect("mmap");
    store_word(page, 1);
    run_in_child(|| {
        store_word(page + 8, 2);
        0
    });
    let mut bytes = [0; 16];
    read_at(file, &mut bytes, second).expect("pread");
    let seen = |address| [load(address), load(address + 8)].map(|word| word.expect("mapped"));
    println!(
        "  own and child's store: here {:?}, beside {:?}, in the file {:?}",
        seen(page),
        seen(other),
        [bytes[0], bytes[8]]
    );
    munmap(page, PAGE).expect("munmap");
    munmap(other, PAGE).expect("munmap");
}

fn offsets(file: u32) {
    for index in 0..4usize {
        write_at(file, &[index as u8 + 1], index * PAGE + 8).expect("pwrite");
    }
    let all = map(file, 4 * PAGE, PROT_READ, MAP_PRIVATE, 0).expect("mmap");
    let part = map(file, 2 * PAGE, PROT_READ, MAP_SHARED, 2 * PAGE).expect("mmap");
    let byte = |address: usize| load(address).expect("mapped") as u8;
    print!("pages:");
    for index in 0..4 {
        print!(" {}", byte(all + index * PAGE + 8));
    }
    println!(
        ", from the third on: {} {}",
        byte(part + 8),
        byte(part + PAGE + 8)
    );
    munmap(all, 4 * PAGE).expect("munmap");
    munmap(part, 2 * PAGE).expect("munmap");
}

/// What the way in which the file was opened allows.
fn modes() {
    for (name, mode) in [
        ("to read", O_RDONLY),
        ("to write", O_WRONLY),
        ("both", O_RDWR),
    ] {
        let file = open_at(HERE, c"file", mode, 0).expect("open");
        print!("opened {name}:");
        for (kind, flags) in [("private", MAP_PRIVATE), ("shared", MAP_SHARED)] {
            for (what, protection) in [("r", PROT_READ), ("rw", RW)] {
                let mapped = map(file, PAGE, protection, flags, 0);
                print!(" {kind} {what} {:?}", mapped.map(drop));
                if let Ok(page) = mapped {
                    print!(" (more: {:?})", mprotect(page, PAGE, RW | PROT_EXEC));
                    munmap(page, PAGE).expect("munmap");
                }
            }
        }
        println!();
        close(file).expect("close");
    }
}

fn refusals(file: u32) {
    let folder = open_at(HERE, c".", O_RDONLY | O_DIRECTORY, 0).expect("open");
    let [from, to] = pipe(0).expect("pipe");
    let told = |what: &str, result: Result<usize, Errno>| {
        println!("{what}: {:?}", result.map(drop));
    };
    told("a folder", map(folder, PAGE, PROT_READ, MAP_PRIVATE, 0));
    told("a pipe", map(from, PAGE, PROT_READ, MAP_SHARED, 0));
    told("nothing", map(99, PAGE, PROT_READ, MAP_SHARED, 0));
    told("no bytes", map(file, 0, PROT_READ, MAP_SHARED, 0));
    told(
        "half a page away",
        map(file, PAGE, PROT_READ, MAP_SHARED, 2048),
    );
    told("neither type", map(file, PAGE, PROT_READ, 0, 0));
    let strange = MAP_SHARED_VALIDATE | 1 << 24;
    told("a strange flag", map(file, PAGE, PROT_READ, strange, 0));
    let far = usize::MAX & !(PAGE - 1);
    told("too far", map(file, 2 * PAGE, PROT_READ, MAP_SHARED, far));
    for file in [folder, from, to] {
        close(file).expect("close");
    }
}

/// A mapping needs neither the descriptor nor the name.
fn closed(file: u32) {
    write_at(file, b"still there", 0).expect("pwrite");
    let page = map(file, PAGE, RW, MAP_SHARED, 0).expect("mmap");
    close(file).expect("close");
    remove(c"file").expect("unlink");
    let word = load(page).expect("mapped").to_le_bytes();
    println!("without a descriptor: {}", word.escape_ascii());
    store_word(page, 7);
    println!("a store: {:?}", load(page));
    munmap(page, PAGE).expect("munmap");
    let again = open_at(HERE, c"file", O_CREAT | O_RDWR, 0o644).expect("open");
    println!("another by its name: {:?}", read_at(again, &mut [0; 8], 0));
    close(again).expect("close");
}
