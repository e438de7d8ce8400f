//! Clocks and sleeping.

use core::time::Duration;

use abi::general::{self, __kernel_timespec};
use abi::{Errno, Sysno};

use crate::syscall::call;

/// Time since some fixed point; never goes back.
pub fn now() -> Duration {
    let time = clock(general::CLOCK_MONOTONIC).expect("CLOCK_MONOTONIC");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// What the clock called `id` shows.
pub fn clock(id: u32) -> Result<__kernel_timespec, Errno> {
    let mut time = __kernel_timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    call(Sysno::clock_gettime, [id as usize, &raw mut time as usize])?;
    Ok(time)
}

/// Sleeps at least `duration`.
pub fn sleep(duration: Duration) {
    let time = __kernel_timespec {
        tv_sec: duration.as_secs() as i64,
        tv_nsec: i64::from(duration.subsec_nanos()),
    };
    nanosleep(&time).expect("nanosleep");
}

/// Sleeps as long as `time` says, if it makes sense.
pub fn nanosleep(time: &__kernel_timespec) -> Result<(), Errno> {
    call(Sysno::nanosleep, [&raw const *time as usize]).map(drop)
}
