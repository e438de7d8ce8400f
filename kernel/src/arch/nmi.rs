//! Non-maskable interrupts: they come at any moment, so they are only counted, and a tick of the timer tells.
//!
//! What they interrupt may hold any lock, the log's among them. The chipset says whether memory or a device was the cause;
//! nothing more is known of the others, and life goes on as on Linux.
use core::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};

use x86_64::instructions::port::Port;

use super::timer;
use crate::rate_limit::RateLimit;

/// Those that nobody was told of yet.
static COUNT: AtomicU32 = AtomicU32::new(0);
/// What the chipset said at one of them.
static REASON: AtomicU8 = AtomicU8::new(0);

static LINES: RateLimit = RateLimit::new();

const MEMORY: u8 = 1 << 7;
const DEVICE: u8 = 1 << 6;

/// One came. On its own stack, with nothing known of what it interrupted.
pub(super) fn arrived() {
    const SYSTEM_CONTROL: u16 = 0x61;
    // SAFETY: reading the port changes nothing.
    let reason: u8 = unsafe { Port::new(SYSTEM_CONTROL).read() };
    REASON.fetch_or(reason & (MEMORY | DEVICE), Relaxed);
    COUNT.fetch_add(1, Relaxed);
}

/// Logs those that came since the last call.
pub(super) fn tell() {
    // What is not told now is counted on.
    if COUNT.load(Relaxed) == 0 || LINES.admit(timer::nanoseconds()).is_none() {
        return;
    }
    let (count, reason) = (COUNT.swap(0, Relaxed), REASON.swap(0, Relaxed));
    let cause = match (reason & MEMORY != 0, reason & DEVICE != 0) {
        (false, false) => "of unknown cause",
        (true, false) => "because of an error in memory or on a bus",
        (false, true) => "because of an error of a device",
        (true, true) => "because of errors of memory and of a device",
    };
    log::warn!("{count} non-maskable interrupts {cause}");
}
