//! Interval timers, and `alarm`.
use abi::Errno;
use abi::general::{ITIMER_PROF, ITIMER_REAL, ITIMER_VIRTUAL};

use super::{Answer, Arguments, user};
use crate::process::itimer::{self, Kind, Setting};
use crate::process::usage::timeval;

const MICROSECOND: u64 = 1000;
const SECOND: u64 = 1_000_000_000;

/// Which timer `which` is.
fn kind(which: u64) -> Result<Kind, Errno> {
    match which as u32 {
        ITIMER_REAL => Ok(Kind::Real),
        ITIMER_VIRTUAL => Ok(Kind::Virtual),
        ITIMER_PROF => Ok(Kind::Profile),
        _ => Err(Errno::EINVAL),
    }
}

/// `struct itimerval` has the interval first.
fn write(address: u64, setting: Setting) -> Result<(), Errno> {
    let [interval, value] = [setting.interval, setting.value].map(timeval);
    user::write_words(address, [interval[0], interval[1], value[0], value[1]])
}

fn read(address: u64) -> Result<Setting, Errno> {
    // As on Linux, no setting is one that stops the timer.
    if address == 0 {
        return Ok(Setting::default());
    }
    let [seconds, micros, value_seconds, value_micros] = user::read_words(address)?;
    Ok(Setting {
        value: nanoseconds(value_seconds, value_micros)?,
        interval: nanoseconds(seconds, micros)?,
    })
}

fn nanoseconds(seconds: u64, micros: u64) -> Result<u64, Errno> {
    if (seconds as i64) < 0 || micros >= 1_000_000 {
        return Err(Errno::EINVAL);
    }
    let seconds = seconds.saturating_mul(SECOND);
    // Bounded, so that a deadline can be added to without care.
    Ok(seconds
        .saturating_add(micros * MICROSECOND)
        .min(u64::MAX / 4))
}

/// setitimer(2).
pub(super) fn setitimer([which, new, old, ..]: Arguments) -> Answer {
    let setting = read(new)?;
    let before = itimer::set(kind(which)?, setting);
    if old != 0 {
        write(old, before)?;
    }
    Ok(0)
}

/// getitimer(2).
pub(super) fn getitimer([which, setting, ..]: Arguments) -> Answer {
    write(setting, itimer::get(kind(which)?))?;
    Ok(0)
}

/// alarm(2): the seconds that were left of the alarm before, rounded, but not to 0.
pub(super) fn alarm([seconds, ..]: Arguments) -> Answer {
    let setting = Setting {
        value: u64::from(seconds as u32) * SECOND,
        interval: 0,
    };
    let before = itimer::set(Kind::Real, setting).value;
    let rounded = (before + SECOND / 2) / SECOND;
    Ok(rounded.max(u64::from(before > 0)))
}
