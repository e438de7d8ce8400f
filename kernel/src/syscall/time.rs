//! Clocks and sleeping.
use abi::Errno;
use abi::general::{
    CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE,
    CLOCK_MONOTONIC_RAW, CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME, CLOCK_REALTIME_ALARM,
    CLOCK_REALTIME_COARSE, CLOCK_TAI, CLOCK_THREAD_CPUTIME_ID, TIMER_ABSTIME,
};

use super::{Answer, Arguments, user};
use crate::arch::timer;
use crate::process::usage::timeval;
use crate::process::{current, sched, signal};

const SECOND: u64 = 1_000_000_000;

/// The tick of `times`, in nanoseconds: 100 a second.
const CLOCK_TICK: u64 = SECOND / 100;

/// What clock `id` shows, in nanoseconds.
fn clock(id: u32) -> Result<u64, Errno> {
    match id {
        CLOCK_REALTIME | CLOCK_REALTIME_COARSE | CLOCK_TAI => Ok(timer::wall_nanoseconds()),
        CLOCK_MONOTONIC | CLOCK_MONOTONIC_RAW | CLOCK_MONOTONIC_COARSE | CLOCK_BOOTTIME => {
            Ok(timer::nanoseconds())
        }
        CLOCK_PROCESS_CPUTIME_ID | CLOCK_THREAD_CPUTIME_ID => {
            let (user, system) = current().usage.own.times();
            Ok(user + system)
        }
        _ => Err(Errno::EINVAL),
    }
}

/// clock_gettime(2).
pub(super) fn clock_gettime([id, time, ..]: Arguments) -> Answer {
    let now = clock(id as u32)?;
    user::write_words(time, [now / SECOND, now % SECOND])?;
    Ok(0)
}

/// clock_getres(2).
pub(super) fn clock_getres([id, resolution, ..]: Arguments) -> Answer {
    clock(id as u32)?;
    let coarse = matches!(id as u32, CLOCK_REALTIME_COARSE | CLOCK_MONOTONIC_COARSE);
    let nanoseconds = if coarse { timer::tick_nanoseconds() } else { 1 };
    if resolution != 0 {
        user::write_words(resolution, [0, nanoseconds])?;
    }
    Ok(0)
}

/// gettimeofday(2).
pub(super) fn gettimeofday([time, zone, ..]: Arguments) -> Answer {
    if time != 0 {
        user::write_words(time, timeval(timer::wall_nanoseconds()))?;
    }
    if zone != 0 {
        user::write_words(zone, [0])?;
    }
    Ok(0)
}

/// time(2).
pub(super) fn time([time, ..]: Arguments) -> Answer {
    let now = timer::wall_nanoseconds() / SECOND;
    if time != 0 {
        user::write_words(time, [now])?;
    }
    Ok(now)
}

/// times(2).
pub(super) fn times([buffer, ..]: Arguments) -> Answer {
    let process = current();
    if buffer != 0 {
        let (user, system) = process.usage.own.times();
        let (child_user, child_system) = process.usage.children.times();
        user::write_words(
            buffer,
            [user, system, child_user, child_system].map(|time| time / CLOCK_TICK),
        )?;
    }
    Ok(timer::nanoseconds() / CLOCK_TICK)
}

/// nanosleep(2).
pub(super) fn nanosleep([wanted, rest, ..]: Arguments) -> Answer {
    let time = duration(wanted)?;
    sleep_until(timer::nanoseconds().saturating_add(time), rest)
}

/// clock_nanosleep(2).
pub(super) fn clock_nanosleep([id, flags, wanted, rest, ..]: Arguments) -> Answer {
    let now = match id as u32 {
        CLOCK_REALTIME | CLOCK_TAI | CLOCK_MONOTONIC | CLOCK_BOOTTIME => clock(id as u32)?,
        CLOCK_THREAD_CPUTIME_ID
        | CLOCK_REALTIME_ALARM
        | CLOCK_BOOTTIME_ALARM
        | CLOCK_PROCESS_CPUTIME_ID
        | CLOCK_MONOTONIC_RAW
        | CLOCK_REALTIME_COARSE
        | CLOCK_MONOTONIC_COARSE => {
            return Err(Errno::EOPNOTSUPP);
        }
        _ => return Err(Errno::EINVAL),
    };
    let time = duration(wanted)?;
    if flags as u32 & TIMER_ABSTIME != 0 {
        return sleep_until(
            timer::nanoseconds().saturating_add(time.saturating_sub(now)),
            0,
        );
    }
    sleep_until(timer::nanoseconds().saturating_add(time), rest)
}

/// The time at `address`, in nanoseconds.
fn duration(address: u64) -> Result<u64, Errno> {
    let [seconds, nanoseconds] = user::read_words(address)?;
    if seconds as i64 >= 0 && nanoseconds < SECOND {
        Ok(seconds.saturating_mul(SECOND).saturating_add(nanoseconds))
    } else {
        Err(Errno::EINVAL)
    }
}

/// Sleeps; a signal that ends the process ends the sleep too, and leaves the remaining time at `rest`.
fn sleep_until(deadline: u64, rest: u64) -> Answer {
    while timer::nanoseconds() < deadline {
        if signal::ends_wait() {
            let left = deadline.saturating_sub(timer::nanoseconds());
            if rest != 0 {
                user::write_words(rest, [left / SECOND, left % SECOND])?;
            }
            return Err(Errno::EINTR);
        }
        sched::park_until(deadline);
    }
    Ok(0)
}
