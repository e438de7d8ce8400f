//! Waiting for several descriptors at once: poll(2), select(2) and their kin with masks.

use core::time::Duration;

use abi::general::{__kernel_timespec, pollfd};
use abi::{Errno, Sysno};

use crate::syscall::call;

/// Words of a set of descriptors.
pub const WORDS: usize = 16;

/// A set of descriptors, a bit each.
pub type Set = [u64; WORDS];

/// poll(2); `timeout` in milliseconds, forever if negative.
pub fn poll(entries: &mut [pollfd], timeout: i32) -> Result<usize, Errno> {
    let list = entries.as_mut_ptr() as usize;
    call(Sysno::poll, [list, entries.len(), timeout as usize])
}

/// ppoll(2) while only the signals of `mask` are blocked; how much of the time was left.
pub fn ppoll(
    entries: &mut [pollfd],
    timeout: Duration,
    mask: u64,
) -> (Result<usize, Errno>, Duration) {
    let mut time = timespec(timeout);
    let arguments = [
        entries.as_mut_ptr() as usize,
        entries.len(),
        &raw mut time as usize,
        &raw const mask as usize,
        size_of_val(&mask),
    ];
    let result = call(Sysno::ppoll, arguments);
    (
        result,
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32),
    )
}

/// select(2), forever where there is no time: seconds and microseconds, of which the rest is left.
pub fn select(
    count: i32,
    sets: [Option<&mut Set>; 3],
    time: Option<&mut [i64; 2]>,
) -> Result<usize, Errno> {
    let [read, write, exceptions] = sets.map(|set| set.map_or(0, |set| set.as_mut_ptr() as usize));
    let time = time.map_or(0, |time| time.as_mut_ptr() as usize);
    call(
        Sysno::select,
        [count as usize, read, write, exceptions, time],
    )
}

/// pselect6(2) for reading, while only the signals of `mask` are blocked.
pub fn pselect(count: i32, read: &mut Set, timeout: Duration, mask: u64) -> Result<usize, Errno> {
    let mut time = timespec(timeout);
    let mask_and_size = [&raw const mask as usize, size_of_val(&mask)];
    let arguments = [
        count as usize,
        read.as_mut_ptr() as usize,
        0,
        0,
        &raw mut time as usize,
        mask_and_size.as_ptr() as usize,
    ];
    call(Sysno::pselect6, arguments)
}

fn timespec(duration: Duration) -> __kernel_timespec {
    __kernel_timespec {
        tv_sec: duration.as_secs() as i64,
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}
