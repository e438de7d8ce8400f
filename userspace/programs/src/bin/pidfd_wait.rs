//! Shows descriptors of processes: waiting for an end by poll(2) and waitid(2), signals, and a process that is gone.
#![no_std]
#![forbid(unsafe_code)]

use core::time::Duration;

use rt::Errno;
use rt::abi::general::{
    O_NONBLOCK, PIDFD_SELF_THREAD, PIDFD_SELF_THREAD_GROUP, POLLHUP, POLLIN, WEXITED, WNOHANG,
    WNOWAIT, pollfd,
};
use rt::file::{close, pipe};
use rt::handler::pause;
use rt::io::{read, write};
use rt::pidfd::{open, send, send_info, wait};
use rt::println;
use rt::process::{Pid, id, spawn};
use rt::ready::poll;
use rt::signal::Signal;
use rt::time::sleep;

/// A number that asks whether a signal could be sent.
const NONE: Signal = Signal(0);

fn main() {
    an_end();
    a_signal();
    impatience();
    oneself();
    refusals();
}

/// What poll says of `fd`, at once or whenever there is something to say.
fn ready(fd: u32, timeout: i32) -> &'static str {
    let mut entry = [pollfd {
        fd: fd as i32,
        events: POLLIN as i16,
        revents: 0,
    }];
    match poll(&mut entry, timeout).map(|_| entry[0].revents as u32) {
        Ok(0) => "alive",
        Ok(POLLIN) => "ended",
        Ok(events) if events == POLLIN | POLLHUP => "forgotten",
        _ => "strange",
    }
}

fn child(body: impl FnOnce() -> u8) -> (Pid, u32) {
    let pid = spawn(body).expect("fork");
    (pid, open(pid, 0).expect("pidfd_open"))
}

fn an_end() {
    let [from, to] = pipe(0).expect("pipe");
    let (_, fd) = child(|| {
        read(from, &mut [0]).expect("read");
        sleep(Duration::from_millis(30));
        7
    });
    println!("before: {}", ready(fd, 0));
    write(to, b"x").expect("write");
    println!("after: {}", ready(fd, -1));
    println!("looked at: {:?}", wait(fd as i32, WEXITED | WNOWAIT));
    println!("a signal to it: {:?}", send(fd as i32, Signal::USR1, 0));
    println!(
        "waited for: {:?}, {}",
        wait(fd as i32, WEXITED),
        ready(fd, -1)
    );
    println!("again: {:?}", wait(fd as i32, WEXITED));
    println!("a signal: {:?}", send(fd as i32, NONE, 0));
    for fd in [from, to, fd] {
        close(fd).expect("close");
    }
}

fn a_signal() {
    for scope in 0..3 {
        let (_, fd) = child(|| {
            loop {
                pause();
            }
        });
        println!("scope {scope}: {:?}", send(fd as i32, Signal::KILL, scope));
        println!("ended by: {:?}", wait(fd as i32, WEXITED));
        close(fd).expect("close");
    }
}

fn impatience() {
    let (pid, _) = child(|| {
        loop {
            pause();
        }
    });
    let fd = open(pid, O_NONBLOCK).expect("pidfd_open") as i32;
    println!("not yet: {:?}", wait(fd, WEXITED));
    println!("with WNOHANG: {:?}", wait(fd, WEXITED | WNOHANG));
    send(fd, Signal::KILL, 0).expect("pidfd_send_signal");
    ready(fd as u32, -1);
    println!("now: {:?}", wait(fd, WEXITED));
}

fn oneself() {
    let fd = open(id(), 0).expect("pidfd_open") as i32;
    println!("oneself: {:?}, {}", send(fd, NONE, 0), ready(fd as u32, 0));
    println!("not a child: {:?}", wait(fd, WEXITED));
    for fd in [PIDFD_SELF_THREAD, PIDFD_SELF_THREAD_GROUP, -20_000] {
        println!("number {fd}: {:?}", send(fd, NONE, 0));
    }
    println!(
        "in kill's name, to oneself: {:?}",
        send_info(fd, Signal::CHLD, [Signal::CHLD.0 as i32, 0])
    );
    println!(
        "numbers that differ: {:?}",
        send_info(fd, Signal::CHLD, [1, 0])
    );
    let (pid, other) = child(|| {
        loop {
            pause();
        }
    });
    println!(
        "to another: {:?}",
        send_info(other as i32, Signal::CHLD, [Signal::CHLD.0 as i32, 0])
    );
    println!(
        "as queued: {:?}",
        send_info(other as i32, Signal::KILL, [Signal::KILL.0 as i32, -1])
    );
    println!("child {}: {:?}", pid > 0, wait(other as i32, WEXITED));
}

fn refusals() {
    let fd = open(id(), 0).expect("pidfd_open") as i32;
    let [from, _] = pipe(0).expect("pipe");
    let number = |result: Result<u32, Errno>| result.map(drop);
    println!(
        "nobody: {:?}, {:?}",
        number(open(0, 0)),
        number(open(32_767 << 7, 0))
    );
    println!("unknown flags: {:?}", number(open(id(), 1)));
    println!("no such signal: {:?}", send(fd, Signal(65), 0));
    println!(
        "two scopes: {:?}, an unknown one: {:?}",
        send(fd, NONE, 3),
        send(fd, NONE, 8)
    );
    println!(
        "a pipe: {:?}, {:?}",
        send(from as i32, NONE, 0),
        wait(from as i32, WEXITED)
    );
    println!("closed: {:?}, {:?}", send(99, NONE, 0), wait(99, WEXITED));
    println!("negative: {:?}", wait(-1, WEXITED));
    println!(
        "read: {:?}, write: {:?}",
        read(fd as u32, &mut [0]),
        write(fd as u32, &[0])
    );
}
