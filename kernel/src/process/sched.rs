//! Who runs: one queue, round robin, a slice per timer tick.
//!
//! Threads change at two kinds of moments: on the way back to ring 3 when the slice is over, and when a thread waits.
//! Waiting is `park` and `wake`, in that a wake that comes first is remembered, so a condition may be checked without a
//! lock: check, park, check again. A thread with nobody to switch to stays on its own stack and halts the processor
//! until an interrupt makes someone ready.
use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;

use super::deadlines::{AT_ONCE, Deadlines};
use super::load;
use super::queue::Fifo;
use super::thread::Thread;
use crate::arch::percpu::{self, Attention};
use crate::arch::{context, interrupts, timer};
use crate::bugs::{self, Moment};
use crate::lock::{IrqLock, Rank};
use crate::options::Kinds;
use crate::trace::{self, Why};

/// Runs where nobody is ready.
const NOBODY: u32 = 0;

static SCHEDULER: IrqLock<Scheduler> = IrqLock::new(Rank::Scheduler, Scheduler::new());

struct Scheduler {
    ready: Fifo<Thread>,
    sleepers: Deadlines<Thread>,
    /// The thread that ran before this one, until the new one has left its stack.
    previous: Option<Arc<Thread>>,
}

impl Scheduler {
    const fn new() -> Self {
        Self {
            ready: Fifo::new(),
            sleepers: Deadlines::new(),
            previous: None,
        }
    }

    fn wake(&mut self, thread: &Arc<Thread>) {
        if thread.parked.swap(false, Relaxed) {
            if trace::wants(Kinds::SCHED) {
                trace::wake(thread.process.pid);
            }
            self.ready.push(thread.clone());
        } else {
            thread.woken.store(true, Relaxed);
        }
    }

    fn wake_sleepers(&mut self, now: u64) {
        for _ in 0..AT_ONCE {
            let Some(thread) = self.sleepers.pop_due(now) else {
                return;
            };
            self.wake(&thread);
        }
    }
}

/// Lets a new thread run.
pub(super) fn start(thread: Arc<Thread>) {
    SCHEDULER.lock().ready.push(thread);
}

/// Lets everyone else who is ready run first.
pub(crate) fn yield_now() {
    step_aside(Why::Yielded);
}

/// The same at the end of a slice.
pub(super) fn preempt() {
    step_aside(Why::Preempted);
}

fn step_aside(why: Why) {
    interrupts::without(|| {
        SCHEDULER.lock().ready.push(percpu::current());
        switch(why);
    });
}

/// Lets others run if the caller's slice is over: for calls that may take long.
pub(crate) fn breathe() {
    let attention = percpu::take_attention();
    percpu::raise(attention - Attention::RESCHEDULE);
    if attention.contains(Attention::RESCHEDULE) {
        preempt();
    }
}

/// Waits for a [`wake`]; may also return without one, so callers check what they wait for.
pub(crate) fn park() {
    interrupts::without(|| {
        let me = percpu::current();
        {
            let _scheduler = SCHEDULER.lock();
            if me.woken.swap(false, Relaxed) {
                return;
            }
            me.parked.store(true, Relaxed);
        }
        switch(Why::Blocked);
    });
}

/// Like [`park`], but not beyond `deadline`, in nanoseconds since boot.
pub(crate) fn park_until(deadline: u64) {
    let me = percpu::current();
    me.deadline.store(deadline, Relaxed);
    SCHEDULER.lock().sleepers.insert(&me);
    park();
    SCHEDULER.lock().sleepers.remove(&me);
}

/// Makes `thread` ready, or its next [`park`] void.
pub(crate) fn wake(thread: &Arc<Thread>) {
    SCHEDULER.lock().wake(thread);
}

/// The timer's tick: wakes sleepers and ends the slice if anyone waits for the processor.
pub(super) fn tick() {
    let mut scheduler = SCHEDULER.lock();
    scheduler.wake_sleepers(timer::nanoseconds());
    if !scheduler.ready.is_empty() {
        percpu::raise(Attention::RESCHEDULE);
    }
}

/// Leaves the processor to others for good. The caller has given up all that it held.
pub(super) fn exit() -> ! {
    interrupts::disable();
    switch(Why::Exited);
    unreachable!("a thread that ended was run again")
}

/// Runs the next ready thread; returns when the caller's turn comes. Interrupts are off.
fn switch(why: Why) {
    let mut from = (me(), why);
    let next = loop {
        let next = SCHEDULER.lock().ready.pop();
        match next {
            Some(thread) => break thread,
            None => wait(&mut from),
        }
    };
    note_switch(from, next.process.pid);
    // References, not clones: a thread that ends here for good must not leave a count on its stack.
    percpu::with_current(|me| {
        if from.0 == NOBODY || !core::ptr::eq(me, &*next) {
            me.process.usage.left(why);
            load::switched();
        }
        if !core::ptr::eq(me, &*next) {
            me.leave();
            switch_from(me, next);
            finish_switch();
            me.resume();
        }
    });
}

fn me() -> u32 {
    percpu::with_current(|thread| thread.process.pid)
}

/// For the trace: the processor goes to process `to`.
fn note_switch((from, why): (u32, Why), to: u32) {
    if trace::wants(Kinds::SCHED) && from != to {
        trace::switch(from, to, why);
    }
}

/// Halts until the next interrupt. That time is nobody's: process 0 has it, as whose the switch began.
fn wait(from: &mut (u32, Why)) {
    note_switch(*from, NOBODY);
    *from = (NOBODY, Why::Idle);
    percpu::with_current(|thread| thread.idle.store(true, Relaxed));
    if trace::write_one() {
        // Whoever interrupts may make somebody ready, so the caller looks before it halts.
        interrupts::enable();
        interrupts::disable();
    } else {
        interrupts::wait();
    }
    percpu::with_current(|thread| thread.idle.store(false, Relaxed));
}

/// Changes stacks. Comes back when `me` is switched to again.
fn switch_from(me: &Thread, next: Arc<Thread>) {
    match next.process.root() {
        Some(root) => context::activate(root),
        None => context::activate_kernel(),
    }
    let previous = percpu::set_current(next);
    SCHEDULER.lock().previous = previous;
    percpu::with_current(|next| context::switch(&me.context, &next.context));
}

/// Gives the processor to the first thread of all; the stack that boot ran on is not used again.
pub(super) fn run_first(thread: Arc<Thread>) -> ! {
    interrupts::disable();
    if let Some(root) = thread.process.root() {
        context::activate(root);
    }
    let none = percpu::set_current(thread);
    debug_assert!(none.is_none(), "a thread ran before the first");
    percpu::with_current(|thread| context::launch(&thread.context))
}

/// First act of a thread on its own stack: drops the hold on the one before it, which may end that one.
pub(crate) fn finish_switch() {
    let previous = SCHEDULER.lock().previous.take();
    drop(previous);
}

/// First act of a new thread: it was not in `switch` before.
pub(crate) fn begin() {
    finish_switch();
    percpu::with_current(Thread::resume);
    bugs::plant(Moment::Process);
}
