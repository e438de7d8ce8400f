//! Shows faults inside the kernel's own copies: buffers whose pages must be read from a file, copied after `fork`, grown
//! with the stack, or that end in a hole.
//!
//! A user copy may fault like any load of the program's, and each such fault is served while a call is half done. Where
//! it can't be served the call answers what was copied so far, or `EFAULT`, and nothing else comes of it.
#![no_std]
#![forbid(unsafe_code)]

use rt::abi::Sysno;
use rt::abi::general::{MAP_PRIVATE, O_RDONLY};
use rt::handler::{self, Context, Info};
use rt::memory::{Mapping, PAGE, PROT_NONE, PROT_READ, PROT_WRITE, munmap};
use rt::process::{self, Status, run_in_child};
use rt::signal::{Signal, kill};
use rt::{Errno, env, println, probe, syscall};

type Answer = Result<usize, Errno>;

fn main() {
    if env::args().nth(1).is_some() {
        became();
        return;
    }
    let file = call(
        Sysno::open,
        [
            env::program_path().as_ptr() as usize,
            O_RDONLY as usize,
            0,
            0,
        ],
    );
    let file = file.expect("open");
    into_fresh_pages(file);
    into_shared_pages(file);
    out_of_a_file(file);
    onto_the_stack(file);
    straddling(file);
    vectors(file);
    words_of_a_file(file);
    frames();
}

fn call(number: Sysno, [a, b, c, d]: [usize; 4]) -> Answer {
    syscall::raw(number as usize, [a, b, c, d, 0, 0])
}

fn pread(file: usize, to: usize, count: usize, from: usize) -> Answer {
    call(Sysno::pread64, [file, to, count, from])
}

/// Whether `count` bytes at `address` are the file's first ones.
fn is_file(file: usize, address: usize, count: usize) -> bool {
    let mut byte = [0u8];
    (0..count).step_by(509).all(|at| {
        pread(file, byte.as_mut_ptr() as usize, 1, at) == Ok(1)
            && probe::load(address + at) == byte[0]
    })
}

fn into_fresh_pages(file: usize) {
    let memory = Mapping::new(4);
    let answer = pread(file, memory.page(0) + 100, 3 * PAGE, 0);
    assert!(is_file(file, memory.page(0) + 100, 3 * PAGE));
    println!("read into pages that are only promised: {answer:?}");
    let memory = Mapping::new(4);
    memory.each_page().for_each(|page| _ = probe::load(page));
    let answer = pread(file, memory.page(0) + 100, 3 * PAGE, 0);
    assert!(is_file(file, memory.page(0) + 100, 3 * PAGE));
    println!("read into pages that show zeroes: {answer:?}");
}

/// The kernel's store must copy, as the program's own would.
fn into_shared_pages(file: usize) {
    let memory = Mapping::new(3);
    memory.fill(7);
    let status = run_in_child(|| {
        let answer = pread(file, memory.page(0), 3 * PAGE, 0);
        u8::from(answer != Ok(3 * PAGE) || !is_file(file, memory.page(0), 3 * PAGE))
    });
    println!("read into pages shared after fork: {status}");
    assert!(memory.holds(7), "the parent's bytes");
    println!("the parent still has its own");
}

/// A private mapping of this file, none of it touched.
fn mapped(file: usize, protection: u32) -> usize {
    let flags = MAP_PRIVATE as usize;
    let arguments = [0, 4 * PAGE, protection as usize, flags, file, 0];
    syscall::raw(Sysno::mmap as usize, arguments).expect("mmap")
}

/// The kernel's load faults, the file is read meanwhile, and the kernel's store copies a file's page.
fn out_of_a_file(file: usize) {
    let from = mapped(file, PROT_READ);
    let handled = run_in_child(|| {
        // A time out of the file's page: zeroes, or refused.
        let answer = call(Sysno::nanosleep, [from + 8, 0, 0, 0]);
        u8::from(answer != Ok(0))
    });
    println!("nanosleep for a time that must be read from a file: {handled}");
    let to = mapped(file, PROT_READ | PROT_WRITE);
    let answer = pread(file, to + PAGE, 2 * PAGE, 0);
    assert!(is_file(file, to + PAGE, 2 * PAGE) && is_file(file, to, PAGE));
    println!("read into a private mapping of the file itself: {answer:?}");
    let to = mapped(file, PROT_READ);
    println!(
        "into one that can't be written: {:?}",
        pread(file, to, 10, 0)
    );
}

/// Far below what the stack has.
fn onto_the_stack(file: usize) {
    let here = 0u8;
    let below = (&raw const here as usize & !(PAGE - 1)) - 64 * PAGE;
    let answer = pread(file, below, 2 * PAGE, 0);
    assert!(is_file(file, below, 2 * PAGE));
    println!("read into stack that must grow first: {answer:?}");
}

/// A page, and none behind it; or one that can't be written, or not even read.
fn straddling(file: usize) {
    for (name, protection) in [
        ("a hole", None),
        ("a read-only page", Some(PROT_READ)),
        ("a closed page", Some(PROT_NONE)),
    ] {
        let memory = Mapping::new(3);
        match protection {
            None => munmap(memory.page(1), PAGE).expect("munmap"),
            Some(protection) => memory.protect(1, 1, protection).expect("mprotect"),
        }
        let edge = memory.page(1);
        let answer = pread(file, edge - 100, 200, 0);
        println!("read of 200 bytes, {name} behind 100: {answer:?}");
        assert!(answer.is_err() || is_file(file, edge - 100, 100));
        println!(
            "the same where all is behind: {:?}",
            pread(file, edge, 200, 0)
        );
        println!(
            "the same into the last byte: {:?}",
            pread(file, edge - 1, 2, 0)
        );
        println!("uname: {:?}", call(Sysno::uname, [edge - 100, 0, 0, 0]));
        println!("a file that is not open: {:?}", pread(999, edge, 1, 0));
        println!("nothing at all: {:?}", pread(file, edge, 0, 0));
        let behind = pread(file, edge, 1, 1 << 40);
        println!("nothing, as it is behind the end: {behind:?}");
    }
}

/// Pieces of which the second is bad: the first counts.
fn vectors(file: usize) {
    let memory = Mapping::new(3);
    munmap(memory.page(1), PAGE).expect("munmap");
    let (good, bad) = (memory.page(0), memory.page(1));
    for (name, pieces) in [
        ("good and bad", [[good, 8], [bad, 8]]),
        ("bad and good", [[bad, 8], [good, 8]]),
        ("half good and good", [[bad - 4, 8], [good, 8]]),
        ("good and too long", [[good, 8], [good, usize::MAX]]),
        ("good and the kernel's", [[good, 8], [usize::MAX << 47, 8]]),
        ("empty at a bad place, and good", [[bad, 0], [good, 8]]),
    ] {
        call(Sysno::lseek, [file, 0, 0, 0]).expect("lseek");
        let answer = call(Sysno::readv, [file, pieces.as_ptr() as usize, 2, 0]);
        let place = call(Sysno::lseek, [file, 0, 1, 0]);
        println!("readv into {name}: {answer:?}, then at {place:?}");
    }
    let answer = call(Sysno::readv, [file, bad - 8, 1, 0]);
    println!("readv with a list that ends in a hole: {answer:?}");
}

/// Arguments that lie in pages of a file that nobody has read yet, and in a page shared after fork.
fn words_of_a_file(file: usize) {
    let from = mapped(file, PROT_READ);
    let path = env::program_path().as_ptr() as usize;
    let status = run_in_child(|| {
        // The file begins with DEL, "ELF" and some more that ends in a zero.
        let words = Mapping::new(1);
        probe::store_word(words.page(0), path as u64);
        probe::store_word(words.page(0) + 8, from as u64 + 1);
        let answer = call(Sysno::execve, [path, words.page(0), 0, 0]);
        println!("execve: {answer:?}");
        1
    });
    println!("execve with an argument that must be read from a file: {status}");
}

fn became() {
    let word = env::args().nth(1).map_or(0, |word| word.to_bytes()[0]);
    println!("an argument that begins with {:?}", char::from(word));
}

extern "C" fn nothing(_: i32, _: &mut Info, _: &mut Context) {}

/// Signal frames that fault: on stack that is promised, shared, and not there.
fn frames() {
    let stack = Mapping::new(8);
    let take = |stack: Mapping| {
        handler::set_stack(stack.page(0), stack.length(), 0).expect("sigaltstack");
        handler::handle(Signal::USR1, nothing, rt::abi::general::SA_ONSTACK);
        u8::from(kill(process::id(), Signal::USR1).is_err())
    };
    println!(
        "a handler's stack that is only promised: {}",
        run_in_child(|| take(stack))
    );
    stack.fill(3);
    println!("one shared after fork: {}", run_in_child(|| take(stack)));
    assert!(stack.holds(3));
    for protection in [PROT_READ, PROT_NONE] {
        let stack = Mapping::with(8, protection, 0);
        let status = run_in_child(|| take(stack));
        println!("one that can't be written: {status}");
        assert_eq!(status, Status::Killed(Signal::SEGV));
    }
}
