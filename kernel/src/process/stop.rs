//! Standing still: SIGSTOP and its kin hold a process until SIGCONT, and its parent hears of both.
use abi::general::SIGCHLD;

use super::table;
use super::wait::Status;
use super::{current, sched, signal};

/// Holds the running process, which `signal` stopped, until something lets it go on.
pub(super) fn stand_still(signal: u32) {
    let process = current();
    tell_parent(process.pid, Status::stopped(signal));
    while process.signals.is_stopped() {
        sched::park();
    }
}

/// Has the parent of `pid` know that the child stopped or went on.
pub(super) fn tell_parent(pid: u32, news: Status) {
    let Some(parent) = table::note(pid, news) else {
        return;
    };
    if parent.signals.wants_to_know_of_stops() {
        signal::send(&parent, SIGCHLD);
    } else {
        parent.wake();
    }
}
