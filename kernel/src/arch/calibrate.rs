//! How fast this CPU's counters run: measured for a few milliseconds at boot against a clock of known rate.
//!
//! Such a clock is the old timer chip (PIT) or, where a machine has none or keeps it switched off, ACPI's timer.
//! Processors that say their counter's rate themselves (CPUID leaf 0x15) are believed, and are the last resort for the
//! APIC's timer. The lowest of several measurements counts, since a disturbance only adds to what is counted.
use core::arch::x86_64::__cpuid;
use core::fmt;

use x86_64::instructions::port::Port;

use super::pm_timer::PmTimer;
use super::timer::cycles;
use super::{apic, pm_timer};

/// Measurements that are made, where there is something to measure against.
const TRIES: usize = 3;

/// No counter makes so many cycles in 10 ms.
const TOO_LONG: u64 = 1 << 30;

/// What a measurement of known length counted.
pub(super) struct Rates {
    /// Of the time-stamp counter, in a second.
    pub(super) tsc: u64,
    /// Of the APIC's timer, in a second.
    pub(super) apic: u64,
    /// What they were held against.
    pub(super) judge: Judge,
}

/// A clock of known rate.
#[derive(Clone, Copy)]
pub(super) enum Judge {
    Pit,
    PmTimer,
    /// The time-stamp counter itself.
    Processor,
}

impl fmt::Display for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pit => "the PIT",
            Self::PmTimer => "ACPI's timer",
            Self::Processor => "the processor's own word",
        })
    }
}

impl Rates {
    /// Of `counted` cycles and counts in so many parts of a second.
    fn of((tsc, apic): (u64, u64), parts: u64, of_a_second: u64, judge: Judge) -> Self {
        let a_second = |count: u64| count * of_a_second / parts;
        Self {
            tsc: a_second(tsc),
            apic: a_second(apic),
            judge,
        }
    }

    /// Of two measurements the less disturbed one, for each counter: the disturbance may have come between the two.
    fn slower(self, other: Self) -> Self {
        Self {
            tsc: self.tsc.min(other.tsc),
            apic: self.apic.min(other.apic),
            judge: self.judge,
        }
    }
}

/// Measures against the best clock that the machine has.
pub(super) fn measure() -> Rates {
    let measured = lowest(against_pit)
        .or_else(|| pm_timer::get().and_then(|clock| lowest(|| against_pm_timer(clock))));
    match (measured, announced_rate()) {
        (Some(measured), announced) => Rates {
            tsc: announced.unwrap_or(measured.tsc),
            ..measured
        },
        (None, Some(tsc)) => against_tsc(tsc),
        (None, None) => panic!(
            "this machine has nothing to tell time by: no PIT, no timer of ACPI's, no counter of known rate"
        ),
    }
}

/// The least disturbed of several measurements; `None` where the first finds nothing to measure against.
fn lowest(measure: impl Fn() -> Option<Rates>) -> Option<Rates> {
    (0..TRIES).map_while(|_| measure()).reduce(Rates::slower)
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

/// Counts while channel 2 of the PIT, the speaker's, runs down once, and for as long as it takes to notice. `None` where
/// there is no PIT to wait for.
fn against_pit() -> Option<Rates> {
    const PIT_HERTZ: u64 = 1_193_182;
    const COUNT: u16 = 11_932;
    prepare_pit();
    write_port(PIT_CHANNEL_2, COUNT as u8);
    apic::start_counting();
    // The chip is started and read inside of what is counted, so that an interruption in between can only add to it.
    let start = cycles();
    write_port(PIT_CHANNEL_2, (COUNT >> 8) as u8);
    while !pit_is_done() {
        if cycles() - start > TOO_LONG {
            return None;
        }
    }
    // It goes on below zero.
    let passed = COUNT.wrapping_sub(pit_count());
    let counted = (cycles() - start, u64::from(apic::counted()));
    // A chip that is not there is done at once.
    (counted.0 > 100_000).then(|| Rates::of(counted, passed.into(), PIT_HERTZ, Judge::Pit))
}

/// Counts for 10 ms of ACPI's timer. `None` where that stands still.
fn against_pm_timer(clock: &PmTimer) -> Option<Rates> {
    const WANTED: u64 = pm_timer::HERTZ / 100;
    apic::start_counting();
    // The clock is read inside of what is counted, so that an interruption in between can only add to it.
    let start = cycles();
    let first = clock.count();
    let passed = loop {
        let passed = u64::from(clock.since(first));
        if passed >= WANTED {
            break passed;
        }
        if cycles() - start > TOO_LONG {
            return None;
        }
    };
    let counted = (cycles() - start, u64::from(apic::counted()));
    Some(Rates::of(counted, passed, pm_timer::HERTZ, Judge::PmTimer))
}

/// Counts the APIC's timer for 10 ms of a counter whose rate is known.
fn against_tsc(tsc: u64) -> Rates {
    apic::start_counting();
    let start = cycles();
    while cycles() - start < tsc / 100 {}
    Rates {
        tsc,
        apic: u64::from(apic::counted()) * 100,
        judge: Judge::Processor,
    }
}

const PIT_CHANNEL_2: u16 = 0x42;
const PIT_COMMAND: u16 = 0x43;
const SPEAKER: u16 = 0x61;

/// Has channel 2 count down once, with the speaker off, as soon as it gets both bytes of a count.
fn prepare_pit() {
    const ONE_SHOT: u8 = 0b1011_0000;
    write_port(SPEAKER, read_port(SPEAKER) & !0b11 | 1);
    write_port(PIT_COMMAND, ONE_SHOT);
}

/// What channel 2 shows.
fn pit_count() -> u16 {
    const LATCH: u8 = 0b1000_0000;
    write_port(PIT_COMMAND, LATCH);
    let low = read_port(PIT_CHANNEL_2);
    u16::from_le_bytes([low, read_port(PIT_CHANNEL_2)])
}

fn pit_is_done() -> bool {
    read_port(SPEAKER) & 1 << 5 != 0
}

fn read_port(port: u16) -> u8 {
    // SAFETY: reading the ports of speaker and timer chip changes nothing but which byte of a count comes next.
    unsafe { Port::new(port).read() }
}

fn write_port(port: u16, value: u8) {
    // SAFETY: the timer chip's ports on every PC; only this file drives them.
    unsafe { Port::new(port).write(value) };
}
