//! Shows `mprotect`: what a page allows can change while its contents stay, and whoever goes too far dies at once.
//!
//! A page without any right (`PROT_NONE`) is a guard: the kernel keeps its frame, the processor sees nothing there.
//! Fences at the ends of a buffer, stacks of threads and garbage collectors are made of this.
#![no_std]
#![forbid(unsafe_code)]

use programs::lesson::{dies, ends};
use rt::abi::general::{PROT_GROWSDOWN, PROT_GROWSUP};
use rt::memory::{Mapping, PAGE, PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE, mprotect};
use rt::process::Status;
use rt::{Errno, println, probe};

const READ_WRITE: u32 = PROT_READ | PROT_WRITE;

fn main() {
    let memory = Mapping::new(5);
    memory.fill(b'm');
    let guard = memory.page(2);

    memory.protect(2, 1, PROT_NONE).expect("mprotect");
    println!("page 2 of 0..5 is a guard");
    dies("loading from the guard", || _ = probe::load(guard));
    dies("storing to the guard", || probe::store(guard, 1));
    dies("storing one byte too far up", || {
        probe::store_word(guard - 7, 0)
    });
    probe::store(guard - 1, b'm');
    probe::store(guard + PAGE, b'm');
    println!("its neighbours are as writable as before");

    memory.protect(2, 1, PROT_READ).expect("mprotect");
    assert!(memory.holds(b'm'));
    println!("readable again: it kept its byte all the time");
    dies("storing to the read-only page", || probe::store(guard, 1));
    memory.protect(2, 1, READ_WRITE).expect("mprotect");
    memory.fill(b'n');
    assert!(memory.holds(b'n'));
    println!("writable again");

    guarded_across_fork(memory);
    code_in_data();
    refusals(memory);
}

/// A guard is inherited with its contents, and each process lifts its own.
fn guarded_across_fork(memory: Mapping) {
    memory.protect(0, 5, PROT_NONE).expect("mprotect");
    ends(
        "a child lifts its guards, reads and writes",
        Status::Exited(0),
        || {
            memory.protect(0, 5, READ_WRITE).expect("mprotect");
            assert!(memory.holds(b'n'));
            memory.fill(b'c');
            0
        },
    );
    dies("the parent's are still there", || {
        _ = probe::load(memory.page(0))
    });
    memory.protect(0, 5, READ_WRITE).expect("mprotect");
    assert!(memory.holds(b'n'));
    println!("and behind them the parent's bytes");
}

/// Data is not code until `mprotect` says so.
fn code_in_data() {
    const RET: u8 = 0xc3;
    let code = Mapping::new(1);
    probe::store(code.page(0), RET);
    dies("calling a page of data", || probe::call(code.page(0)));
    code.protect(0, 1, PROT_READ | PROT_EXEC).expect("mprotect");
    probe::call(code.page(0));
    println!("calling it once it is executable: returns");
    dies("storing to the page of code", || {
        probe::store(code.page(0), RET)
    });
    code.unmap();
}

/// What Linux refuses, and with which errno.
fn refusals(memory: Mapping) {
    let refused = |what: &str, result: Result<(), Errno>, expected: Errno| {
        assert_eq!(result, Err(expected), "{what}");
        println!("mprotect of {what}: {expected:?}");
    };
    let start = memory.page(0);
    refused(
        "an address inside a page",
        mprotect(start + 1, PAGE, PROT_READ),
        Errno::EINVAL,
    );
    refused(
        "a length that wraps around",
        mprotect(start, usize::MAX - PAGE, PROT_READ),
        Errno::ENOMEM,
    );
    refused(
        "bits that mean nothing",
        mprotect(start, PAGE, 0x1000),
        Errno::EINVAL,
    );
    refused(
        "an address of the kernel",
        mprotect(usize::MAX << 47, PAGE, PROT_READ),
        Errno::ENOMEM,
    );
    for (what, grows, here, at_a_hole) in [
        ("up", PROT_GROWSUP, Errno::EINVAL, Errno::ENOMEM),
        ("down", PROT_GROWSDOWN, Errno::EINVAL, Errno::ENOMEM),
        (
            "both ways",
            PROT_GROWSUP | PROT_GROWSDOWN,
            Errno::EINVAL,
            Errno::EINVAL,
        ),
    ] {
        println!("an area that grows {what}");
        refused("one that does not", mprotect(start, PAGE, grows), here);
        refused("a hole", mprotect(16 * PAGE, PAGE, grows), at_a_hole);
    }
    assert_eq!(mprotect(start, 0, PROT_NONE), Ok(()));
    println!("mprotect of nothing: does nothing");

    rt::memory::munmap(memory.page(3), PAGE).expect("munmap");
    refused(
        "five pages of which the fourth is missing",
        memory.protect(0, 5, PROT_READ),
        Errno::ENOMEM,
    );
    dies("storing before the hole: the change got this far", || {
        probe::store(memory.page(2), 1)
    });
    probe::store(memory.page(4), b'x');
    println!("storing behind the hole: the change got no farther");
}
