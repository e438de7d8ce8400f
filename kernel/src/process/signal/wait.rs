//! Waiting for signals: pause(2), rt_sigsuspend(2) and rt_sigtimedwait(2).
use abi::Errno;

use super::info::Info;
use super::interrupted;
use super::set::SignalSet;
use crate::arch::timer;
use crate::process::{current, sched};

/// Waits until a signal is delivered.
pub(crate) fn pause() -> Errno {
    while !interrupted() {
        sched::park();
    }
    Errno::ERESTARTNOHAND
}

/// Like [`pause`], with only `mask` blocked until the handler has started.
pub(crate) fn suspend(mask: SignalSet) -> Errno {
    current().signals.lend_mask(mask);
    pause()
}

/// Takes the first of `wanted`, which the caller has blocked, or waits for one until `deadline`, in nanoseconds since
/// boot. `EAGAIN` when that has come, `EINTR` where another signal comes first.
pub(crate) fn take(wanted: SignalSet, deadline: u64) -> Result<Info, Errno> {
    let wanted = wanted & !SignalSet::UNBLOCKABLE;
    let signals = &current().signals;
    let found = signals.change(|state| {
        let found = state.take(wanted);
        if found.is_none() {
            state.thread.awaited = state.thread.blocked;
            state.thread.blocked = state.thread.blocked & !wanted;
        }
        found
    });
    if let Some(info) = found {
        return Ok(info);
    }
    while !interrupted() && timer::nanoseconds() < deadline {
        sched::park_until(deadline);
    }
    let in_time = timer::nanoseconds() < deadline;
    let found = signals.change(|state| {
        let thread = &mut state.thread;
        thread.blocked = core::mem::take(&mut thread.awaited);
        state.take(wanted)
    });
    let failure = if in_time { Errno::EINTR } else { Errno::EAGAIN };
    found.ok_or(failure)
}
