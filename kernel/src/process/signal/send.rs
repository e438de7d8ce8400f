//! Sending: kill(2) and its kin, and what the kernel itself has to say.
//!
//! All programs are root's, so everyone may send to everyone; only init is safe from what it has no handler for.
use alloc::sync::Arc;

use abi::Errno;
use abi::general::{RLIMIT_SIGPENDING, SI_USER, SIGCHLD, SIGCONT};
use mm::PAGE_SIZE;

use super::info::Info;
use super::pending::{ENTRY_SIZE, Room};
use super::set::{FIRST_REAL_TIME, SIGNALS};
use super::state::Target;
use crate::arch::memory::memory;
use crate::arch::percpu::{self, Attention};
use crate::process::wait::Status;
use crate::process::{Process, current, group, stop, table};

/// Nanoseconds of the tick in which programs are told of processor time: 100 a second.
const CLOCK_TICK: u64 = 10_000_000;

/// Sends a signal to the process as a whole.
pub(crate) fn send(process: &Arc<Process>, info: Info) -> Result<(), Errno> {
    send_to(process, info, Target::Process)
}

/// Sends a signal to the process's thread.
pub(crate) fn send_to_thread(process: &Arc<Process>, info: Info) -> Result<(), Errno> {
    send_to(process, info, Target::Thread)
}

/// Sends a signal to the running process for what it did itself.
pub(crate) fn send_to_self(signal: u32) {
    let process = current();
    let info = Info::of_process(signal, SI_USER as i32, process.pid);
    // Always kept: a standard signal waits once at most.
    let _ = send_to_thread(&process, info);
}

/// `EAGAIN` where the signal has to carry something and there is no room for it.
fn send_to(process: &Arc<Process>, info: Info, target: Target) -> Result<(), Errno> {
    let room = room(process, &info);
    let goes_on = process
        .signals
        .change(|state| state.post(info, target, room))
        .map_err(|_| Errno::EAGAIN)?;
    percpu::raise(Attention::SIGNAL);
    if goes_on && info.signal() == SIGCONT {
        stop::tell_parent(process, Status::CONTINUED);
    }
    if goes_on || process.signals.has_news() {
        process.wake();
    }
    Ok(())
}

/// How much may wait for the receiver: standard signals that the kernel vouches for are few anyway. All programs are
/// root's and may raise their limit, so it alone would bound nothing: a sixty-fourth of memory does.
fn room(process: &Process, info: &Info) -> Room {
    if info.signal() < FIRST_REAL_TIME && info.code() >= 0 {
        return Room::Any;
    }
    let limit = process.limits().get(RLIMIT_SIGPENDING);
    let most = memory().managed_frames() as u64 * PAGE_SIZE / 64 / ENTRY_SIZE;
    Room::UpTo(limit.map_or(0, |limit| limit.soft).min(most))
}

/// Sends SIGCHLD for what became of `child`. Whether it is to be sent, and who else is to wake, is the caller's.
pub(crate) fn tell_of_child(parent: &Arc<Process>, child: &Process, status: Status) {
    let (code, value) = status.as_code();
    let (user, system) = child.usage.own.times();
    let times = [user, system].map(|time| time / CLOCK_TICK);
    let info = Info::of_child(SIGCHLD, code, child.pid, value, times);
    // Always kept: SIGCHLD waits once at most.
    let _ = send(parent, info);
}

/// kill(2) for one process. Signal 0 only asks whether it exists.
pub(crate) fn kill(pid: u32, signal: u32) -> Result<(), Errno> {
    let process = table::find(pid).ok_or(Errno::ESRCH)?;
    if signal > SIGNALS {
        return Err(Errno::EINVAL);
    }
    if signal != 0 {
        send(
            &process,
            Info::of_process(signal, SI_USER as i32, current().pid),
        )?;
    }
    Ok(())
}

/// Sends `signal` to all in a group; ESRCH where there is nobody.
pub(crate) fn kill_group(group: u32, signal: u32) -> Result<(), Errno> {
    kill_each(group::members(group), signal)
}

/// Sends `signal` to all but init and the sender; ESRCH where there is nobody else.
pub(crate) fn kill_all(signal: u32) -> Result<(), Errno> {
    let sender = current().pid;
    let others = table::numbers().filter(|&pid| pid != table::INIT && pid != sender);
    kill_each(others, signal)
}

/// Success where one was reached, else why the last one was not; ESRCH for nobody.
fn kill_each(pids: impl Iterator<Item = u32>, signal: u32) -> Result<(), Errno> {
    let mut answer = Err(Errno::ESRCH);
    for pid in pids {
        let reached = kill(pid, signal);
        if reached.is_ok() || answer.is_err() {
            answer = reached;
        }
    }
    answer
}
