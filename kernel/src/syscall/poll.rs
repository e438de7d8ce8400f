//! Waiting for several descriptors at once: `poll` and `ppoll`, and what `select` shares with them.
//!
//! Nobody is registered anywhere: whoever waits stands in the list for any change, and asks all its files again after each.
use alloc::vec::Vec;

use abi::Errno;
use abi::general::{POLLERR, POLLHUP, POLLNVAL, RLIMIT_NOFILE};

use super::{Answer, Arguments, file, time, user};
use crate::arch::timer;
use crate::fs::open::Wakes;
use crate::process::signal::{self, SignalSet};
use crate::process::{current, waiting};

const SECOND: u64 = 1_000_000_000;
const MILLISECOND: u64 = 1_000_000;

/// Bytes of a `struct pollfd`.
const ENTRY: u64 = 8;

/// What is always told, asked for or not.
const ALWAYS_TOLD: u32 = POLLERR | POLLHUP;

/// What a look at all descriptors found.
#[derive(Clone, Copy, Default)]
pub(super) struct Look {
    /// How much of what was asked for is there.
    pub(super) found: u64,
    /// One of them is a device, which tells nobody when it changes.
    pub(super) has_device: bool,
}

impl Look {
    /// What descriptor `number` is ready for; `None` where there is none.
    pub(super) fn at(&mut self, number: u64) -> Option<u32> {
        let open = file::descriptor(number).ok()?.file;
        self.has_device |= open.kind.wakes() == Wakes::Device;
        Some(open.kind.ready())
    }
}

/// Looks again and again until something is found, a signal comes, or the deadline, in nanoseconds since boot.
pub(super) fn wait(deadline: Option<u64>, mut look: impl FnMut() -> Look) -> Answer {
    loop {
        let seen = look();
        if seen.found > 0 {
            return Ok(seen.found);
        }
        if signal::interrupted() {
            return Err(Errno::ERESTARTNOHAND);
        }
        let now = timer::nanoseconds();
        if deadline.is_some_and(|deadline| deadline <= now) {
            return Ok(0);
        }
        let tick = now + timer::tick_nanoseconds();
        let until = if seen.has_device {
            Some(deadline.map_or(tick, |deadline| deadline.min(tick)))
        } else {
            deadline
        };
        waiting::wait(waiting::ANY, until, || {
            look().found > 0 || signal::interrupted()
        });
    }
}

/// Makes `call` while only the signals of the set at `mask` are blocked; 0 stands for no set.
pub(super) fn with_mask(mask: u64, size: u64, call: impl FnOnce() -> Answer) -> Answer {
    if mask == 0 {
        return call();
    }
    if size != size_of::<SignalSet>() as u64 {
        return Err(Errno::EINVAL);
    }
    let [mask] = user::read_words(mask)?;
    let signals = &current().signals;
    signals.lend_mask(SignalSet(mask));
    let answer = call();
    // A signal that ended the call is delivered first, and its handler sees the mask.
    if answer != Err(Errno::ERESTARTNOHAND) {
        signals.take_mask_back();
    }
    answer
}

/// When the time at `timeout` will have passed; `None` where there is no time.
pub(super) fn deadline(timeout: u64) -> Result<Option<u64>, Errno> {
    if timeout == 0 {
        return Ok(None);
    }
    let duration = time::duration(timeout)?;
    Ok(Some(timer::nanoseconds().saturating_add(duration)))
}

/// Says at `timeout` how much of the time was left, where there was any; Linux doesn't mind if that can't be written.
pub(super) fn tell_rest(timeout: u64, deadline: Option<u64>) {
    let Some(deadline) = deadline else { return };
    if user::read_words(timeout).is_ok_and(|words| words != [0, 0]) {
        let left = deadline.saturating_sub(timer::nanoseconds());
        let _ = user::write_words(timeout, [left / SECOND, left % SECOND]);
    }
}

/// poll(2).
pub(super) fn poll([list, count, timeout, ..]: Arguments) -> Answer {
    let timeout = u64::try_from(timeout as i32).ok();
    let deadline = timeout.map(|ms| timer::nanoseconds() + ms * MILLISECOND);
    wait_for(list, count, deadline)
}

/// ppoll(2).
pub(super) fn ppoll([list, count, timeout, mask, size, _]: Arguments) -> Answer {
    let deadline = deadline(timeout)?;
    let answer = with_mask(mask, size, || wait_for(list, count, deadline));
    tell_rest(timeout, deadline);
    answer
}

/// One descriptor that was asked about.
struct Entry {
    number: i32,
    wanted: u32,
    found: u32,
}

fn wait_for(list: u64, count: u64, deadline: Option<u64>) -> Answer {
    let count = u64::from(count as u32);
    let most = current().limits().get(RLIMIT_NOFILE);
    if most.is_none_or(|most| count > most.soft) {
        return Err(Errno::EINVAL);
    }
    let mut entries = read_entries(list, count)?;
    let answer = wait(deadline, || look_at(&mut entries));
    for (index, entry) in (0..).zip(&entries) {
        let place = list.wrapping_add(ENTRY * index + 6);
        user::write_bytes(place, &(entry.found as u16).to_le_bytes())?;
    }
    answer
}

fn read_entries(list: u64, count: u64) -> Result<Vec<Entry>, Errno> {
    let mut entries = Vec::new();
    entries
        .try_reserve_exact(count as usize)
        .map_err(|_| Errno::ENOMEM)?;
    for index in 0..count {
        let [word] = user::read_words(list.wrapping_add(ENTRY * index))?;
        entries.push(Entry {
            number: word as i32,
            wanted: (word >> 32) as u32 & 0xffff,
            found: 0,
        });
    }
    Ok(entries)
}

fn look_at(entries: &mut [Entry]) -> Look {
    let mut look = Look::default();
    for entry in entries {
        entry.found = match u64::try_from(entry.number) {
            // A negative number asks for nothing.
            Err(_) => 0,
            Ok(number) => match look.at(number) {
                None => POLLNVAL,
                Some(ready) => ready & (entry.wanted | ALWAYS_TOLD),
            },
        };
        look.found += u64::from(entry.found != 0);
    }
    look
}
