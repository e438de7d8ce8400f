//! The trace: faults, system calls and scheduling, as they happen, for whoever wants to watch.
//!
//! All kinds share one ring for each CPU, which keeps their order. An event is kept as numbers, and becomes text only when
//! the ring is read: when a process ends, when nobody has anything to do, and on the way back to ring 3 when the ring
//! is half full. What is lost nevertheless is counted. Where nothing is traced, all that each place pays is one test.
mod call;
mod event;
mod names;
mod shape;

use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

use mm::fault::{Access, Change};
use mm::trace::{Fault, Trace};

use self::call::{Call, KEPT, Place};
use self::event::{Event, What};
use crate::arch::memory::memory;
use crate::arch::percpu::{self, Attention};
use crate::arch::trap::TrapFrame;
use crate::arch::{timer, uaccess};
use crate::log::{self as kernel_log, Reader};
use crate::options::{self, Kinds, TraceFormat};

pub(crate) use self::event::Why;

static RINGS: Trace<Event> = Trace::new();

/// What is recorded: the one byte that every place tests.
static KINDS: AtomicU8 = AtomicU8::new(0);

/// Records that are kept for each CPU until they are read.
const RECORDS: usize = 8_192;

/// Starts the trace, if the command line wants one.
pub(crate) fn init() {
    let kinds = options::get().trace;
    if kinds.is_empty() {
        return;
    }
    match RINGS.start(&memory().machine, 1, RECORDS) {
        Ok(()) => KINDS.store(kinds.bits(), Relaxed),
        Err(_) => log::warn!("no memory for the trace"),
    }
}

/// Whether events of one of these kinds are recorded.
#[inline(always)]
pub(crate) fn wants(kinds: Kinds) -> bool {
    KINDS.load(Relaxed) & kinds.bits() != 0
}

/// A fault was served, which began at `start` on the time-stamp counter.
#[cold]
pub(crate) fn fault(
    space: &mm::AddressSpace,
    address: u64,
    access: Access,
    change: Change,
    start: u64,
) {
    let (from, to) = space
        .find_vma(address)
        .map_or((0, 0), |vma| (vma.start.address(), vma.end.address()));
    let cycles = timer::cycles() - start;
    let fault = Fault {
        address,
        access,
        start: from,
        end: to,
        change,
    };
    push(pid(), What::Fault(fault, cycles));
}

/// Has `serve` answer the call in `frame`, and records it.
#[cold]
pub(crate) fn call(frame: &mut TrapFrame, serve: impl FnOnce(&mut TrapFrame)) {
    let (number, arguments) = frame.call();
    // Before the call, because `execve` leaves nothing of what it was given.
    let string = call::place(number, arguments).and_then(read);
    let start = timer::cycles();
    serve(frame);
    let cycles = timer::cycles() - start;
    let call = Call {
        number,
        arguments,
        answer: frame.rax,
        string,
    };
    push(pid(), What::Call(call, cycles));
}

/// The beginning of a string, if it can be read without a fault: the trace must not change what it watches.
fn read(place: Place) -> Option<call::Snippet> {
    let mut bytes = [0; KEPT + 1];
    let count = uaccess::peek(&mut bytes, place.address());
    (count > 0).then(|| place.snippet(&bytes[..count]))
}

/// The processor goes from process `from` to process `to`.
#[cold]
pub(crate) fn switch(from: u32, to: u32, why: Why) {
    push(from, What::Switch(to, why));
}

/// Process `whom` need not wait any more.
#[cold]
pub(crate) fn wake(whom: u32) {
    push(pid(), What::Wake(whom));
}

fn pid() -> u32 {
    percpu::with_current(|thread| thread.process.pid)
}

fn push(pid: u32, what: What) {
    let time = timer::nanoseconds();
    let unread = RINGS.push(&memory().machine, Event { time, pid, what });
    if unread >= RECORDS as u64 / 2 {
        percpu::raise(Attention::TRACE);
    }
}

/// Writes and forgets what the rings hold.
pub(crate) fn write_all() {
    while write_one() {}
}

/// Writes and forgets the oldest record; false where there is none.
pub(crate) fn write_one() -> bool {
    if !wants(Kinds::all()) {
        return false;
    }
    let Some((event, lost)) = RINGS.pop(&memory().machine) else {
        return false;
    };
    if lost > 0 {
        let what = What::Lost(lost);
        write(&Event { what, ..event });
    }
    write(&event);
    true
}

fn write(event: &Event) {
    match options::get().trace_format {
        TraceFormat::Text => {
            let text = event.text(memory());
            kernel_log::write_trace(event.time, format_args!("{text}"), Reader::Person);
        }
        TraceFormat::Json => {
            let json = event.json(memory());
            kernel_log::write_trace(event.time, format_args!("trace: {json}"), Reader::Program);
        }
    }
}
