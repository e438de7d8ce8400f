//! Carries out random programs of memory and file operations and logs what came of each: `oracle BATCH DATA FOLDER`.
//!
//! One interpreter for Linux and for the kernel, whose logs `tests/oracle` compares. Each program of the file BATCH runs
//! in a fresh child, so that none sees another's memory; DATA is the file that they map, and FOLDER where they have files
//! with names. Nothing is logged that may differ between two right kernels: an address only where the program chose it, a
//! minor fault only where no file is involved.
#![no_std]
#![forbid(unsafe_code)]

mod bytes;
mod files;
mod holds;
mod limits;
mod log;
mod machine;
mod names;
mod picture;
mod step;
mod touch;
mod tree;

use core::ffi::CStr;

use rt::abi::Sysno;
use rt::abi::general::O_RDONLY;
use rt::memory::PAGE;
use rt::process::run_in_child;
use rt::{env, path, print, probe, syscall};

use log::Log;
use machine::Machine;
use step::number;

/// A program must fit in here, and a few do at once.
const READ: usize = 32 << 10;

/// Begins the words of an interpreter that replaced another and goes on with its rest.
const REST: &CStr = c"+";

/// Pages of stack that exist from the start: later a limit may be in the way.
const STACK_PAGES: usize = 40;

fn main() -> u8 {
    limits::lift();
    let here = 0u8;
    let here = &raw const here as usize;
    (0..STACK_PAGES).for_each(|page| probe::rewrite(here - page * PAGE));
    let words = [1, 2].map(|index| env::args().nth(index).expect("a batch and a file of data"));
    let data = open(words[1]);
    if words[0] == REST {
        let [first, mode] = [4, 5].map(|index| env::arg(index).expect("where and how to go on"));
        let [first, mode] = [first, mode].map(|word| number(word.as_bytes()).expect("a number"));
        let rest = env::arg(6).expect("what to go on with");
        return Machine::new(data, Log::new(mode)).run(rest.as_bytes(), first);
    }
    let batch = open(words[0]);
    let folder = env::args().nth(3).expect("a folder for scratch files");
    let _ = path::make_folder(folder, 0o755);
    path::go(folder).expect("chdir");
    run_all(batch, data);
    0
}

/// Runs each program of the file: a line `P NUMBER MODE`, and all lines up to the next such line.
fn run_all(batch: usize, data: usize) {
    let mut buffer = [0; READ];
    let mut at = 0;
    loop {
        let count = read_at(batch, &mut buffer, at);
        if count == 0 {
            return;
        }
        let text = &buffer[..count];
        let next = text.windows(3).position(|three| three == b"\nP ");
        let end = next.map_or(count, |before| before + 1);
        assert!(end < READ, "the program at byte {at} is too long");
        run_one(&text[..end], data);
        at += end;
    }
}

fn run_one(text: &[u8], data: usize) {
    let end = text.iter().position(|byte| *byte == b'\n').expect("a line");
    let mut words = text[..end].split(|byte| *byte == b' ').skip(1);
    let mut next = || words.next().and_then(number).expect("a number");
    let (name, mode) = (next(), next());
    let has_names = mode & log::mode::NAMES != 0;
    let status = run_in_child(|| {
        if has_names {
            tree::enter();
        }
        Machine::new(data, Log::new(mode)).run(&text[end + 1..], 0)
    });
    if has_names {
        tree::empty();
    }
    print!("P {name:x} {status}\n");
}

fn open(path: &CStr) -> usize {
    let words = [path.as_ptr() as usize, O_RDONLY as usize, 0, 0, 0, 0];
    syscall::raw(Sysno::open as usize, words).expect("open")
}

fn read_at(file: usize, buffer: &mut [u8], at: usize) -> usize {
    let words = [file, buffer.as_mut_ptr() as usize, buffer.len(), at, 0, 0];
    syscall::raw(Sysno::pread64 as usize, words).expect("pread64")
}
