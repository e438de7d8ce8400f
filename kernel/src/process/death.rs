//! The line of log about a program that did what it has no right to: for whoever wonders why it is gone.
use super::current;
use crate::arch::timer;
use crate::arch::trap::TrapFrame;
use crate::rate_limit::RateLimit;

static LINES: RateLimit = RateLimit::new();

/// The running program gets the signal of that name because of `reason`, unless too many did just now.
pub(in crate::process) fn tell(signal: &str, reason: &str, address: u64, frame: &TrapFrame) {
    let Some(left_out) = LINES.admit(timer::nanoseconds()) else {
        return;
    };
    if left_out > 0 {
        log::info!("{left_out} lines about programs that made mistakes were left out");
    }
    let process = current();
    log::info!(
        "{}[{}]: {signal} ({reason}) at {address:#x}, instruction {:#x}, stack {:#x}, error {:#x}",
        process.name(),
        process.pid,
        frame.rip,
        frame.rsp,
        frame.error,
    );
}
