//! What the machine as a whole spent its time on since boot, for `/proc/stat`, `/proc/uptime` and `/proc/loadavg`.
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::arch::timer;

/// In ticks of the timer, of all CPUs.
static USER: AtomicU64 = AtomicU64::new(0);
static SYSTEM: AtomicU64 = AtomicU64::new(0);
static IDLE: AtomicU64 = AtomicU64::new(0);

/// How often the processor went from one thread to another.
static SWITCHES: AtomicU64 = AtomicU64::new(0);

/// Who had the processor when a tick came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ran {
    User,
    Kernel,
    Nobody,
}

/// A timer tick came.
pub(super) fn tick(ran: Ran) {
    let ticks = match ran {
        Ran::User => &USER,
        Ran::Kernel => &SYSTEM,
        Ran::Nobody => &IDLE,
    };
    ticks.fetch_add(1, Relaxed);
}

/// The processor goes to another thread.
pub(super) fn switched() {
    SWITCHES.fetch_add(1, Relaxed);
}

/// How often that happened.
pub(crate) fn switches() -> u64 {
    SWITCHES.load(Relaxed)
}

/// Time in ring 3, in ring 0, and with nothing to do, in nanoseconds.
pub(crate) fn times() -> [u64; 3] {
    [&USER, &SYSTEM, &IDLE].map(|ticks| ticks.load(Relaxed) * timer::tick_nanoseconds())
}
