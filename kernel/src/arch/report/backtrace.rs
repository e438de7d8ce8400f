//! The way to where the bug was seen: return addresses along the frame pointers, through interrupts, to ring 3 or the end.
//!
//! Each function's frame is a saved frame pointer below a return address. The entry stubs (`trap.rs`, `syscall.rs`) make
//! the frame pointer lead to the [`TrapFrame`] that they saved, plus one: no other frame pointer is odd, so the trace
//! can say what was interrupted and go on there.
use crate::arch::layout::KERNEL_HALF;
use crate::arch::trap::TrapFrame;
use crate::arch::{paging, uaccess};

/// Steps at most.
const DEPTH: usize = 4096;
/// Lines at most.
const LINES: usize = 64;

/// What is written, with a function that calls itself in one line.
#[derive(Default)]
struct Trace {
    lines: usize,
    last: u64,
    repeated: usize,
}

impl Trace {
    fn push(&mut self, address: u64) {
        if address == self.last {
            self.repeated += 1;
            return;
        }
        self.flush();
        self.last = address;
        self.lines += 1;
        if self.lines <= LINES {
            log::error!("backtrace: {address:#x}");
        }
    }

    fn flush(&mut self) {
        if self.repeated > 0 {
            log::error!("... and {} times more", self.repeated);
        }
        self.repeated = 0;
    }
}

/// The way to the caller.
#[inline(always)]
pub(super) fn from_here() {
    follow(own_frame_pointer());
}

/// The way to what `frame` interrupted, which is told apart.
pub(super) fn after_fault(frame: &TrapFrame) {
    if frame.is_user() {
        return came_from(frame);
    }
    // Code that can't run and user copies have no frame of their own: their caller's address is on top of the stack.
    if (!paging::is_executable(frame.rip) || uaccess::is_copying(frame))
        && let Some(caller) = word(frame.rsp)
    {
        log::error!("backtrace: {caller:#x}");
    }
    follow(frame.rbp);
}

/// Lines with the return addresses, from the frame pointer `rbp` on.
fn follow(mut rbp: u64) {
    let mut trace = Trace::default();
    for _ in 0..DEPTH {
        let next = if rbp & 1 == 1 {
            trace.flush();
            interrupted(rbp - 1)
        } else {
            step(rbp, &mut trace)
        };
        match next {
            Some(next) => rbp = next,
            None => break,
        }
    }
    trace.flush();
}

/// One frame of a function; `None` behind the last.
fn step(rbp: u64, trace: &mut Trace) -> Option<u64> {
    let (caller, address) = (word(rbp)?, word(rbp.checked_add(8)?)?);
    if address == 0 {
        return None;
    }
    trace.push(address);
    // Frames of callers lie above.
    (caller > rbp).then_some(caller)
}

/// What the frame at `address` interrupted, and where its own trace goes on.
fn interrupted(address: u64) -> Option<u64> {
    let end = address.checked_add(size_of::<TrapFrame>() as u64 - 8)?;
    if !paging::is_readable(address) || !paging::is_readable(end) {
        return None;
    }
    // SAFETY: the page tables show these aligned words, and a frame can be made of any numbers. It need not be one still:
    // what it says is only printed.
    let frame = unsafe { (address as *const TrapFrame).read_volatile() };
    if frame.is_user() {
        came_from(&frame);
        return None;
    }
    log::error!("interrupt {} came here:", frame.number);
    log::error!("instruction: {:#x}", frame.rip);
    Some(frame.rbp)
}

/// Where ring 3 was left.
fn came_from(frame: &TrapFrame) {
    log::error!(
        "from ring 3: rip {:#x}, rsp {:#x}, rax {:#x}, rflags {:#x}, vector or call {}",
        frame.rip,
        frame.rsp,
        frame.rax,
        frame.rflags,
        frame.number
    );
}

/// The kernel's word at `address`, if it can be read.
fn word(address: u64) -> Option<u64> {
    // SAFETY: the page tables show this aligned word, and the kernel's words can be read as numbers.
    (address >= KERNEL_HALF && paging::is_readable(address))
        .then(|| unsafe { (address as *const u64).read_volatile() })
}

#[inline(always)]
fn own_frame_pointer() -> u64 {
    let rbp;
    // SAFETY: reads a register.
    unsafe {
        core::arch::asm!("mov {}, rbp", out(reg) rbp, options(nomem, nostack, preserves_flags))
    };
    rbp
}
