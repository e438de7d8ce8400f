//! Clocks and sleeping.
use abi::Errno;
use abi::general::{
    CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE,
    CLOCK_MONOTONIC_RAW, CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME, CLOCK_REALTIME_ALARM,
    CLOCK_REALTIME_COARSE, CLOCK_TAI, CLOCK_THREAD_CPUTIME_ID, TIMER_ABSTIME,
};

use super::{Answer, Arguments, futex, user};
use crate::arch::timer;
use crate::process::signal::{Sleep, Unfinished};
use crate::process::table;
use crate::process::usage::timeval;
use crate::process::{current, sched, signal};

const SECOND: u64 = 1_000_000_000;

/// The tick of `times`, in nanoseconds: 100 a second.
const CLOCK_TICK: u64 = SECOND / 100;

/// What clock `id` shows, in nanoseconds.
pub(super) fn clock(id: u32) -> Result<u64, Errno> {
    match id {
        CLOCK_REALTIME | CLOCK_REALTIME_COARSE | CLOCK_TAI => Ok(timer::wall_nanoseconds()),
        CLOCK_MONOTONIC | CLOCK_MONOTONIC_RAW | CLOCK_MONOTONIC_COARSE | CLOCK_BOOTTIME => {
            Ok(timer::nanoseconds())
        }
        CLOCK_PROCESS_CPUTIME_ID | CLOCK_THREAD_CPUTIME_ID => {
            let (user, system) = current().usage.own.times();
            Ok(user + system)
        }
        _ if (id as i32) < 0 => cpu_clock(id),
        _ => Err(Errno::EINVAL),
    }
}

/// What the clock of a process's use of the processor shows: `id` is made of the complement of its number (0 for the
/// caller), a bit for one thread alone, and two bits that say what is counted. See clock_getcpuclockid(3).
fn cpu_clock(id: u32) -> Result<u64, Errno> {
    const THREAD: u32 = 4;
    let caller = current();
    let process = match !(id as i32 >> 3) as u32 {
        0 => caller,
        pid if id & THREAD != 0 && pid != caller.pid => return Err(Errno::EINVAL),
        pid => table::find(pid).ok_or(Errno::EINVAL)?,
    };
    let (user, system) = process.usage.own.times();
    match id & 3 {
        0 | FINE => Ok(user + system),
        1 => Ok(user),
        _ => Err(Errno::EINVAL),
    }
}

/// What a processor clock counts when it counts in nanoseconds.
const FINE: u32 = 2;

/// Whether clock `id` moves by ticks.
fn is_coarse(id: u32) -> bool {
    let counts_ticks = (id as i32) < 0 && id & 3 != FINE;
    counts_ticks || matches!(id, CLOCK_REALTIME_COARSE | CLOCK_MONOTONIC_COARSE)
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
    let nanoseconds = if is_coarse(id as u32) {
        timer::tick_nanoseconds()
    } else {
        1
    };
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
    sleep(timer::nanoseconds().saturating_add(time), rest)
}

/// restart_syscall(2): goes on with the wait that a signal without a handler interrupted.
pub(super) fn restart_syscall() -> Answer {
    let unfinished = current().signals.take_unfinished();
    match unfinished.ok_or(Errno::EINTR)? {
        Unfinished::Sleep(Sleep { deadline, rest }) => sleep(deadline, rest),
        Unfinished::Futex(wait) => futex::wait_for(&wait),
    }
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
        let deadline = timer::nanoseconds().saturating_add(time.saturating_sub(now));
        return match sleep_until(deadline) {
            Slept::Enough => Ok(0),
            Slept::Interrupted(_) => Err(Errno::ERESTARTNOHAND),
        };
    }
    sleep(timer::nanoseconds().saturating_add(time), rest)
}

/// The time at `address`, in nanoseconds.
pub(super) fn duration(address: u64) -> Result<u64, Errno> {
    let [seconds, nanoseconds] = user::read_words(address)?;
    if seconds as i64 >= 0 && nanoseconds < SECOND {
        Ok(seconds.saturating_mul(SECOND).saturating_add(nanoseconds))
    } else {
        Err(Errno::EINVAL)
    }
}

/// How a sleep ended.
enum Slept {
    Enough,
    /// By a signal, so many nanoseconds too early.
    Interrupted(u64),
}

/// Sleeps; a signal ends the sleep early and leaves the remaining time at `rest`. Where no handler runs, the sleep goes on.
fn sleep(deadline: u64, rest: u64) -> Answer {
    let Slept::Interrupted(left) = sleep_until(deadline) else {
        return Ok(0);
    };
    if rest != 0 {
        user::write_words(rest, [left / SECOND, left % SECOND])?;
    }
    let unfinished = Unfinished::Sleep(Sleep { deadline, rest });
    current().signals.remember(unfinished);
    Err(Errno::ERESTART_RESTARTBLOCK)
}

fn sleep_until(deadline: u64) -> Slept {
    loop {
        let left = deadline.saturating_sub(timer::nanoseconds());
        if left == 0 {
            return Slept::Enough;
        }
        if signal::interrupted() {
            return Slept::Interrupted(left);
        }
        sched::park_until(deadline);
    }
}
