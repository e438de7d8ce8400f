//! Futexes: words that processes wait at, see futex(2), and what the kernel does to words when a thread ends.

use core::time::Duration;

use abi::general::{
    __kernel_timespec, FUTEX_CMP_REQUEUE, FUTEX_WAIT, FUTEX_WAKE, FUTEX_WAKE_BITSET,
};
use abi::{Errno, Sysno};

use crate::probe::{load_half, store_half};
use crate::process::Pid;
use crate::syscall::call;

/// A time as futex(2) wants it.
pub fn time(duration: Duration) -> __kernel_timespec {
    __kernel_timespec {
        tv_sec: duration.as_secs() as i64,
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

/// A word in memory, by its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word(pub usize);

impl Word {
    /// What it holds.
    pub fn get(self) -> u32 {
        load_half(self.0)
    }

    /// Stores `value`.
    pub fn set(self, value: u32) {
        store_half(self.0, value);
    }

    /// Waits while it holds `value`, as `operation` says.
    pub fn wait_as(
        self,
        operation: u32,
        value: u32,
        timeout: Option<&__kernel_timespec>,
        mask: u32,
    ) -> Result<(), Errno> {
        let timeout = timeout.map_or(0, |time| core::ptr::from_ref(time) as usize);
        let [operation, value, mask] = [operation, value, mask].map(|number| number as usize);
        call(Sysno::futex, [self.0, operation, value, timeout, 0, mask]).map(drop)
    }

    /// Waits while it holds `value`.
    pub fn wait(self, value: u32) -> Result<(), Errno> {
        self.wait_as(FUTEX_WAIT, value, None, 0)
    }

    /// Wakes up to `count` who wait; how many those were.
    pub fn wake(self, count: u32) -> Result<usize, Errno> {
        self.with(FUTEX_WAKE, [count, 0], Word(0), 0)
    }

    /// Wakes up to `count` who wait for one of `mask`.
    pub fn wake_for(self, count: u32, mask: u32) -> Result<usize, Errno> {
        self.with(FUTEX_WAKE_BITSET, [count, 0], Word(0), mask)
    }

    /// An operation on two words, with its two counts and its last argument.
    pub fn with(
        self,
        operation: u32,
        counts: [u32; 2],
        other: Word,
        last: u32,
    ) -> Result<usize, Errno> {
        let [first, second] = counts.map(|count| count as usize);
        let (operation, last) = (operation as usize, last as usize);
        call(
            Sysno::futex,
            [self.0, operation, first, second, other.0, last],
        )
    }

    /// How many wait: they are asked to wait where they do.
    pub fn waiters(self) -> usize {
        let most = [0, i32::MAX as u32];
        let moved = self.with(FUTEX_CMP_REQUEUE, most, self, self.get());
        moved.expect("FUTEX_CMP_REQUEUE")
    }
}

/// Has the kernel clear `word` and wake a waiter when the caller ends or executes a program.
pub fn set_tid_word(word: Word) -> Pid {
    call(Sysno::set_tid_address, [word.0]).map_or(0, |pid| pid as Pid)
}

/// Has the kernel look through the list of locks that begins at `head` when the caller ends.
pub fn set_robust_list(head: usize, length: usize) -> Result<(), Errno> {
    call(Sysno::set_robust_list, [head, length]).map(drop)
}

/// Where the list of `pid`'s thread begins, and its head's length.
pub fn robust_list(pid: Pid) -> Result<[u64; 2], Errno> {
    let mut found = [0; 2];
    let [head, length] = found
        .each_mut()
        .map(|word| core::ptr::from_mut(word) as usize);
    call(Sysno::get_robust_list, [pid as usize, head, length])?;
    Ok(found)
}
