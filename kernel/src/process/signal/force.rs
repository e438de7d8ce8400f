//! Faults of the running program: the signal that its own last instruction brings upon it.
//!
//! Such a signal can't wait: where it is blocked or ignored, the process ends by it.
use abi::general::{
    BUS_ADRERR, SEGV_ACCERR, SEGV_MAPERR, SIGBUS, SIGFPE, SIGILL, SIGKILL, SIGSEGV, SIGTRAP,
};
use mm::Denial;

use super::info::Info;
use super::state::Trap;
use crate::arch::percpu::{self, Attention};
use crate::arch::trap::TrapFrame;
use crate::process::{current, death};

/// What went wrong, for the program and for the log.
#[derive(Clone, Copy)]
pub(crate) struct Cause {
    pub(crate) info: Info,
    /// Its code's name.
    pub(crate) name: &'static str,
    /// What the log says of where.
    pub(crate) address: u64,
}

impl Cause {
    /// A fault with a code of its own, at `address`.
    pub(crate) fn at(signal: u32, code: u32, name: &'static str, address: u64) -> Self {
        let info = Info::of_fault(signal, code, address);
        Self {
            info,
            name,
            address,
        }
    }

    /// A fault of which Linux tells the program nothing but the signal.
    pub(crate) fn unnamed(signal: u32, name: &'static str, address: u64) -> Self {
        let info = Info::of_kernel(signal);
        Self {
            info,
            name,
            address,
        }
    }
}

/// Sends the running program what it brought upon itself; the log says why where it ends of it.
///
/// `trap` is the exception that it was, or `None` for what the kernel found out by itself.
pub(crate) fn force(cause: &Cause, trap: Option<Trap>, frame: &TrapFrame) {
    let process = current();
    let ends = process.signals.change(|state| {
        state.thread.note_trap(trap);
        state.force(cause.info)
    });
    percpu::raise(Attention::SIGNAL);
    if ends {
        let signal = name(cause.info.signal());
        death::tell(signal, cause.name, cause.address, frame);
    }
}

/// A page fault without right.
pub(crate) fn force_denied(denial: Denial, address: u64, frame: &TrapFrame) {
    const PAGE_FAULT: u64 = 14;
    const PRESENT: u64 = 1 << 0;
    const USER: u64 = 1 << 2;
    let cause = match denial {
        Denial::Unmapped => Cause::at(SIGSEGV, SEGV_MAPERR, "SEGV_MAPERR", address),
        Denial::Forbidden => Cause::at(SIGSEGV, SEGV_ACCERR, "SEGV_ACCERR", address),
        Denial::PastEnd | Denial::NotPromised | Denial::Unreadable => {
            Cause::at(SIGBUS, BUS_ADRERR, "BUS_ADRERR", address)
        }
    };
    // As on Linux, programs can't tell which of the kernel's addresses are mapped.
    let hidden = if address < mm::space::USER_END.address() {
        0
    } else {
        PRESENT
    };
    let trap = Trap {
        number: PAGE_FAULT,
        error: frame.error | USER | hidden,
        address: Some(address),
    };
    force(&cause, Some(trap), frame);
}

fn name(signal: u32) -> &'static str {
    match signal {
        SIGILL => "SIGILL",
        SIGTRAP => "SIGTRAP",
        SIGBUS => "SIGBUS",
        SIGFPE => "SIGFPE",
        SIGKILL => "SIGKILL",
        SIGSEGV => "SIGSEGV",
        _ => "signal",
    }
}
