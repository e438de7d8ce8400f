//! Standing still: SIGSTOP and its kin hold a process until SIGCONT, and its parent hears of both.
use super::wait::Status;
use super::{Process, current, sched, signal, table};

/// Holds the running process, which `signal` stopped, until something lets it go on.
pub(super) fn stand_still(signal: u32) {
    let process = current();
    tell_parent(&process, Status::stopped(signal));
    while process.signals.is_stopped() {
        sched::park();
    }
}

/// Has the parent of `process` know that it stopped or went on.
pub(super) fn tell_parent(process: &Process, news: Status) {
    let Some(parent) = table::note(process.pid, news) else {
        return;
    };
    if parent.signals.wants_to_know_of_stops() {
        signal::tell_of_child(&parent, process, news);
    }
    parent.wake();
}
