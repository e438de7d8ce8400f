//! Files that are events: eventfd(2), timerfd_create(2), signalfd(2); and close_range(2).

use core::time::Duration;

use abi::{Errno, Sysno};

use crate::syscall::call;

/// A counter that begins with `count`.
pub fn counter(count: u32, flags: u32) -> Result<u32, Errno> {
    call(Sysno::eventfd2, [count as usize, flags as usize]).map(|fd| fd as u32)
}

/// A timer by `clock`.
pub fn timer(clock: u32, flags: u32) -> Result<u32, Errno> {
    call(Sysno::timerfd_create, [clock as usize, flags as usize]).map(|fd| fd as u32)
}

/// How a timer is set: interval and time that is left, as seconds and nanoseconds.
pub type Setting = [i64; 4];

/// The setting that expires after `first`, and then each `interval`.
pub fn setting(first: Duration, interval: Duration) -> Setting {
    let parts = |time: Duration| [time.as_secs() as i64, i64::from(time.subsec_nanos())];
    let ([a, b], [c, d]) = (parts(interval), parts(first));
    [a, b, c, d]
}

/// Sets a timer; how it was set.
pub fn set_timer(fd: u32, flags: u32, new: &Setting) -> Result<Setting, Errno> {
    let mut old = [0; 4];
    let places = [new.as_ptr() as usize, old.as_mut_ptr() as usize];
    let arguments = [fd as usize, flags as usize, places[0], places[1]];
    call(Sysno::timerfd_settime, arguments).map(|_| old)
}

/// How a timer is set.
pub fn timer_setting(fd: u32) -> Result<Setting, Errno> {
    let mut found = [0; 4];
    call(
        Sysno::timerfd_gettime,
        [fd as usize, found.as_mut_ptr() as usize],
    )
    .map(|_| found)
}

/// A file from which the signals of `mask` are read; -1 for a new one, else the one to be changed.
pub fn signals(fd: i32, mask: u64, flags: u32) -> Result<u32, Errno> {
    let place = core::ptr::from_ref(&mask) as usize;
    let arguments = [fd as usize, place, size_of::<u64>(), flags as usize];
    call(Sysno::signalfd4, arguments).map(|fd| fd as u32)
}

/// Closes the descriptors from `first` to `last`.
pub fn close_range(first: u32, last: u32, flags: u32) -> Result<(), Errno> {
    let arguments = [first, last, flags].map(|number| number as usize);
    call(Sysno::close_range, arguments).map(drop)
}
