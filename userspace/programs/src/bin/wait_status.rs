//! Shows what a parent learns of its children's ends, and what becomes of those whose parent went first.
//!
//! A process that has ended stays as a zombie, a status and little else, until its parent asks. An orphan is handed to
//! the first process, init, which asks for everyone.
#![no_std]
#![forbid(unsafe_code)]

use core::time::Duration;

use programs::gate::Gate;
use rt::abi::Sysno;
use rt::process::{self, ANY_CHILD, Pid, Status, run_in_child, spawn, try_wait, wait};
use rt::signal::{Signal, kill};
use rt::{Errno, println, syscall, time};

fn main() {
    nobody_to_wait_for();
    for code in [0, 1, 42, 255] {
        let status = run_in_child(|| code);
        assert_eq!(status, Status::Exited(code));
        println!("a child exits with {code}: {status}");
    }
    let status = run_in_child(|| {
        let _ = syscall::raw(Sysno::exit_group as usize, [0x1_2345, 0, 0, 0, 0, 0]);
        1
    });
    assert_eq!(status, Status::Exited(0x45));
    println!("a child exits with 0x12345: only the lowest byte counts, {status}");

    not_yet();
    in_any_order();
    zombie();
    orphan();
    nobody_to_wait_for();
}

fn nobody_to_wait_for() {
    assert_eq!(wait(ANY_CHILD).err(), Some(Errno::ECHILD));
    assert_eq!(wait(process::id()).err(), Some(Errno::ECHILD));
    let nonsense = syscall::raw(
        Sysno::wait4 as usize,
        [ANY_CHILD as usize, 0, 0x10, 0, 0, 0],
    );
    assert_eq!(nonsense, Err(Errno::EINVAL));
    println!("waiting without children: ECHILD; with options that mean nothing: EINVAL");
}

/// With `WNOHANG` the parent asks without waiting.
fn not_yet() {
    let gate = Gate::close();
    let child = spawn(|| {
        gate.pass();
        7
    });
    let child = child.expect("fork");
    assert!(try_wait(child).expect("wait4").is_none());
    println!("a child still at work, asked with WNOHANG: not yet");
    gate.open();
    assert_eq!(wait(child).expect("wait").status, Status::Exited(7));
    assert_eq!(try_wait(child).err(), Some(Errno::ECHILD));
    println!("waited for: exit code 7; and again: ECHILD");
}

/// Eight children at once: each is reported exactly once.
fn in_any_order() {
    let children = [0, 1, 2, 3, 4, 5, 6, 7].map(|code| spawn(|| code).expect("fork"));
    let mut seen = [false; 8];
    for _ in children {
        let ended = wait(ANY_CHILD).expect("wait");
        let index = children
            .iter()
            .position(|&child| child == ended.pid)
            .expect("one of the eight");
        assert_eq!(ended.status, Status::Exited(index as u8));
        assert!(
            !core::mem::replace(&mut seen[index], true),
            "child {index} twice"
        );
    }
    println!("eight children at once, waited for in any order: each code once");
}

/// Between its end and its parent's question a process is a zombie: it is there, and can't be hurt any more.
fn zombie() {
    let child = spawn(sleep_long).expect("fork");
    assert_eq!(kill(child, Signal::KILL), Ok(()));
    assert_eq!(kill(child, Signal(0)), Ok(()));
    assert_eq!(kill(child, Signal::TERM), Ok(()));
    assert_eq!(
        wait(child).expect("wait").status,
        Status::Killed(Signal::KILL)
    );
    assert_eq!(kill(child, Signal(0)), Err(Errno::ESRCH));
    println!("killed, a child stays until it is waited for, and dies only once; then it is gone");
}

/// A grandchild outlives its parent, sees that it has another, and says so with a signal to a process waiting for it.
fn orphan() {
    let witness = spawn(sleep_long).expect("fork");
    let status = run_in_child(|| orphan_behind(witness));
    assert_eq!(status, Status::Exited(0));
    assert_eq!(
        wait(witness).expect("wait").status,
        Status::Killed(Signal::USR1)
    );
    println!("an orphan was adopted and lived on");
}

/// Leaves a child behind, which signals `witness` once it has been adopted.
fn orphan_behind(witness: Pid) -> u8 {
    let parent = process::id();
    let child = spawn(|| {
        while process::parent_id() == parent {
            time::sleep(Duration::from_millis(1));
        }
        kill(witness, Signal::USR1).expect("kill");
        0
    });
    u8::from(child.is_err())
}

fn sleep_long() -> u8 {
    time::sleep(Duration::from_secs(600));
    1
}
