//! Time: nanoseconds from the time-stamp counter, ticks from the local APIC, both measured against the old timer chip.
//!
//! The counter is read without a lock and is monotonic on one CPU. Processors that say its rate themselves (CPUID leaf
//! 0x15) are believed; all others are measured for a few milliseconds at boot, and the lowest of several measurements
//! counts, since a disturbance only adds to what is counted.
use core::arch::x86_64::{__cpuid, _rdtsc};

use spin::Once;
use x86_64::instructions::port::Port;

use super::{apic, rtc};
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

/// What a measurement of known length counted.
struct Rates {
    /// Of the time-stamp counter, in a second.
    tsc: u64,
    /// Of the APIC's timer, in a second.
    apic: u64,
}

impl Rates {
    /// Of two measurements the less disturbed one, for each counter: the disturbance may have come between the two.
    fn slower(self, other: Self) -> Self {
        Self {
            tsc: self.tsc.min(other.tsc),
            apic: self.apic.min(other.apic),
        }
    }
}

/// Measures, and starts the clock. Ticks begin with [`start_ticking`].
pub(super) fn init() {
    let rates = measure();
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
        "clock: {} MHz counter, {} kHz timer, {} ticks a second",
        rates.tsc / 1_000_000,
        rates.apic / 1000,
        options::get().hertz
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

fn measure() -> Rates {
    const TRIES: usize = 3;
    let measured = (0..TRIES)
        .filter_map(|_| against_pit())
        .reduce(Rates::slower);
    match (measured, announced_rate()) {
        (Some(measured), announced) => Rates {
            tsc: announced.unwrap_or(measured.tsc),
            apic: measured.apic,
        },
        (None, Some(tsc)) => against_tsc(tsc),
        (None, None) => {
            panic!("this machine has neither a PIT nor a counter of known rate to tell time by")
        }
    }
}

/// The counter's rate in Hz, if the processor says it.
fn announced_rate() -> Option<u64> {
    if __cpuid(0).eax < 0x15 {
        return None;
    }
    let leaf = __cpuid(0x15);
    let (denominator, numerator, crystal) = (
        u64::from(leaf.eax),
        u64::from(leaf.ebx),
        u64::from(leaf.ecx),
    );
    (crystal * numerator)
        .checked_div(denominator)
        .filter(|&rate| rate > 0)
}

/// Counts while channel 2 of the PIT, the speaker's, runs down once. `None` where there is no PIT to wait for.
fn against_pit() -> Option<Rates> {
    const PIT_HERTZ: u64 = 1_193_182;
    const COUNT: u16 = 11_932;
    /// No counter makes so many cycles in 10 ms.
    const TOO_LONG: u64 = 1 << 30;
    start_pit(COUNT);
    apic::start_counting();
    let start = cycles();
    while !pit_is_done() {
        if cycles() - start > TOO_LONG {
            return None;
        }
    }
    let (tsc, apic) = (cycles() - start, u64::from(apic::counted()));
    let a_second = |count: u64| count * PIT_HERTZ / u64::from(COUNT);
    // A chip that is not there is done at once.
    (tsc > 100_000).then(|| Rates {
        tsc: a_second(tsc),
        apic: a_second(apic),
    })
}

/// Counts the APIC's timer for 10 ms of a counter whose rate is known.
fn against_tsc(tsc: u64) -> Rates {
    apic::start_counting();
    let start = cycles();
    while cycles() - start < tsc / 100 {}
    Rates {
        tsc,
        apic: u64::from(apic::counted()) * 100,
    }
}

const PIT_CHANNEL_2: u16 = 0x42;
const PIT_COMMAND: u16 = 0x43;
const SPEAKER: u16 = 0x61;

/// Has channel 2 count down from `count`, once, with the speaker off.
fn start_pit(count: u16) {
    const ONE_SHOT: u8 = 0b1011_0000;
    let gate = read_port(SPEAKER) & !0b11;
    write_port(SPEAKER, gate);
    write_port(PIT_COMMAND, ONE_SHOT);
    write_port(PIT_CHANNEL_2, count as u8);
    write_port(PIT_CHANNEL_2, (count >> 8) as u8);
    write_port(SPEAKER, gate | 1);
}

fn pit_is_done() -> bool {
    read_port(SPEAKER) & 1 << 5 != 0
}

fn read_port(port: u16) -> u8 {
    // SAFETY: reading the speaker's port changes nothing.
    unsafe { Port::new(port).read() }
}

fn write_port(port: u16, value: u8) {
    // SAFETY: the timer chip's ports on every PC; only this file drives them.
    unsafe { Port::new(port).write(value) };
}
