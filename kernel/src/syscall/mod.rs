//! System calls: one table (`table.rs`) from Linux's numbers to functions that parse, lock, call, and turn refusals into
//! errno.
//!
//! A number that isn't in the table answers `ENOSYS`, is counted, and is logged once for each number.
mod advice;
mod attributes;
mod by_flags;
mod capability;
mod copying;
mod cursor;
mod descriptor;
mod directory;
mod disk;
mod event;
mod exec;
mod extent;
mod file;
mod foreign;
mod foresight;
mod futex;
mod identity;
mod itimer;
mod limits;
mod locks;
mod memfd;
mod memory;
mod mount;
mod names;
mod open;
mod path;
mod pidfd;
mod pipe;
mod poll;
mod prctl;
mod process;
mod residency;
mod scheduling;
mod select;
mod signal;
mod splice;
mod status;
mod system;
mod table;
mod terminal;
mod time;
mod user;
mod vector;
mod wait;

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub(crate) use system::NAME;

use abi::{Errno, Sysno};

use crate::arch::percpu::{self, Attention};
use crate::arch::trap::TrapFrame;
use crate::options::Kinds;
use crate::trace;
use table::{KNOWN, SERVERS, Server};

/// The six arguments.
type Arguments = [u64; 6];

/// What a call answers.
type Answer = Result<u64, Errno>;

/// How often each number was asked for in vain.
static MISSING: [AtomicU64; KNOWN] = [const { AtomicU64::new(0) }; KNOWN];

/// Serves the call in `frame` and leaves its answer there.
pub(crate) fn dispatch(frame: &mut TrapFrame) {
    if trace::wants(Kinds::SYSCALLS) {
        trace::call(frame, answer);
    } else {
        answer(frame);
    }
}

fn answer(frame: &mut TrapFrame) {
    let (number, arguments) = frame.call();
    let answer = match SERVERS.get(number as usize) {
        Some(Some(Server::Plain(serve))) => serve(),
        Some(Some(Server::Call(serve))) => serve(arguments),
        Some(Some(Server::Frame(serve))) => serve(frame),
        Some(None) | None => missing(number),
    };
    if answer == Ok(COMPLETE) {
        return;
    }
    frame.rax = answer.unwrap_or_else(refusal);
}

/// What ring 3 reads for `errno`. One of the `ERESTART` numbers never gets there: see `signal::deliver`.
fn refusal(errno: Errno) -> u64 {
    if errno.into_raw() >= Errno::ERESTARTSYS.into_raw() {
        percpu::raise(Attention::SIGNAL);
    }
    -i64::from(errno.into_raw()) as u64
}

/// The answer of calls after which the frame is complete: nobody reads it.
const COMPLETE: u64 = u64::MAX;

fn missing(number: u32) -> Answer {
    let counter = MISSING.get(number as usize);
    if counter.is_some_and(|counter| counter.fetch_add(1, Relaxed) == 0) {
        let name = Sysno::new(number as usize).map_or("unknown", |call| call.name());
        log::warn!("system call {number} ({name}) is not there");
    }
    Err(Errno::ENOSYS)
}
