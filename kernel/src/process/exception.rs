//! Exceptions other than page faults, raised by ring 3: the signal that Linux sends for each.
use abi::general::{SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP};

use super::signal;
use crate::arch::trap::TrapFrame;

/// Ends the running program as the exception in `frame` demands.
pub(crate) fn exception(frame: &mut TrapFrame) {
    let (number, reason) = match frame.number {
        0 => (SIGFPE, "FPE_INTDIV"),
        1 | 3 => (SIGTRAP, "breakpoint"),
        6 => (SIGILL, "ILL_ILLOPN"),
        11 | 12 => (SIGBUS, "segment"),
        16 | 19 => (SIGFPE, "floating point"),
        17 => (SIGBUS, "BUS_ADRALN"),
        _ => (SIGSEGV, "SI_KERNEL"),
    };
    signal::force(number, reason, frame.rip, frame);
}
