//! Shows `vfork`: the child borrows its parent's memory, and the parent stands still until the child has no more need of
//! it.
//!
//! Nothing is copied and nothing is shared for later, so it is the cheapest way to another program, and the most
//! delicate: what the child writes, the parent finds changed.
#![no_std]
#![forbid(unsafe_code)]

use core::cell::Cell;
use core::ffi::CStr;

use rt::memory::Mapping;
use rt::process::{Status, execve, vfork, wait};
use rt::{Errno, env, println};

fn main() -> u8 {
    match env::arg(1) {
        Some("executed") => 21,
        _ => parent(),
    }
}

fn parent() -> u8 {
    borrowed_memory();

    let child = vfork(|| execute(env::program_path(), &Cell::new(None))).expect("vfork");
    assert_eq!(wait(child).expect("wait").status, Status::Exited(21));
    println!("a child executed another program: exit code 21");

    let errno = Cell::new(None);
    let child = vfork(|| execute(c"/no/such/program", &errno)).expect("vfork");
    assert_eq!(errno.get(), Some(Errno::ENOENT));
    assert_eq!(wait(child).expect("wait").status, Status::Exited(127));
    println!("a child failed to, and left the reason in its parent's memory: ENOENT");

    for round in 0..200 {
        let child = vfork(|| execute(env::program_path(), &errno)).expect("vfork");
        assert_eq!(
            wait(child).expect("wait").status,
            Status::Exited(21),
            "round {round}"
        );
    }
    println!("200 more: all the same");
    0
}

/// What the child writes is there when the parent goes on, without any waiting.
fn borrowed_memory() {
    let memory = Mapping::new(4);
    let seen = Cell::new(0);
    let child = vfork(|| {
        memory.fill(b'v');
        seen.set(42);
        3
    });
    assert_eq!(seen.get(), 42);
    assert!(memory.holds(b'v'));
    println!("a child wrote to memory, and its parent found it there: they had but one");
    assert_eq!(
        wait(child.expect("vfork")).expect("wait").status,
        Status::Exited(3)
    );
    assert!(memory.holds(b'v'));
    memory.unmap();
}

/// In the child: becomes the program at `path`, or leaves the reason why not in the parent's memory.
fn execute(path: &CStr, reason: &Cell<Option<Errno>>) -> u8 {
    reason.set(Some(execve(path, &[c"vfork_exec", c"executed"], &[])));
    127
}
