//! Interval timers: a signal when time has passed, see setitimer(2).
//!
//! Real time runs for all processes, so those with a deadline are queued, linked through themselves. Processor time runs
//! for whoever runs, so each tick looks at that process only. Both have the tick's resolution.
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use abi::general::{SIGALRM, SIGPROF, SIGVTALRM};

use super::deadlines::{AT_ONCE, Deadlines, Links, Timed};
use super::signal::{self, Info};
use super::usage::Usage;
use super::{Process, current};
use crate::arch::timer;
use crate::lock::{IrqLock, Rank};

/// Processes whose real timer runs.
static RUNNING: IrqLock<Deadlines<Process>> = IrqLock::new(Rank::Timers, Deadlines::new());

/// Which time a timer counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Real,
    /// The process's time in ring 3.
    Virtual,
    /// The process's time in both rings.
    Profile,
}

/// What a timer is set to, in nanoseconds: the time until it fires, or 0 where it doesn't, and the time from then on.
#[derive(Clone, Copy, Default)]
pub(crate) struct Setting {
    pub(crate) value: u64,
    pub(crate) interval: u64,
}

/// One timer.
#[derive(Default)]
struct Timer {
    /// On its clock; 0 where it is off.
    deadline: AtomicU64,
    interval: AtomicU64,
}

/// The timers of a process.
#[derive(Default)]
pub(crate) struct Timers {
    real: Timer,
    /// The place in the queue of real timers.
    links: Links<Process>,
    virtual_time: Timer,
    profile: Timer,
}

impl Timed for Process {
    type Order = u64;

    fn deadline(&self) -> u64 {
        self.timers.real.deadline.load(Relaxed)
    }

    fn links(&self) -> &Links<Self> {
        &self.timers.links
    }
}

impl Timer {
    fn setting(&self, now: u64) -> Setting {
        let deadline = self.deadline.load(Relaxed);
        Setting {
            // One that is about to fire still runs.
            value: if deadline == 0 {
                0
            } else {
                deadline.saturating_sub(now).max(1000)
            },
            interval: self.interval.load(Relaxed),
        }
    }

    fn set(&self, setting: Setting, now: u64) {
        let deadline = match setting.value {
            0 => 0,
            value => now.saturating_add(value),
        };
        self.deadline.store(deadline, Relaxed);
        self.interval.store(setting.interval, Relaxed);
    }

    /// Whether the deadline has come; then there is a new one, the first that lies ahead, or none.
    fn fires(&self, now: u64) -> bool {
        let (deadline, interval) = (self.deadline.load(Relaxed), self.interval.load(Relaxed));
        if deadline == 0 || deadline > now {
            return false;
        }
        let next = match interval {
            0 => 0,
            _ => deadline + interval * ((now - deadline) / interval + 1),
        };
        self.deadline.store(next, Relaxed);
        true
    }
}

impl Timers {
    fn of(&self, kind: Kind) -> &Timer {
        match kind {
            Kind::Real => &self.real,
            Kind::Virtual => &self.virtual_time,
            Kind::Profile => &self.profile,
        }
    }
}

/// What the clock of a timer of the running process shows.
fn now(kind: Kind, usage: &Usage) -> u64 {
    let (user, system) = usage.own.times();
    match kind {
        Kind::Real => timer::nanoseconds(),
        Kind::Virtual => user,
        Kind::Profile => user + system,
    }
}

/// How a timer of the running process is set.
pub(crate) fn get(kind: Kind) -> Setting {
    let process = current();
    process.timers.of(kind).setting(now(kind, &process.usage))
}

/// Sets a timer of the running process; how it was set.
pub(crate) fn set(kind: Kind, setting: Setting) -> Setting {
    let process = current();
    let now = now(kind, &process.usage);
    let timer = process.timers.of(kind);
    // Held for all kinds: the tick must not see half of a setting.
    let mut running = RUNNING.lock();
    let before = timer.setting(now);
    if kind == Kind::Real {
        running.remove(&process);
    }
    timer.set(setting, now);
    if kind == Kind::Real && setting.value != 0 {
        running.insert(&process);
    }
    before
}

/// Stops the real timer of a process that ends, and that alone could set it again.
pub(super) fn stop(process: &Arc<Process>) {
    if process.deadline() == 0 {
        return;
    }
    let mut running = RUNNING.lock();
    running.remove(process);
    process.timers.real.set(Setting::default(), 0);
}

/// The timer's tick: the running process has used time, and time has passed.
pub(super) fn tick(running: &Arc<Process>) {
    for (kind, signal) in [(Kind::Virtual, SIGVTALRM), (Kind::Profile, SIGPROF)] {
        let timer = running.timers.of(kind);
        if timer.deadline.load(Relaxed) != 0 && timer.fires(now(kind, &running.usage)) {
            announce(running, signal);
        }
    }
    let now = timer::nanoseconds();
    for _ in 0..AT_ONCE {
        let Some(process) = next_due(now) else { return };
        announce(&process, SIGALRM);
    }
}

/// A process whose real timer fires; it is queued again if the timer repeats.
fn next_due(now: u64) -> Option<Arc<Process>> {
    let mut running = RUNNING.lock();
    let due = running.pop_due(now)?;
    due.timers.real.fires(now);
    if due.deadline() != 0 {
        running.insert(&due);
    }
    Some(due)
}

fn announce(process: &Arc<Process>, signal: u32) {
    // Always accepted: the kernel's own standard signals wait once at most.
    let _ = signal::send(process, Info::of_kernel(signal));
}
