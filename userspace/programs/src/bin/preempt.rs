//! Shows preemption: a process that never calls the kernel still can't keep the processor for itself.
//!
//! The timer interrupts it, whatever it does, and the scheduler lets the next one run. Here two children spin without a
//! single system call; that their parent ever wakes from its sleep, and that both have used processor time, is the proof.
#![no_std]
#![forbid(unsafe_code)]

use core::time::Duration;

use rt::process::{Ended, Pid, Status, spawn, try_wait, wait};
use rt::signal::{Signal, kill};
use rt::{println, time};

fn main() {
    let spinners = [spinner(), spinner()];
    println!("two children spin, and never call the kernel");

    time::sleep(Duration::from_millis(100));
    println!("the parent wakes from its sleep all the same");
    for pid in spinners {
        assert!(
            try_wait(pid).expect("wait4").is_none(),
            "nobody has ended by itself"
        );
    }

    let start = time::now();
    while time::now() - start < Duration::from_millis(100) {}
    println!("the parent spins, and comes to its end too");

    for ended in spinners.map(stop) {
        assert_eq!(ended.status, Status::Killed(Signal::KILL));
        assert!(
            ended.usage.processor_time > Duration::from_millis(1),
            "{:?}",
            ended.usage.processor_time
        );
    }
    println!("both children were killed in the middle of it; both had made progress");
}

/// A child that does nothing but use the processor.
fn spinner() -> Pid {
    spawn(|| {
        loop {
            core::hint::spin_loop();
        }
    })
    .expect("fork")
}

fn stop(pid: Pid) -> Ended {
    kill(pid, Signal::KILL).expect("kill");
    wait(pid).expect("wait")
}
