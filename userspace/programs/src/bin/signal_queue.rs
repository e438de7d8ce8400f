//! Shows how signals wait: standard ones once, real-time ones each in its turn with what it carries, and not without end.
#![no_std]
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use core::time::Duration;

use rt::abi::Sysno;
use rt::abi::general::{RLIMIT_SIGPENDING, SI_QUEUE, SI_USER};
use rt::handler::{self, Action, Context, Info};
use rt::process::{self, Status, run_in_child, spawn, wait};
use rt::signal::{Signal, kill};
use rt::{Errno, println, syscall, time};

const FIRST: Signal = Signal(34);
const SECOND: Signal = Signal(35);
const LAST: Signal = Signal(64);

static SEEN: AtomicU64 = AtomicU64::new(0);

fn main() {
    let me = process::id();
    for signal in [Signal::USR1, Signal::USR2, FIRST, SECOND, LAST] {
        handler::handle(signal, show, 0);
    }
    println!("sent while blocked, then let in at once (the last handler entered runs first):");
    handler::set_mask(u64::MAX);
    for (signal, value) in [(SECOND, 1), (FIRST, 2), (LAST, 3), (FIRST, 4), (SECOND, 5)] {
        handler::queue(me, signal, value).expect("rt_sigqueueinfo");
    }
    for value in [6, 7] {
        handler::queue(me, Signal::USR2, value).expect("rt_sigqueueinfo");
    }
    kill(me, Signal::USR1).expect("kill");
    println!("  waiting: {:#x}", handler::pending());
    handler::set_mask(0);

    println!("taken one by one, which handlers never see:");
    handler::set_mask(u64::MAX);
    for (signal, value) in [(SECOND, 1), (FIRST, 2), (SECOND, 3), (Signal::USR1, 4)] {
        handler::queue(me, signal, value).expect("rt_sigqueueinfo");
    }
    while let Ok(info) = handler::take(u64::MAX, Some(Duration::ZERO)) {
        println!("  {}: value {}", Signal(info.number as u32), info.value());
    }
    taking();
    ignoring();
    limit();
    refusals();
    inheritance();
}

extern "C" fn show(number: i32, info: &mut Info, _: &mut Context) {
    let kind = match info.code {
        SI_QUEUE => "queued",
        code if code == SI_USER as i32 => "by kill",
        _ => "?",
    };
    println!(
        "  {}: {kind}, value {}",
        Signal(number as u32),
        info.value()
    );
}

extern "C" fn count(_: i32, _: &mut Info, _: &mut Context) {
    SEEN.fetch_add(1, Relaxed);
}

/// rt_sigtimedwait in all its ends.
fn taking() {
    let me = process::id();
    let soon = Some(Duration::from_millis(20));
    assert_eq!(
        handler::take(handler::set(&[Signal::USR1]), soon),
        Err(Errno::EAGAIN)
    );
    let child = spawn(|| u8::from(handler::queue(me, FIRST, 9).is_err())).expect("fork");
    let info = handler::take(handler::set(&[FIRST]), None).expect("rt_sigtimedwait");
    assert_eq!(
        (info.number, info.value(), info.pid()),
        (FIRST.0 as i32, 9, child)
    );
    wait(child).expect("wait");
    handler::set_mask(handler::set(&[FIRST]));
    // The first may come before there is a wait to interrupt. Its own end must not interrupt it.
    handler::handle(Signal::USR2, count, 0);
    let child = spawn(|| {
        while kill(me, Signal::USR2).is_ok() {
            time::sleep(Duration::from_millis(5));
        }
        1
    });
    let child = child.expect("fork");
    assert_eq!(
        handler::take(handler::set(&[FIRST]), None),
        Err(Errno::EINTR)
    );
    kill(child, Signal::KILL).expect("kill");
    wait(child).expect("wait");
    SEEN.store(0, Relaxed);
    handler::handle(Signal::USR2, show, 0);
    println!("rt_sigtimedwait: EAGAIN in time, a signal from a child, EINTR by another signal");
}

/// What is ignored is gone, unless it is blocked.
fn ignoring() {
    let me = process::id();
    handler::set_mask(handler::set(&[Signal::USR1]));
    handler::act(Signal::USR1, Action::IGNORE).expect("rt_sigaction");
    handler::act(Signal::USR2, Action::IGNORE).expect("rt_sigaction");
    kill(me, Signal::USR1).expect("kill");
    kill(me, Signal::USR2).expect("kill");
    println!(
        "ignored, one of them blocked: waiting {:#x}",
        handler::pending()
    );
    handler::act(Signal::USR1, Action::IGNORE).expect("rt_sigaction");
    println!("ignored once more: waiting {:#x}", handler::pending());
    handler::set_mask(0);
}

/// As many as RLIMIT_SIGPENDING allows, to this user's processes together.
fn limit() {
    const MANY: u64 = 1000;
    let me = process::id();
    handler::handle(FIRST, count, 0);
    handler::set_mask(handler::set(&[FIRST]));
    for value in 0..MANY {
        handler::queue(me, FIRST, value).expect("rt_sigqueueinfo");
    }
    let limit = [0usize, 0];
    let none = [
        RLIMIT_SIGPENDING as usize,
        limit.as_ptr() as usize,
        0,
        0,
        0,
        0,
    ];
    let status = run_in_child(|| {
        syscall::raw(Sysno::setrlimit as usize, none).expect("setrlimit");
        handler::set_mask(u64::MAX);
        let me = process::id();
        let refused = handler::queue(me, FIRST, 1);
        println!("no room: a queued real-time signal {refused:?}");
        kill(me, FIRST).expect("kill");
        kill(me, Signal::USR1).expect("kill");
        println!(
            "sent by kill they wait all the same: {:#x}",
            handler::pending()
        );
        let info = handler::take(handler::set(&[FIRST]), None).expect("rt_sigtimedwait");
        println!(
            "though nobody knows any more from whom: process {}",
            info.pid()
        );
        0
    });
    assert_eq!(status, Status::Exited(0));
    handler::set_mask(0);
    assert_eq!(SEEN.load(Relaxed), MANY);
    println!("{MANY} of one real-time signal: each was delivered");
}

/// What may not be sent, and to whom.
fn refusals() {
    let info = Info {
        code: SI_USER as i32,
        ..Info::default()
    };
    let send = |pid: i32, signal: usize| {
        let arguments = [pid as usize, signal, &raw const info as usize, 0, 0, 0];
        syscall::raw(Sysno::rt_sigqueueinfo as usize, arguments)
    };
    println!(
        "as if kill had sent it: to the parent {:?}, to oneself {:?}",
        send(process::parent_id(), 28),
        send(process::id(), 28)
    );
    println!(
        "signal 65 {:?}, process 0x7fffffff {:?}",
        send(process::id(), 65),
        handler::queue(i32::MAX, FIRST, 0)
    );
    let raw =
        |call: Sysno, a: usize, b: usize, c: usize| syscall::raw(call as usize, [a, b, c, 0, 0, 0]);
    println!(
        "tkill 0 {:?}, tgkill with two minds {:?}",
        raw(Sysno::tkill, 0, 10, 0),
        raw(Sysno::tgkill, 0x7fff_ffff, process::id() as usize, 10)
    );
    println!(
        "sets of the wrong size: {:?} {:?} {:?}",
        raw(Sysno::rt_sigpending, 0, 16, 0),
        raw(Sysno::rt_sigsuspend, 0, 4, 0),
        raw(Sysno::rt_sigaction, 10, 0, 0)
    );
}

/// fork: nothing waits for the child. execve is shown by others.
fn inheritance() {
    let me = process::id();
    handler::set_mask(u64::MAX);
    kill(me, Signal::TERM).expect("kill");
    let status = run_in_child(|| {
        u8::from(handler::pending() != 0 || handler::mask() != !(1 << 8 | 1 << 18))
    });
    assert_eq!(status, Status::Exited(0));
    println!("fork: the mask is inherited, what waits is not");
    assert_eq!(
        handler::take(u64::MAX, None).map(|info| info.number),
        Ok(Signal::TERM.0 as i32)
    );
}
