//! Files that are nothing but events: `eventfd`, `timerfd`, `signalfd`.
use abi::Errno;
use abi::general::{
    CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_REALTIME_ALARM,
    EFD_SEMAPHORE, O_CLOEXEC, O_NONBLOCK, O_RDWR, TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET,
};

use super::descriptor::add;
use super::{Answer, Arguments, file, time, user};
use crate::fs::eventfd::{Eventfd, Takes};
use crate::fs::open::{Kind, OpenFile};
use crate::fs::signalfd::Signalfd;
use crate::fs::timerfd::{Due, Setting, Timerfd};
use crate::process::signal::SignalSet;

const SECOND: u64 = 1_000_000_000;

/// What all of them may be asked for.
const FLAGS: u32 = O_CLOEXEC | O_NONBLOCK;

fn open(kind: impl Kind + 'static, flags: u32) -> Answer {
    let file = OpenFile::try_new(kind, O_RDWR | flags & O_NONBLOCK);
    add(file.map_err(|_| Errno::ENOMEM)?, flags)
}

/// eventfd(2), as it was before it had flags.
pub(super) fn eventfd([count, ..]: Arguments) -> Answer {
    eventfd2([count, 0, 0, 0, 0, 0])
}

/// eventfd(2).
pub(super) fn eventfd2([count, flags, ..]: Arguments) -> Answer {
    let flags = flags as u32;
    if flags & !(FLAGS | EFD_SEMAPHORE) != 0 {
        return Err(Errno::EINVAL);
    }
    let takes = if flags & EFD_SEMAPHORE != 0 {
        Takes::One
    } else {
        Takes::All
    };
    open(Eventfd::new(u64::from(count as u32), takes), flags)
}

/// timerfd_create(2).
pub(super) fn timerfd_create([clock, flags, ..]: Arguments) -> Answer {
    let (clock, flags) = (clock as u32, flags as u32);
    let clock = match clock {
        CLOCK_REALTIME | CLOCK_REALTIME_ALARM => CLOCK_REALTIME,
        CLOCK_MONOTONIC | CLOCK_BOOTTIME | CLOCK_BOOTTIME_ALARM => CLOCK_MONOTONIC,
        _ => return Err(Errno::EINVAL),
    };
    if flags & !FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    open(Timerfd::new(clock), flags)
}

/// timerfd_settime(2). No clock is ever set, so no timer is cancelled for that.
pub(super) fn timerfd_settime([number, flags, new, old, ..]: Arguments) -> Answer {
    let flags = flags as u32;
    // Both are read before either is judged.
    user::read_words::<4>(new)?;
    let [interval, value] = [time::duration(new)?, time::duration(new.wrapping_add(16))?];
    if flags & !(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) != 0 {
        return Err(Errno::EINVAL);
    }
    let open = file::descriptor(number)?.file;
    let timerfd = open.kind.timerfd().ok_or(Errno::EINVAL)?;
    let due = if value == 0 {
        Due::Never
    } else if flags & TFD_TIMER_ABSTIME == 0 {
        Due::In(value)
    } else {
        let now = time::clock(timerfd.clock)?;
        let left = value.checked_sub(now).filter(|&left| left > 0);
        left.map_or_else(|| Due::Ago(now - value), Due::In)
    };
    let before = timerfd.set(due, interval);
    if old != 0 {
        tell(old, before)?;
    }
    Ok(0)
}

/// timerfd_gettime(2).
pub(super) fn timerfd_gettime([number, place, ..]: Arguments) -> Answer {
    let open = file::descriptor(number)?.file;
    tell(place, open.kind.timerfd().ok_or(Errno::EINVAL)?.setting())
}

fn tell(place: u64, Setting { left, interval }: Setting) -> Answer {
    let words = [
        interval / SECOND,
        interval % SECOND,
        left / SECOND,
        left % SECOND,
    ];
    user::write_words(place, words).map(|()| 0)
}

/// signalfd(2), as it was before it had flags.
pub(super) fn signalfd([number, set, size, ..]: Arguments) -> Answer {
    signalfd4([number, set, size, 0, 0, 0])
}

/// signalfd(2).
pub(super) fn signalfd4([number, set, size, flags, ..]: Arguments) -> Answer {
    let flags = flags as u32;
    if size != size_of::<SignalSet>() as u64 {
        return Err(Errno::EINVAL);
    }
    let [wanted] = user::read_words(set)?.map(SignalSet);
    if flags & !FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    if number as i32 == -1 {
        return open(Signalfd::new(wanted), flags);
    }
    let number = u64::from(number as u32);
    let file = file::descriptor(number)?.file;
    file.kind.signalfd().ok_or(Errno::EINVAL)?.set(wanted);
    Ok(number)
}
