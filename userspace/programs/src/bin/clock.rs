//! Shows time: a clock that never goes back, and sleep that never ends early.
//!
//! How late it ends depends on the machine, so nothing here says how long anything took.
#![no_std]
#![forbid(unsafe_code)]

use core::time::Duration;

use rt::abi::general::{__kernel_timespec as Timespec, CLOCK_MONOTONIC, CLOCK_REALTIME};
use rt::process::{spawn, wait};
use rt::{Errno, println, time};

fn main() {
    let mut last = time::now();
    for _ in 0..10_000 {
        let now = time::now();
        assert!(now >= last, "{last:?}, then {now:?}");
        last = now;
    }
    println!("10,000 looks at the clock: it never went back");

    for milliseconds in [0, 1, 10, 50] {
        let duration = Duration::from_millis(milliseconds);
        let start = time::now();
        time::sleep(duration);
        assert!(time::now() - start >= duration);
        println!("slept for {milliseconds} ms, not less");
    }
    side_by_side();

    for (name, clock) in [
        ("monotonic", CLOCK_MONOTONIC),
        ("real-time", CLOCK_REALTIME),
    ] {
        let shown = time::clock(clock).expect("clock_gettime");
        assert!(shown.tv_sec >= 0 && (0..1_000_000_000).contains(&shown.tv_nsec));
        println!("the {name} clock tells seconds and less than 1,000,000,000 nanoseconds");
    }
    processor_clocks();
    refusals();
}

/// Every process has clocks of its use of the processor; their numbers are negative.
fn processor_clocks() {
    let id = |pid: i32, low: i32| ((!pid << 3) | low) as u32;
    let nobody = 1 << 22;
    for (whose, pid) in [("one's own", 0), ("init's", 1), ("nobody's", nobody)] {
        for (what, low) in [
            ("all time", 0),
            ("time in ring 3", 1),
            ("time, finely", 2),
            ("nothing", 3),
            ("a thread's time", 6),
            ("a file", 7),
        ] {
            let shown = time::clock(id(pid, low)).map(drop);
            println!("the clock of {what}, {whose}: {shown:?}");
        }
    }
}

/// Sleepers don't wait for each other: twenty naps of 100 ms take less than two seconds.
fn side_by_side() {
    const NAPS: usize = 20;
    let nap = Duration::from_millis(100);
    let start = time::now();
    let children = [(); NAPS].map(|()| {
        spawn(|| {
            time::sleep(nap);
            0
        })
    });
    children
        .into_iter()
        .for_each(|child| _ = wait(child.expect("fork")).expect("wait"));
    let taken = time::now() - start;
    assert!(taken >= nap && taken < nap * NAPS as u32, "{taken:?}");
    println!("twenty children slept side by side");
}

/// Times that make no sense.
fn refusals() {
    for (tv_sec, tv_nsec) in [(0, 1_000_000_000), (0, -1), (-1, 0)] {
        assert_eq!(
            time::nanosleep(&Timespec { tv_sec, tv_nsec }),
            Err(Errno::EINVAL)
        );
        println!("nanosleep for {tv_sec} s and {tv_nsec} ns: EINVAL");
    }
    assert_eq!(time::clock(99).err(), Some(Errno::EINVAL));
    println!("a clock of no known number: EINVAL");
}
