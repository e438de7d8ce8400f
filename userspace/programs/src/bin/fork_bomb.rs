//! Shows that a fork bomb ends: the number of processes has a bound, and whoever set it off can still put it out.
//!
//! By a signal to all, or, as `fork_bomb group` beside others who are to live, by one to its own group.
//!
//! For the kernel under test only: on a workstation this is the attack that it sounds like.
#![no_std]
#![forbid(unsafe_code)]

use core::time::Duration;

use rt::abi::Sysno;
use rt::process::{ANY_CHILD, Pid, Status, spawn, try_wait, wait};
use rt::signal::{Signal, kill};
use rt::{Errno, env, println, syscall, time};

/// All processes but the caller and init.
const EVERYONE: Pid = -1;

fn main() {
    let in_group = env::args().nth(1) == Some(c"group");
    for _ in 0..3 {
        let bomb = spawn(|| {
            if in_group {
                syscall::raw(Sysno::setpgid as usize, [0; 6]).expect("setpgid");
            }
            burst()
        })
        .expect("fork");
        let refused = full();
        assert_eq!(
            refused,
            Errno::EAGAIN,
            "there is a bound, and memory for all"
        );
        put_out(bomb, if in_group { -bomb } else { EVERYONE });
    }
    println!(
        "three times a bomb filled the table: fork said EAGAIN, one signal to all of it ended it"
    );
    let child = spawn(|| 7).expect("there is room again");
    assert_eq!(wait(child).expect("wait").status, Status::Exited(7));
    println!("then there was room again");
}

/// Makes copies that make copies, for ever.
fn burst() -> ! {
    loop {
        let _ = spawn(|| burst());
    }
}

/// Asks for a process until that is refused, and returns how.
fn full() -> Errno {
    loop {
        match spawn(|| 0) {
            Ok(child) => drop(wait(child)),
            Err(errno) => return errno,
        }
        time::sleep(Duration::from_millis(10));
    }
}

/// Kills all of them, and collects the bomb's first process; the others are init's to collect.
fn put_out(bomb: Pid, all: Pid) {
    while kill(all, Signal::KILL).is_ok() {
        let _ = try_wait(bomb);
        time::sleep(Duration::from_millis(10));
    }
    while wait(ANY_CHILD).is_ok() {}
}
