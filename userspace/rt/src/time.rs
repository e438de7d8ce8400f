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

/// Sleeps `duration`, or until a handler has run; and how much was left then.
pub fn nanosleep_rest(duration: Duration) -> (Result<(), Errno>, Duration) {
    let time = __kernel_timespec {
        tv_sec: duration.as_secs() as i64,
        tv_nsec: i64::from(duration.subsec_nanos()),
    };
    let mut rest = __kernel_timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let arguments = [&raw const time as usize, &raw mut rest as usize];
    let result = call(Sysno::nanosleep, arguments).map(drop);
    (
        result,
        Duration::new(rest.tv_sec as u64, rest.tv_nsec as u32),
    )
}

/// Interval timers, see setitimer(2).
pub mod interval {
    use core::time::Duration;

    use abi::{Errno, Sysno};

    pub use abi::general::{ITIMER_PROF, ITIMER_REAL, ITIMER_VIRTUAL};

    use crate::syscall::call;

    /// The time until a timer fires, and the time from then on; zero is never.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Setting {
        /// Until it fires first.
        pub value: Duration,
        /// Until it fires again.
        pub interval: Duration,
    }

    impl Setting {
        /// Fires once.
        pub fn once(value: Duration) -> Self {
            Self {
                value,
                interval: Duration::ZERO,
            }
        }

        /// Fires again and again.
        pub fn every(interval: Duration) -> Self {
            Self {
                value: interval,
                interval,
            }
        }

        fn to_words(self) -> [u64; 4] {
            let words = |time: Duration| [time.as_secs(), u64::from(time.subsec_micros())];
            let ([a, b], [c, d]) = (words(self.interval), words(self.value));
            [a, b, c, d]
        }

        fn from_words([a, b, c, d]: [u64; 4]) -> Self {
            Self {
                value: Duration::new(c, d as u32 * 1000),
                interval: Duration::new(a, b as u32 * 1000),
            }
        }
    }

    /// Sets timer `which`; how it was set.
    pub fn set(which: u32, setting: Setting) -> Result<Setting, Errno> {
        let (new, mut old) = (setting.to_words(), [0u64; 4]);
        let arguments = [
            which as usize,
            new.as_ptr() as usize,
            old.as_mut_ptr() as usize,
        ];
        call(Sysno::setitimer, arguments).map(|_| Setting::from_words(old))
    }

    /// How timer `which` is set.
    pub fn get(which: u32) -> Result<Setting, Errno> {
        let mut old = [0u64; 4];
        let arguments = [which as usize, old.as_mut_ptr() as usize];
        call(Sysno::getitimer, arguments).map(|_| Setting::from_words(old))
    }

    /// Has SIGALRM come after so many seconds, or not at all with 0; what was left of the alarm before.
    pub fn alarm(seconds: u32) -> u32 {
        call(Sysno::alarm, [seconds as usize]).expect("alarm never fails") as u32
    }
}
