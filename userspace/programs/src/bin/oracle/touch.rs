//! Touches: one access each, whose fault is a result, or is repaired by a handler that returns to the access.

use core::fmt::Write;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use rt::abi::Sysno;
use rt::abi::general::SA_ONSTACK;
use rt::attempt::{self, Fault};
use rt::handler::{self, Context, Info};
use rt::memory::{PAGE, munmap};
use rt::signal::Signal;
use rt::{Errno, syscall};

use crate::files::descriptor;
use crate::log::mode;
use crate::machine::{Machine, REACH, WINDOW};

/// The kind of touch that runs what is there.
const EXECUTE: usize = 2;

/// Two ways to repair.
const PROTECT: usize = 2;
const UNMAP: usize = 3;

/// What `execute` may run into.
const RETURN: u8 = 0xc3;

/// The bit of an error code that says that a page was there.
const PRESENT: u64 = 1;

/// The bit of a way to repair that has the handler run on the other stack.
const ASIDE: usize = 0x10;

/// So many faults of an access are repaired; the next is its result.
const PATIENCE: usize = 3;

/// The other stack, with room for all registers of any processor.
static STACK: [AtomicU64; 4096] = [const { AtomicU64::new(0) }; 4096];

/// How to repair, and what came of it: for each fault signal and code, address, error code, and the repair's answer.
static WAY: AtomicUsize = AtomicUsize::new(0);
static FAULTS: AtomicUsize = AtomicUsize::new(0);
static SEEN: [[AtomicU64; 4]; PATIENCE] = [const { [const { AtomicU64::new(0) }; 4] }; PATIENCE];

impl Machine {
    pub(crate) fn touch(&mut self, at: usize, kind: usize, index: usize) {
        let outcome = match kind {
            0 => attempt::load(at).map(|word| word as usize),
            1 => attempt::store(at, index as u64 * 0x0101_0101_0101_0101 + 1).map(|()| 0),
            EXECUTE => execute(at),
            3 => attempt::rewrite(at).map(|()| 0),
            _ => attempt::store(at, u64::from_ne_bytes([RETURN; 8])).map(|()| 0),
        };
        match outcome {
            Ok(value) => self.say(Ok(value)),
            Err(fault) => self.say_fault(fault),
        }
    }

    /// The same, while a handler repairs what it can in one of the ways below.
    pub(crate) fn touch_repaired(&mut self, at: usize, kind: usize, way: usize, index: usize) {
        // What else a repair puts there is no code to run.
        let kind = match (kind, way & !ASIDE) {
            (EXECUTE, PROTECT | UNMAP) => EXECUTE,
            (EXECUTE, _) => 0,
            _ => kind,
        };
        WAY.store(way, Relaxed);
        FAULTS.store(0, Relaxed);
        let flags = if way & ASIDE != 0 { SA_ONSTACK } else { 0 };
        handler::set_stack(STACK.as_ptr() as usize, size_of_val(&STACK), 0).expect("sigaltstack");
        handler::handle(Signal::SEGV, repair, flags);
        handler::handle(Signal::BUS, repair, flags);
        self.touch(at, kind, index);
        attempt::prepare();
        for fault in &SEEN[..FAULTS.load(Relaxed).min(PATIENCE)] {
            let [what, address, error, answer] = fault.each_ref().map(|word| word.load(Relaxed));
            self.say_fault(Fault {
                signal: (what >> 32) as i32,
                code: what as i32,
                address,
                error,
            });
            let _ = write!(self.log, " repair");
            self.say(Errno::from_ret(answer as usize).map(|value| value.min(1)));
        }
    }

    pub(crate) fn say_fault(&mut self, fault: Fault) {
        let address = fault.address as usize;
        let is_heap = address < WINDOW - REACH;
        let base = if is_heap { self.heap } else { WINDOW };
        // Whether a page was there is chance where the kernel maps around faults.
        let hidden = if self.log.is(mode::COUNTED) {
            0
        } else {
            PRESENT
        };
        let _ = write!(
            self.log,
            " signal {} code {} at {:x} error {:x}",
            fault.signal,
            fault.code,
            address.wrapping_sub(base),
            fault.error & !hidden
        );
    }
}

/// Runs what lies there, if it is nothing worse than a return.
fn execute(at: usize) -> Result<usize, Fault> {
    match attempt::load(at) {
        Ok(word) if word as u8 != RETURN => Ok(usize::MAX),
        _ => attempt::execute(at).map(|()| 0),
    }
}

extern "C" fn repair(signal: i32, info: &mut Info, context: &mut Context) {
    let Some(seen) = SEEN.get(FAULTS.fetch_add(1, Relaxed)) else {
        return attempt::give_up(signal, info, context);
    };
    let address = info.address();
    let answer = repair_at(address as usize & !(PAGE - 1), WAY.load(Relaxed) & !ASIDE);
    let answer = match answer {
        Ok(value) => value as u64,
        Err(errno) => (errno.into_raw() as i64).wrapping_neg() as u64,
    };
    let what = (signal as u64) << 32 | u64::from(info.code as u32);
    for (place, word) in seen
        .iter()
        .zip([what, address, context.registers.error, answer])
    {
        place.store(word, Relaxed);
    }
}

/// One way to deal with a fault in `page`; not all of them help.
fn repair_at(page: usize, way: usize) -> Result<usize, Errno> {
    const RWX: usize = 7;
    const FIXED: usize = 0x10;
    const ANONYMOUS: usize = 0x20;
    const SHARED: usize = 1;
    const PRIVATE: usize = 2;
    const MAY_MOVE_THERE: usize = 3;
    let map = |kind: usize| {
        let words = [page, PAGE, RWX, FIXED | ANONYMOUS | kind, usize::MAX, 0];
        // As in `map`: what a limit refuses leaves areas cut, or not.
        syscall::raw(Sysno::mmap as usize, words).inspect_err(|_| _ = munmap(page, PAGE))
    };
    let call = |call: Sysno, words: [usize; 5]| {
        let [a, b, c, d, e] = words;
        syscall::raw(call as usize, [a, b, c, d, e, 0])
    };
    match way {
        0 => map(PRIVATE),
        1 => map(SHARED),
        PROTECT => call(Sysno::mprotect, [page, PAGE, RWX, 0, 0]),
        UNMAP => call(Sysno::munmap, [page, PAGE, 0, 0, 0]),
        4 => call(
            Sysno::mremap,
            [page + PAGE, PAGE, PAGE, MAY_MOVE_THERE, page],
        ),
        5 => call(Sysno::ftruncate, [descriptor(0), 16 * PAGE, 0, 0, 0]),
        _ => Ok(0),
    }
}
