//! Shows files that are nothing but events: counters, timers and signals to be read and polled; and close_range(2).
#![no_std]
#![forbid(unsafe_code)]

use core::time::Duration;

use rt::Errno;
use rt::abi::close_range::CLOSE_RANGE_CLOEXEC;
use rt::abi::general::{
    CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME, EFD_SEMAPHORE,
    F_GETFD, O_CLOEXEC, O_NONBLOCK, POLLIN, POLLOUT, TFD_TIMER_ABSTIME, pollfd,
};
use rt::event::{Setting, close_range, counter, set_timer, setting, signals, timer, timer_setting};
use rt::file::{close, fcntl, pipe};
use rt::handler::{queue, set, set_mask};
use rt::io::{read, write};
use rt::println;
use rt::process::{id, spawn, wait};
use rt::ready::poll;
use rt::signal::{Signal, kill};
use rt::time::{clock, now, sleep};

const TICK: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_millis(500);
const NEVER: Setting = [0; 4];

fn main() {
    counters();
    turns();
    timers();
    repetitions();
    refused_timers();
    signal_files();
    ranges();
}

/// What poll says of `fd` within `timeout` milliseconds.
fn ready(fd: u32, timeout: i32) -> u32 {
    let mut entry = [pollfd {
        fd: fd as i32,
        events: (POLLIN | POLLOUT) as i16,
        revents: 0,
    }];
    poll(&mut entry, timeout).expect("poll");
    entry[0].revents as u32
}

fn take(fd: u32) -> Result<u64, Errno> {
    let mut bytes = [0; 8];
    read(fd, &mut bytes).map(|_| u64::from_le_bytes(bytes))
}

fn give(fd: u32, count: u64) -> Result<usize, Errno> {
    write(fd, &count.to_le_bytes())
}

fn counters() {
    let fd = counter(3, O_NONBLOCK).expect("eventfd2");
    println!(
        "3: {:#x}, {:?}, then {:?}",
        ready(fd, 0),
        take(fd),
        take(fd)
    );
    println!("0: {:#x}", ready(fd, 0));
    println!(
        "5 and 6: {:?}, {:?}, {:?}",
        give(fd, 5),
        give(fd, 6),
        take(fd)
    );
    println!("too many: {:?}", give(fd, u64::MAX));
    println!(
        "the most: {:?}, {:#x}",
        give(fd, u64::MAX - 1),
        ready(fd, 0)
    );
    println!("one more: {:?}, none more: {:?}", give(fd, 1), give(fd, 0));
    println!("taken: {:x?}", take(fd));
    println!(
        "short: {:?}, {:?}",
        read(fd, &mut [0; 7]),
        write(fd, &[0; 7])
    );
    println!(
        "long: {:?}, {:?}",
        write(fd, &[1; 16]),
        read(fd, &mut [0; 16])
    );
    close(fd).expect("close");
    let fd = counter(2, O_NONBLOCK | EFD_SEMAPHORE).expect("eventfd2");
    println!(
        "a semaphore: {:?}, {:?}, {:?}",
        take(fd),
        take(fd),
        take(fd)
    );
    close(fd).expect("close");
    println!("unknown flags: {:?}", counter(0, 2).map(drop));
    let fd = counter(0, O_CLOEXEC).expect("eventfd2");
    println!("for this program only: {:?}", fcntl(fd, F_GETFD, 0));
    close(fd).expect("close");
}

/// Who reads waits for who writes, and the other way round.
fn turns() {
    let [there, back] = [(); 2].map(|()| counter(0, 0).expect("eventfd2"));
    let child = spawn(|| {
        for round in 1..=100 {
            assert_eq!(take(there), Ok(round));
            give(back, u64::MAX - 1).expect("write");
            // Waits until there is room.
            give(back, round).expect("write");
        }
        0
    });
    for round in 1..=100 {
        give(there, round).expect("write");
        assert_eq!(take(back), Ok(u64::MAX - 1));
        assert_eq!(take(back), Ok(round));
    }
    let ended = wait(child.expect("fork")).expect("wait4");
    println!("100 times there and back: {}", ended.status);
    close(there).expect("close");
    close(back).expect("close");
}

fn timers() {
    let fd = timer(CLOCK_MONOTONIC, O_NONBLOCK).expect("timerfd_create");
    println!(
        "off: {:?}, {:?}, {:#x}",
        timer_setting(fd),
        take(fd),
        ready(fd, 0)
    );
    let start = now();
    let once = setting(LONG, Duration::ZERO);
    println!("set: {:?}", set_timer(fd, 0, &once));
    let left = timer_setting(fd).expect("timerfd_gettime");
    assert!(left[3] > 0 && left[3] <= once[3], "{left:?}");
    println!("too early: {:?}", take(fd));
    println!(
        "expired: {:#x}, in time: {}",
        ready(fd, -1),
        now() - start >= LONG
    );
    println!(
        "off: {:?}, read: {:?}, {:?}",
        timer_setting(fd),
        take(fd),
        take(fd)
    );
    set_timer(fd, 0, &setting(100 * TICK, TICK)).expect("timerfd_settime");
    let before = set_timer(fd, 0, &NEVER).expect("timerfd_settime");
    println!(
        "switched off: {:?}, it had {} s and more",
        &before[..2],
        before[2]
    );
    println!("off: {:?}", timer_setting(fd));
    println!(
        "short: {:?}, written: {:?}",
        read(fd, &mut [0; 7]),
        give(fd, 1)
    );
    close(fd).expect("close");
    let fd = timer(CLOCK_MONOTONIC, 0).expect("timerfd_create");
    set_timer(fd, 0, &once).expect("timerfd_settime");
    println!("waited for: {:?}", take(fd));
    close(fd).expect("close");
}

fn repetitions() {
    for (name, id) in [
        ("monotonic", CLOCK_MONOTONIC),
        ("real", CLOCK_REALTIME),
        ("boot", CLOCK_BOOTTIME),
    ] {
        let fd = timer(id, 0).expect("timerfd_create");
        let time = clock(id).expect("clock_gettime");
        let past = [0, 20_000_000, time.tv_sec - 1, time.tv_nsec];
        set_timer(fd, TFD_TIMER_ABSTIME, &past).expect("timerfd_settime");
        let missed = take(fd).expect("read");
        println!(
            "{name}: a second of steps was missed: {}",
            (51..500).contains(&missed)
        );
        println!("one more: {}", take(fd).expect("read") > 0);
        close(fd).expect("close");
    }
}

fn refused_timers() {
    println!(
        "by processor time: {:?}",
        timer(CLOCK_PROCESS_CPUTIME_ID, 0).map(drop)
    );
    println!("unknown flags: {:?}", timer(CLOCK_MONOTONIC, 1).map(drop));
    let fd = timer(CLOCK_MONOTONIC, 0).expect("timerfd_create");
    let [from, _] = pipe(0).expect("pipe");
    println!("flags: {:?}", set_timer(fd, 8, &NEVER).map(drop));
    for bad in [
        [0, -1, 0, 0],
        [0, 0, 0, 1_000_000_000],
        [-1, 0, 0, 0],
        [0, 0, -1, 0],
    ] {
        println!(
            "{bad:?}: {:?}, {:?}",
            set_timer(fd, 0, &bad),
            set_timer(99, 0, &bad)
        );
    }
    println!(
        "a pipe: {:?}, {:?}",
        set_timer(from, 0, &NEVER),
        timer_setting(from)
    );
    println!(
        "closed: {:?}, {:?}",
        set_timer(99, 0, &NEVER),
        timer_setting(99)
    );
    close(fd).expect("close");
}

/// Words of a record that are asserted here: number, code, process, status, and the value that was queued.
fn record(fd: u32) -> Result<[i32; 5], Errno> {
    let mut bytes = [0; 128];
    read(fd, &mut bytes)?;
    let word = |place: usize| {
        let bytes = bytes[place..place + 4].try_into().expect("four bytes");
        i32::from_le_bytes(bytes)
    };
    Ok([word(0), word(8), word(12), word(40), word(44)])
}

fn signal_files() {
    let mask = set(&[Signal::USR1, Signal::CHLD, Signal(40)]);
    let before = set_mask(mask);
    let fd = signals(-1, mask, O_NONBLOCK).expect("signalfd4");
    println!("none: {:?}, {:#x}", record(fd), ready(fd, 0));
    kill(id(), Signal::USR1).expect("kill");
    println!("one: {:#x}", ready(fd, 0));
    let found = record(fd).expect("read");
    println!("from oneself: {:?}, {}", &found[..2], found[2] == id());
    for value in [5, 6] {
        queue(id(), Signal(40), value).expect("rt_sigqueueinfo");
    }
    let mut two = [0; 300];
    println!("two at once: {:?}, {:?}", read(fd, &mut two), record(fd));
    println!("their values: {}, {}", two[44], two[128 + 44]);
    println!("short: {:?}", read(fd, &mut [0; 127]));
    let child = spawn(|| 7).expect("fork");
    println!("a child: {:#x}", ready(fd, -1));
    let found = record(fd).expect("read");
    println!(
        "it ended: {:?}, {}, with {}",
        &found[..2],
        found[2] == child,
        found[3]
    );
    wait(child).expect("wait4");
    kill(id(), Signal::USR1).expect("kill");
    println!(
        "others: {:?}",
        signals(fd as i32, set(&[Signal::CHLD]), 0).map(|same| same == fd)
    );
    println!("not that one: {:?}", record(fd));
    let [from, _] = pipe(0).expect("pipe");
    println!("unknown flags: {:?}", signals(-1, mask, 1).map(drop));
    println!(
        "a pipe: {:?}, closed: {:?}",
        signals(from as i32, mask, 0),
        signals(99, mask, 0)
    );
    close(fd).expect("close");
    let fd = signals(-1, set(&[Signal::USR1, Signal(40)]), 0).expect("signalfd4");
    let parent = id();
    let child = spawn(|| {
        sleep(TICK);
        queue(parent, Signal(40), 9).map_or(1, |()| 0)
    });
    record(fd).expect("USR1 is still there");
    println!(
        "waited for: {:?}",
        record(fd).map(|found| [found[0], found[1], found[4]])
    );
    wait(child.expect("fork")).expect("wait4");
    close(fd).expect("close");
    set_mask(before);
}

fn ranges() {
    let flags = |fd: u32| fcntl(fd, F_GETFD, 0);
    let fds = [(); 6].map(|()| counter(0, 0).expect("eventfd2"));
    let [first, .., last] = fds;
    println!("backwards: {:?}", close_range(last, first, 0));
    println!("unknown flags: {:?}", close_range(first, last, 1));
    println!(
        "marked: {:?}",
        close_range(fds[1], fds[2], CLOSE_RANGE_CLOEXEC)
    );
    println!("they are: {:?}", fds.map(flags));
    println!("closed: {:?}", close_range(fds[2], fds[4], 0));
    println!("they are: {:?}", fds.map(flags));
    println!("all: {:?}", close_range(first, u32::MAX, 0));
    println!("they are: {:?}", fds.map(flags));
    println!("again: {:?}", close_range(first, u32::MAX, 0));
}
