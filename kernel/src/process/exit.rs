//! The end of a process: memory back, children to init, the parent told.
use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;

use abi::general::SIGKILL;

use super::table::{self, INIT};
use super::wait::{Children, Found, Status, Wanted};
use super::{Process, audit, current, futex, itimer, sched, signal, waiting};
use crate::arch::memory::memory;
use crate::arch::{context, exit as machine, interrupts};
use crate::{fs, trace};

/// Ends the running process, whose end is decided. Called with nothing of worth on the kernel stack.
pub(super) fn exit_current() -> ! {
    interrupts::enable();
    let process = current();
    give_up(&process);
    trace::write_all();
    let status = process.signals.ended().unwrap_or(Status::exited(0));
    if process.pid == INIT {
        end_machine(status);
    }
    tell_parent(&process, status);
    drop(process);
    sched::exit()
}

/// Gives memory and files back.
fn give_up(process: &Arc<Process>) {
    futex::leave(process);
    context::activate_kernel();
    let space = process.replace_space(None);
    if cfg!(debug_assertions)
        && let Some(space) = &space
        && let Err(broken) = space.read().check(memory())
    {
        panic!("the space of {}[{}]: {broken}", process.name(), process.pid);
    }
    drop(space);
    itimer::stop(process);
    process.signals.give_up();
    process.files.close_all();
    process.working.leave();
    process.gone.store(true, Relaxed);
    process.give_space_back();
}

fn tell_parent(process: &Process, status: Status) {
    let table::Burial { parent, init } = table::bury(process.pid, status);
    if let Some(parent) = parent {
        signal::tell_of_child(&parent, process, status);
        parent.wake();
    }
    if let Some(init) = init {
        signal::tell_of_child(&init, process, status);
        init.wake();
    }
    waiting::wake(process.key());
}

/// Init has ended, and the run with it: so does everyone else, and what every process held must be back.
fn end_machine(status: Status) -> ! {
    while table::count() > 1 {
        // Nobody else may be left to kill: those that ended are still to be noticed.
        let _ = signal::kill_all(SIGKILL);
        while let Found::Ended(..) = table::reap(INIT, Children::Any, Wanted::ENDED) {}
        sched::yield_now();
    }
    fs::paged::sync_all();
    fs::close();
    trace::write_all();
    log::info!("{}", audit::Faults);
    match audit::verdict() {
        Ok(()) => log::info!("every frame that processes held is back"),
        Err(lost) if cfg!(debug_assertions) => panic!("{lost}"),
        Err(lost) => log::error!("{lost}"),
    }
    machine::end(status.shell_code())
}
