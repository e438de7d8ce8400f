//! A thread: a kernel stack with the registers that wait on it, and the process that it runs for.
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use mm::OutOfMemory;
use spin::Mutex;

use super::Process;
use super::deadlines::{Links, Timed};
use super::futex;
use super::queue::Queued;
use super::waiting::Waiter;
use crate::arch::context::Context;
use crate::arch::fpu::FpuState;
use crate::arch::percpu::{self, Attention};
use crate::arch::stack::KernelStack;
use crate::arch::trap::TrapFrame;
use crate::arch::user::Bases;

/// The next thread in a queue.
type Link = Mutex<Option<Arc<Thread>>>;

/// What the scheduler switches between.
pub(crate) struct Thread {
    /// The process that it runs for.
    pub(crate) process: Arc<Process>,
    pub(super) context: Context,
    pub(super) fpu: FpuState,
    pub(super) bases: Bases,
    next_ready: Link,
    sleeper: Links<Self>,
    waiter: Links<Self>,
    /// The key of what it waits for: see `waiting.rs`.
    pub(super) waits_for: AtomicUsize,
    /// How it waits at a futex, and what it leaves to others by futexes when it ends.
    pub(super) futex: futex::Place,
    /// When it wakes by itself, in nanoseconds since boot.
    pub(super) deadline: AtomicU64,
    /// How many single frames it wanted in vain.
    refusals: AtomicU64,
    /// Lends its stack to the processor's wait for anything to do.
    pub(super) idle: AtomicBool,
    /// Out of the run queue until someone wakes it; guarded by the scheduler's lock.
    pub(super) parked: AtomicBool,
    /// Was woken while it was not parked: the next `park` returns at once. Guarded by the scheduler's lock.
    pub(super) woken: AtomicBool,
}

impl Queued for Thread {
    fn next(&self) -> &Link {
        &self.next_ready
    }
}

impl Timed for Thread {
    type Order = u64;

    fn deadline(&self) -> u64 {
        self.deadline.load(Relaxed)
    }

    fn links(&self) -> &Links<Self> {
        &self.sleeper
    }
}

impl Timed<Waiter> for Thread {
    type Order = u64;

    /// The key of what it waits for.
    fn deadline(&self) -> u64 {
        self.waits_for.load(Relaxed) as u64
    }

    fn links(&self) -> &Links<Self> {
        &self.waiter
    }
}

impl Thread {
    /// A thread that will enter ring 3 with the registers of `frame`, floating-point state and segment bases as given.
    pub(super) fn try_new(
        process: Arc<Process>,
        frame: &TrapFrame,
        fpu: FpuState,
        bases: Bases,
    ) -> Result<Arc<Self>, OutOfMemory> {
        let context = Context::new_user(KernelStack::try_new()?, frame);
        Self::with(process, context, fpu, bases)
    }

    /// A thread of the kernel's own, which runs `body`.
    pub(super) fn of_kernel(
        process: Arc<Process>,
        body: fn() -> !,
    ) -> Result<Arc<Self>, OutOfMemory> {
        let context = Context::new_kernel(KernelStack::try_new()?, body);
        Self::with(process, context, FpuState::try_new()?, Bases::default())
    }

    fn with(
        process: Arc<Process>,
        context: Context,
        fpu: FpuState,
        bases: Bases,
    ) -> Result<Arc<Self>, OutOfMemory> {
        let thread = Self {
            process,
            context,
            fpu,
            bases,
            next_ready: Link::new(None),
            sleeper: Links::new(),
            waiter: Links::new(),
            waits_for: AtomicUsize::new(0),
            futex: futex::Place::new(),
            deadline: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
            idle: AtomicBool::new(false),
            parked: AtomicBool::new(false),
            woken: AtomicBool::new(false),
        };
        Arc::try_new(thread).map_err(|_| OutOfMemory)
    }

    /// A single frame was wanted and there was none.
    pub(crate) fn note_refusal(&self) {
        self.refusals.fetch_add(1, Relaxed);
    }

    /// How often that happened.
    pub(super) fn refusals(&self) -> u64 {
        self.refusals.load(Relaxed)
    }

    /// Saves what the processor holds for this thread beyond the general registers.
    pub(super) fn leave(&self) {
        self.fpu.save();
        self.bases.save();
    }

    /// Loads it again. Attention is the CPU's, so what came for this process while others ran is called to it anew.
    pub(super) fn resume(&self) {
        self.fpu.restore();
        self.bases.restore();
        if self.process.signals.has_news() {
            percpu::raise(Attention::SIGNAL);
        }
    }
}
