//! Timers as files: timerfd_create(2). Nothing runs when one expires: whoever looks counts how often it has by then.
use abi::Errno;
use abi::general::POLLIN;

use super::buffers::Buffers;
use super::open::{Kind, Status, Step, nameless};
use crate::arch::timer;
use crate::lock::{IrqLock, Rank};

/// Bytes that a reader gets.
const SIZE: u64 = size_of::<u64>() as u64;

/// A timer. Who waits for it asks at each tick: by then it may be set anew.
pub(crate) struct Timerfd {
    /// Its clock, as clock_gettime(2) knows it.
    pub(crate) clock: u32,
    state: IrqLock<State>,
}

/// All in nanoseconds.
#[derive(Clone, Copy, Default)]
struct State {
    /// When it expires next, since boot.
    deadline: Option<u64>,
    /// How often it expires after that; 0: never.
    interval: u64,
    /// Expirations that nobody has read.
    expired: u64,
}

/// How a timer is set: what is left until it expires, 0 if it is off, and how long it takes each time after that, in
/// nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) left: u64,
    pub(crate) interval: u64,
}

/// When a timer is to expire first, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Never,
    In(u64),
    Ago(u64),
}

impl State {
    /// Counts what happened until `now`.
    fn settle(&mut self, now: u64) {
        if let Some(deadline) = self.deadline.filter(|&deadline| deadline <= now) {
            self.expire(now, now - deadline);
        }
    }

    /// At `now` it should have expired so long ago.
    fn expire(&mut self, now: u64, late: u64) {
        self.expired += 1 + late.checked_div(self.interval).unwrap_or(0);
        let next = late
            .checked_rem(self.interval)
            .map(|since| self.interval - since);
        self.deadline = next.map(|left| now.saturating_add(left));
    }

    fn setting(&self, now: u64) -> Setting {
        Setting {
            left: self.deadline.map_or(0, |deadline| deadline - now),
            interval: self.interval,
        }
    }
}

impl Timerfd {
    /// A timer that is off.
    pub(crate) fn new(clock: u32) -> Self {
        Self {
            clock,
            state: IrqLock::new(Rank::Files, State::default()),
        }
    }

    /// How it is set.
    pub(crate) fn setting(&self) -> Setting {
        let now = timer::nanoseconds();
        let mut state = self.state.lock();
        state.settle(now);
        state.setting(now)
    }

    /// Has it expire as `due` says, and then each `interval`; how it was set.
    pub(crate) fn set(&self, due: Due, interval: u64) -> Setting {
        let now = timer::nanoseconds();
        let mut state = self.state.lock();
        state.settle(now);
        let before = state.setting(now);
        *state = State {
            interval,
            ..State::default()
        };
        match due {
            Due::Never => {}
            Due::In(left) => state.deadline = Some(now.saturating_add(left)),
            Due::Ago(late) => state.expire(now, late),
        }
        before
    }
}

impl Kind for Timerfd {
    fn status(&self) -> Status {
        nameless()
    }

    /// Takes how often it has expired.
    fn read(&self, _at: u64, into: &mut Buffers<'_>) -> Result<Step, Errno> {
        if into.left() < SIZE {
            return Err(Errno::EINVAL);
        }
        let expired = {
            let mut state = self.state.lock();
            state.settle(timer::nanoseconds());
            core::mem::take(&mut state.expired)
        };
        if expired == 0 {
            return Ok(Step::Blocked);
        }
        into.fill(&expired.to_le_bytes())?;
        Ok(Step::Done)
    }

    fn ready(&self) -> u32 {
        let mut state = self.state.lock();
        state.settle(timer::nanoseconds());
        if state.expired > 0 { POLLIN } else { 0 }
    }

    fn timerfd(&self) -> Option<&Timerfd> {
        Some(self)
    }
}
