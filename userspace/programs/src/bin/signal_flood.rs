//! Shows that signals which wait never take all memory, whatever limit a program gives itself, and that none is lost.
//!
//! For small machines only: where there is much memory, many may wait. Linux takes root at its word.
#![no_std]
#![forbid(unsafe_code)]

use rt::abi::general::RLIMIT_SIGPENDING;
use rt::handler::{self, Action};
use rt::process::{self, spawn, wait};
use rt::signal::{Signal, kill};
use rt::system::set_limit;
use rt::{Errno, println};

const FLOOD: Signal = Signal(34);
const OTHER: Signal = Signal(35);

/// More than may wait on a machine of 64 MiB, where they may have a megabyte.
const TOO_MANY: u64 = 12_000;

fn main() {
    set_limit(RLIMIT_SIGPENDING, usize::MAX, usize::MAX).expect("root may");
    handler::set_mask(u64::MAX);
    let room = flood();
    println!("no limit of its own, and yet signals that carry something are refused: EAGAIN");
    in_order(room);
    println!("all that were taken are there, in order");
    assert_eq!(flood(), room);
    handler::act(FLOOD, Action::IGNORE).expect("rt_sigaction");
    handler::act(FLOOD, Action::default()).expect("rt_sigaction");
    println!("ignored once, they are gone, and there is room again");
    killed_in_the_flood(room);
}

/// Queues as many as may wait; how many that are.
fn flood() -> u64 {
    let me = process::id();
    let refused = (0..TOO_MANY).find_map(|value| {
        let refusal = handler::queue(me, FLOOD, value).err()?;
        Some((value, refusal))
    });
    let (room, refusal) = refused.expect("not all of them may wait");
    assert_eq!(refusal, Errno::EAGAIN);
    assert_eq!(handler::queue(me, OTHER, 0), Err(Errno::EAGAIN));
    assert!(room > 1000, "{room}");
    room
}

fn in_order(count: u64) {
    for value in 0..count {
        let info = handler::take(handler::set(&[FLOOD]), None).expect("one waits");
        assert_eq!(info.value(), value);
    }
    assert_eq!(handler::pending(), 0);
}

/// Who ends gives back the room that its signals took.
fn killed_in_the_flood(room: u64) {
    let parent = process::id();
    let child = spawn(|| {
        flood();
        kill(parent, Signal::USR1).expect("kill");
        handler::pause();
        0
    });
    let child = child.expect("fork");
    handler::take(handler::set(&[Signal::USR1]), None).expect("the child's word");
    assert_eq!(handler::queue(parent, OTHER, 0), Err(Errno::EAGAIN));
    kill(child, Signal::KILL).expect("kill");
    wait(child).expect("wait");
    handler::take(handler::set(&[Signal::CHLD]), None).expect("the child's end");
    assert_eq!(flood(), room);
    println!("a process that ends takes its signals with it");
}
