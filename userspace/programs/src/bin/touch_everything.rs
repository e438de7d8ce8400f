//! Shows that a program that touches more memory than there is dies alone: each way of touching, each time by SIGKILL.
//!
//! For the kernel without swap only: a workstation would suffer for a long time before its turn came.
#![no_std]
#![forbid(unsafe_code)]

use programs::hunger::{eat, huge};
use programs::lesson::ends;
use rt::memory::{self, MAP_NORESERVE, MAP_POPULATE, Mapping, PAGE, PROT_READ, PROT_WRITE};
use rt::process::Status;
use rt::signal::Signal;
use rt::{abi::Sysno, println, syscall};

const DIES: Status = Status::Killed(Signal::KILL);

fn main() {
    let mine = Mapping::new(16);
    mine.fill(b'p');
    for turn in 1..=3 {
        ends(
            format_args!("turn {turn}: a store to every page"),
            DIES,
            || eat(huge(), usize::MAX),
        );
    }
    ends(
        "a private copy of every page of a parent's",
        DIES,
        copy_on_write,
    );
    ends(
        "the kernel's own stores for a program",
        DIES,
        by_system_calls,
    );
    ends("all at once, by MAP_POPULATE", DIES, populate);
    ends("nothing but page tables", DIES, tables);
    assert!(mine.holds(b'p'), "the parent's memory is untouched");
    println!("the parent lives, and its memory is what it was");
}

/// Two processes that share all they have, until one writes.
fn copy_on_write() -> u8 {
    let most = programs::hunger::free_pages() * 2 / 3;
    eat(huge(), most);
    // The child needs as much again. Whoever of the two is killed, the other one ends by SIGKILL too.
    let status = rt::process::run_in_child(|| eat(huge(), most));
    assert_eq!(status, DIES, "parent and child hold more than there is");
    let own = rt::process::id();
    rt::signal::kill(own, Signal::KILL).expect("a process may kill itself");
    0
}

/// A page is first touched by the kernel, which writes a result there.
fn by_system_calls() -> u8 {
    let start = huge();
    for page in 0.. {
        let arguments = [0, start + page * PAGE, 0, 0, 0, 0];
        let written = syscall::raw(Sysno::clock_gettime as usize, arguments);
        assert_eq!(written, Ok(0), "page {page}");
    }
    0
}

fn populate() -> u8 {
    let flags = MAP_NORESERVE | MAP_POPULATE;
    let more = 2 * programs::hunger::free_pages() * PAGE;
    let _ = memory::mmap(0, more, PROT_READ | PROT_WRITE, flags);
    0
}

/// Reads find the zero page, which costs nothing but the table that leads to it.
fn tables() -> u8 {
    const TABLE: usize = 2 << 20;
    let start = huge();
    for table in 0.. {
        rt::probe::load(start + table * TABLE);
    }
    0
}
