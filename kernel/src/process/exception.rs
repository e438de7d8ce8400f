//! Exceptions other than page faults, raised by ring 3: the signal that Linux sends for each, with its code and address.
use abi::general::{
    BUS_ADRALN, FPE_FLTDIV, FPE_FLTINV, FPE_FLTOVF, FPE_FLTRES, FPE_FLTUND, FPE_INTDIV, ILL_ILLOPN,
    SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP, TRAP_BRKPT, TRAP_TRACE,
};

use super::signal::{Cause, Trap, force};
use crate::arch::debug;
use crate::arch::fpu_image::{sse_exceptions, x87_exceptions};
use crate::arch::trap::TrapFrame;

/// Sends the running program what the exception in `frame` demands.
pub(crate) fn exception(frame: &mut TrapFrame) {
    let Some(cause) = cause(frame) else { return };
    // The processor leaves an error code only where Linux passes it on, but for breakpoints it has its own idea.
    let trap = Trap {
        number: frame.number,
        error: frame.error,
        address: None,
    };
    force(&cause, Some(trap), frame);
}

/// What went wrong; `None` where there is nothing to tell.
fn cause(frame: &TrapFrame) -> Option<Cause> {
    let rip = frame.rip;
    let unnamed = |signal, name| Cause::unnamed(signal, name, rip);
    Some(match frame.number {
        0 => Cause::at(SIGFPE, FPE_INTDIV, "FPE_INTDIV", rip),
        1 => stepped(rip),
        3 => unnamed(SIGTRAP, "breakpoint"),
        6 => Cause::at(SIGILL, ILL_ILLOPN, "ILL_ILLOPN", rip),
        11 | 12 => unnamed(SIGBUS, "segment"),
        16 => arithmetic(x87_exceptions(), rip)?,
        19 => arithmetic(sse_exceptions(), rip)?,
        17 => Cause::at(SIGBUS, BUS_ADRALN, "BUS_ADRALN", 0),
        _ => unnamed(SIGSEGV, "SI_KERNEL"),
    })
}

/// A debug exception: after a single step, or by the instruction made for it.
fn stepped(rip: u64) -> Cause {
    const STEP: u64 = 1 << 14;
    if debug::take_status() & STEP != 0 {
        Cause::at(SIGTRAP, TRAP_TRACE, "TRAP_TRACE", rip)
    } else {
        Cause::at(SIGTRAP, TRAP_BRKPT, "TRAP_BRKPT", rip)
    }
}

/// The gravest of the floating-point exceptions that are raised. Without any there is nothing to tell: the instruction
/// runs again.
fn arithmetic(raised: u32, rip: u64) -> Option<Cause> {
    let kinds = [
        (0x01, FPE_FLTINV, "FPE_FLTINV"),
        (0x04, FPE_FLTDIV, "FPE_FLTDIV"),
        (0x08, FPE_FLTOVF, "FPE_FLTOVF"),
        (0x12, FPE_FLTUND, "FPE_FLTUND"),
        (0x20, FPE_FLTRES, "FPE_FLTRES"),
    ];
    let (_, code, name) = kinds.into_iter().find(|(bits, ..)| raised & bits != 0)?;
    Some(Cause::at(SIGFPE, code, name, rip))
}
