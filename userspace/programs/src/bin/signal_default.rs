//! Shows what signals do to a process that hasn't asked for them: most end it, a few mean nothing to it.
//!
//! `kill` is also a question. Signal 0 asks whether a process is there, and the answer can be that it isn't.
#![no_std]
#![forbid(unsafe_code)]

use core::time::Duration;

use rt::process::{self, Pid, Status, run_in_child, spawn, try_wait, wait};
use rt::signal::{Signal, kill};
use rt::{Errno, println, time};

const DEADLY: [Signal; 13] = [
    Signal::TERM,
    Signal::KILL,
    Signal::USR1,
    Signal::USR2,
    Signal::ALRM,
    Signal::VTALRM,
    Signal::PROF,
    Signal::ABRT,
    Signal::SEGV,
    Signal::BUS,
    Signal::FPE,
    Signal::ILL,
    Signal::TRAP,
];

const HARMLESS: [Signal; 4] = [Signal::CHLD, Signal::URG, Signal::WINCH, Signal::CONT];

fn main() {
    for signal in DEADLY {
        let child = sleeper();
        kill(child, signal).expect("kill");
        expect_end(child, signal);
        println!("{signal} to a sleeping child: it ends of it");
    }
    ignored();

    let spinner = spawn(|| {
        loop {
            core::hint::spin_loop();
        }
    });
    let spinner = spinner.expect("fork");
    kill(spinner, Signal::TERM).expect("kill");
    expect_end(spinner, Signal::TERM);
    println!("SIGTERM to a spinning child: it ends of it");

    let status = run_in_child(|| {
        kill(process::id(), Signal::ABRT).expect("kill");
        0
    });
    assert_eq!(status, Status::Killed(Signal::ABRT));
    println!("SIGABRT to oneself: kill does not return");

    questions();
}

/// Signals whose default is to do nothing don't even wake a sleeper.
fn ignored() {
    let child = sleeper();
    for signal in HARMLESS {
        kill(child, signal).expect("kill");
        assert!(try_wait(child).expect("wait4").is_none());
        println!("{signal} to a sleeping child: it sleeps on");
    }
    time::sleep(Duration::from_millis(5));
    assert!(try_wait(child).expect("wait4").is_none());
    kill(child, Signal::KILL).expect("kill");
    expect_end(child, Signal::KILL);
}

/// What `kill` answers.
fn questions() {
    let child = sleeper();
    assert_eq!(kill(child, Signal(0)), Ok(()));
    assert_eq!(kill(child, Signal(65)), Err(Errno::EINVAL));
    assert_eq!(kill(child, Signal(u32::MAX)), Err(Errno::EINVAL));
    assert_eq!(kill(0, Signal(65)), Err(Errno::EINVAL), "to a group");
    println!("signal 0 to a child that is there: yes; signals 65 and -1: EINVAL");
    kill(child, Signal::KILL).expect("kill");
    expect_end(child, Signal::KILL);
    assert_eq!(kill(child, Signal(0)), Err(Errno::ESRCH));
    assert_eq!(kill(child, Signal::KILL), Err(Errno::ESRCH));
    assert_eq!(kill(Pid::MAX, Signal::KILL), Err(Errno::ESRCH));
    println!("to a child that has been waited for, and to a number nobody has: ESRCH");
}

/// A child that does nothing, for longer than anybody waits.
fn sleeper() -> Pid {
    let sleep = || {
        time::sleep(Duration::from_secs(600));
        0
    };
    spawn(sleep).expect("fork")
}

fn expect_end(child: Pid, signal: Signal) {
    assert_eq!(wait(child).expect("wait").status, Status::Killed(signal));
}
