//! `fork` and its kin: a second process that continues where the first one called.
use alloc::sync::Arc;

use super::oom::{self, Need};
use super::table::{INIT, Reserved};
use super::thread::Thread;
use super::{Process, Space, current, sched, signal};
use crate::arch::fpu::FpuState;
use crate::arch::trap::TrapFrame;
use crate::arch::user::Bases;
use crate::heap;
use abi::Errno;
use core::sync::atomic::Ordering::Relaxed;

/// Whose memory the child runs in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Memory {
    /// A copy of the parent's.
    Copied,
    /// The parent's own, which waits until the child has a program of its own or has ended (vfork(2)).
    Borrowed,
}

/// What differs in the child's thread beside its result.
#[derive(Clone, Copy, Default)]
pub(crate) struct Start {
    /// Its stack pointer, if not the parent's.
    pub(crate) stack: Option<u64>,
    /// Its FS base, if not the parent's.
    pub(crate) thread_pointer: Option<u64>,
    /// The word that tells others of the thread's end, or 0.
    pub(crate) tid_word: u64,
}

/// Makes the running process's child and returns its number.
pub(crate) fn fork(frame: &TrapFrame, memory: Memory, start: Start) -> Result<u32, Errno> {
    oom::retry(Need::Fork, || try_fork(frame, memory, start))
}

fn try_fork(frame: &TrapFrame, memory: Memory, start: Start) -> Result<u32, Errno> {
    let parent = current();
    if parent.pid != INIT {
        heap::make_scarce();
    }
    let reserved = Reserved::new()?;
    let space = match memory {
        Memory::Copied => parent
            .space()
            .ok_or(Errno::ENOMEM)?
            .fork()
            .map_err(|_| Errno::ENOMEM)?,
        Memory::Borrowed => parent.space().ok_or(Errno::ENOMEM)?,
    };
    if parent.signals.ended().is_some() {
        // Others may have run meanwhile: who kills all processes of a kind must not miss the ones to come.
        return Err(Errno::EINTR);
    }
    let child = copy(&parent, reserved.pid(), space)?;
    child
        .borrows_space
        .store(memory == Memory::Borrowed, Relaxed);
    let thread = first_thread(&child, frame, start)?;
    let pid = reserved.pid();
    reserved.announce(child.clone(), parent.pid);
    sched::start(thread);
    Ok(pid)
}

/// The child without its thread. A process is large: apart, it takes no room of the stack while the memory is copied.
#[inline(never)]
fn copy(parent: &Process, pid: u32, space: Arc<Space>) -> Result<Arc<Process>, Errno> {
    let files = parent.files.fork().map_err(|_| Errno::ENOMEM)?;
    let mut child = Process::new(
        pid,
        parent.name(),
        Some(space),
        files,
        parent.signals.fork().map_err(|_| Errno::ENOMEM)?,
        parent.membership.fork(),
        parent.limits(),
    );
    child.working.inherit(&parent.working);
    child.set_oom_adjustment(parent.oom_adjustment(), parent.oom_floor());
    child.attributes = parent.attributes.fork();
    Arc::try_new(child).map_err(|_| Errno::ENOMEM)
}

/// The child's thread: the parent's registers, with 0 as the result.
fn first_thread(
    child: &Arc<Process>,
    frame: &TrapFrame,
    start: Start,
) -> Result<Arc<Thread>, Errno> {
    let mut frame = *frame;
    frame.rax = 0;
    if let Some(stack) = start.stack {
        frame.rsp = stack;
    }
    let fpu = FpuState::try_of_current();
    let mut bases = Bases::current();
    if let Some(base) = start.thread_pointer {
        bases.set_fs(base);
    }
    let thread = fpu.and_then(|fpu| Thread::try_new(child.clone(), &frame, fpu, bases));
    let thread = thread.map_err(|_| Errno::ENOMEM)?;
    thread.futex.set_tid_word(start.tid_word);
    *child.thread.lock() = Arc::downgrade(&thread);
    Ok(thread)
}

/// Waits until `child`, who runs in the caller's memory, has given it back.
pub(crate) fn await_return(child: u32) {
    let borrows = || super::table::find(child).is_some_and(|child| child.is_borrowing());
    while borrows() && !signal::is_dying() {
        sched::park();
    }
}

/// State of a thread that starts from nothing.
pub(super) fn fresh_state() -> Result<(FpuState, Bases), mm::OutOfMemory> {
    Ok((FpuState::try_new()?, Bases::default()))
}
