//! Time: nanoseconds from the time-stamp counter, ticks from the local APIC, both at the rates that `calibrate` found.
//!
//! The counter is read without a lock and is monotonic on one CPU.
use core::arch::x86_64::_rdtsc;

use spin::Once;

use super::features::{self, Features};
use super::{apic, calibrate, rtc};
use crate::options;

const SECOND: u64 = 1_000_000_000;

/// Nanoseconds from one tick to the next.
pub(crate) fn tick_nanoseconds() -> u64 {
    SECOND / options::get().hertz
}

/// Nanoseconds are `(counter - start) * scale / 2^32`.
struct Clock {
    start: u64,
    scale: u64,
    /// Nanoseconds of the epoch at `start`.
    epoch: u64,
}

static CLOCK: Once<Clock> = Once::new();

/// Counts of the APIC's timer from tick to tick.
static TICK_COUNT: Once<u32> = Once::new();

/// Measures, and starts the clock. Ticks begin with [`start_ticking`].
pub(super) fn init() {
    let rates = calibrate::measure();
    let scale = (u128::from(SECOND) << 32) / u128::from(rates.tsc);
    let epoch = rtc::seconds() * SECOND;
    CLOCK.call_once(|| Clock {
        start: cycles(),
        scale: scale as u64,
        epoch,
    });
    TICK_COUNT
        .call_once(|| (rates.apic / options::get().hertz).clamp(1, u64::from(u32::MAX)) as u32);
    log::info!(
        "clock: {} MHz counter, {} kHz timer, {} ticks a second, by {}",
        rates.tsc / 1_000_000,
        rates.apic / 1000,
        options::get().hertz,
        rates.judge
    );
}

/// Interrupts come from now on, once they are let in.
pub(crate) fn start_ticking() {
    apic::start_ticking(*TICK_COUNT.get().expect("the clock is measured first"));
}

/// The time-stamp counter.
pub(crate) fn cycles() -> u64 {
    // SAFETY: every x86-64 processor has the instruction, and ring 0 may always use it.
    unsafe { _rdtsc() }
}

/// Nanoseconds since boot.
pub(crate) fn nanoseconds() -> u64 {
    let Some(clock) = CLOCK.get() else { return 0 };
    let passed = u128::from(cycles().saturating_sub(clock.start));
    ((passed * u128::from(clock.scale)) >> 32) as u64
}

/// What [`nanoseconds`] and [`wall_nanoseconds`] are computed from: start, scale and epoch. They never change.
pub(super) fn parameters() -> Option<[u64; 3]> {
    let clock = CLOCK.get()?;
    Some([clock.start, clock.scale, clock.epoch])
}

/// Whether the counter goes on at one rate whatever the processor does, by its own word; below a hypervisor it is the
/// hypervisor's business. Where it does not, programs ask the kernel, whose clock could then be another one.
pub(super) fn is_steady() -> bool {
    features::has(Features::INVARIANT_TSC) || features::has(Features::HYPERVISOR)
}

/// Nanoseconds since 1970, UTC, as far as the machine's battery clock can be trusted.
pub(crate) fn wall_nanoseconds() -> u64 {
    CLOCK.get().map_or(0, |clock| clock.epoch) + nanoseconds()
}

/// Says how the clock goes by the battery clock, as the option `drift=` asks: from one change of its second to a later one.
pub(crate) fn tell_drift() {
    let seconds = options::get().drift;
    if seconds == 0 {
        return;
    }
    let first = await_second(rtc::seconds());
    let start = nanoseconds();
    let mut now = first;
    while now < first + seconds {
        now = await_second(now);
    }
    let (passed, expected) = (nanoseconds() - start, (now - first) * SECOND);
    let millionths =
        (passed.cast_signed() - expected.cast_signed()) / (expected / 1_000_000).cast_signed();
    log::info!("clock: {millionths} millionths fast in {} s", now - first);
}

/// Waits until the battery clock shows another second than `last`, and returns that.
fn await_second(last: u64) -> u64 {
    loop {
        let now = rtc::seconds();
        if now != last {
            return now;
        }
    }
}
