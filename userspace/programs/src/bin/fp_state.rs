//! Shows that the floating-point and vector registers belong to the process: others use the same ones, and nobody notices.
//!
//! The kernel must put them aside whenever it switches processes, and give a forked child its parent's. Several processes
//! hold different patterns in all of them (x87, SSE, AVX where there is one, both control words) and look again after
//! spinning for many time slices, after system calls, and on both sides of a fork.
#![no_std]
#![forbid(unsafe_code)]

use core::time::Duration;

use rt::abi::Sysno;
use rt::fpu::Registers;
use rt::process::{Status, exit, spawn, wait};
use rt::{println, system, time};

const PROCESSES: u8 = 4;
const ROUNDS: u64 = 200_000;

fn main() {
    let children =
        core::array::from_fn::<_, { PROCESSES as usize }, _>(|seed| spawn(|| hold(seed as u8 + 1)));
    for child in children {
        let ended = wait(child.expect("fork")).expect("wait");
        assert_eq!(ended.status, Status::Exited(0));
    }
    println!(
        "{PROCESSES} processes side by side: each kept its own registers for a quarter of a second"
    );

    system_calls();
    across_fork();
    thread_pointer();
}

/// Holds one pattern for many time slices.
fn hold(seed: u8) -> u8 {
    let pattern = Registers::pattern(seed);
    let end = time::now() + Duration::from_millis(250);
    while time::now() < end {
        assert!(
            pattern.same_as(&pattern.across_spinning(ROUNDS)),
            "process {seed}"
        );
    }
    0
}

/// A system call changes no register of the program's but RAX, RCX and R11.
fn system_calls() {
    let pattern = Registers::pattern(5);
    for call in [Sysno::getpid, Sysno::sched_yield, Sysno::getppid] {
        let (_, after) = pattern.across_syscall(call as usize);
        assert!(pattern.same_as(&after), "{call}");
    }
    println!("getpid, sched_yield, getppid: registers kept");
}

/// A child starts with its parent's registers, and the parent goes on with them.
fn across_fork() {
    let pattern = Registers::pattern(6);
    let (child, after) = pattern.across_syscall(Sysno::fork as usize);
    let kept = pattern.same_as(&after);
    if child == 0 {
        exit(u8::from(!kept));
    }
    assert!(kept, "the parent's");
    assert_eq!(wait(child as i32).expect("wait").status, Status::Exited(0));
    println!("fork: registers kept in the parent, inherited by the child");
}

/// The base of FS, where C libraries keep their thread pointer, is a process's own as well.
fn thread_pointer() {
    system::set_fs(0x1234_5000).expect("arch_prctl");
    let child = spawn(|| {
        assert_eq!(system::fs(), Ok(0x1234_5000));
        system::set_fs(0x7777_0000).expect("arch_prctl");
        time::sleep(Duration::from_millis(5));
        u8::from(system::fs() != Ok(0x7777_0000))
    });
    time::sleep(Duration::from_millis(5));
    assert_eq!(
        wait(child.expect("fork")).expect("wait").status,
        Status::Exited(0)
    );
    assert_eq!(system::fs(), Ok(0x1234_5000));
    println!("the base of FS: inherited by the child, changed there, kept here");
}
