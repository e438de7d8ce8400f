//! Processes: what they hold, how they come and go, and the moments at which the kernel looks after them.
//!
//! A process is made by `fork`, changed by `execve` and ended by `exit` (a file each); `table` knows who is whose child.
//! Ending happens in one place, on the way back to ring 3 ([`before_user`]), where nothing is left on the kernel stack
//! that would need to be given up first.
pub(crate) mod attributes;
mod audit;
pub(crate) mod capabilities;
mod deadlines;
mod death;
mod describe;
mod elf;
mod entries;
mod exception;
pub(crate) mod exec;
pub(crate) mod exit;
pub(crate) mod fork;
pub(crate) mod futex;
pub(crate) mod group;
pub(crate) mod init;
pub(crate) mod interpreter;
pub(crate) mod itimer;
pub(crate) mod kthread;
mod layout;
pub(crate) mod limits;
pub(crate) mod load;
pub(crate) mod oom;
mod queue;
pub(crate) mod sched;
mod script;
pub(crate) mod signal;
mod space;
pub(crate) mod stack;
mod stop;
pub(crate) mod table;
pub(crate) mod thread;
pub(crate) mod usage;
pub(crate) mod vdso;
pub(crate) mod wait;
pub(crate) mod waiting;

use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicBool, AtomicI16, AtomicU64, Ordering::Relaxed};

pub(crate) use describe::describe;
pub(crate) use exception::exception;
pub(crate) use space::{Facts, Space};
use thread::Thread;
use usage::Usage;

use abi::Errno;

use crate::arch::interrupts;
use crate::arch::percpu::{self, Attention};
use crate::arch::trap::TrapFrame;
use crate::block;
use crate::bugs::{self, Moment};
use crate::console;
use crate::drivers::framebuffer;
use crate::fs::files::Files;
use crate::fs::working::Working;
use crate::lock::{IrqLock, Rank};
use crate::trace;
use attributes::Attributes;
use capabilities::{Looking, Rights};
use group::Membership;
use limits::{Limit, Limits, Raise};
use load::Ran;
use signal::Signals;

/// A running program.
pub(crate) struct Process {
    /// Its number.
    pub(crate) pid: u32,
    /// Its open files.
    pub(crate) files: Files,
    /// Where its paths begin, and umask(2).
    pub(crate) working: Working,
    /// Signals: what to do about each, which wait, and the end that was decided.
    pub(crate) signals: Signals,
    /// What it says of itself.
    pub(crate) attributes: Attributes,
    /// Its group and session.
    pub(crate) membership: Membership,
    /// Timers that send signals.
    timers: itimer::Timers,
    /// Time and faults.
    pub(crate) usage: Usage,
    /// What it may use.
    limits: IrqLock<Limits>,
    /// The program's name, as `comm` in proc(5).
    name: IrqLock<Name>,
    /// `None` once the process has ended, and of the kernel's own.
    space: IrqLock<Option<Arc<Space>>>,
    /// Physical address of the space's top-level table, 0 for none: what the scheduler loads.
    root: AtomicU64,
    /// The thread to wake when something happens to the process.
    thread: IrqLock<Weak<Thread>>,
    /// Runs in its parent's space, which waits for `execve` or the end (vfork(2)).
    borrows_space: AtomicBool,
    /// Its memory has been given back.
    gone: AtomicBool,
    /// `oom_score_adj` of proc(5).
    oom_adjustment: AtomicI16,
    /// How low those may set it who lack CAP_SYS_RESOURCE.
    oom_floor: AtomicI16,
}

/// The first 15 bytes of the program's file name.
#[derive(Clone, Copy, Default)]
pub(crate) struct Name {
    bytes: [u8; Self::LENGTH],
    len: usize,
}

impl Name {
    /// How much of a name is kept, in bytes.
    pub(crate) const LENGTH: usize = 15;

    /// The name for the program at `path`.
    pub(crate) fn of(path: &[u8]) -> Self {
        Self::from_bytes(path.rsplit(|&byte| byte == b'/').next().unwrap_or_default())
    }

    /// The name that begins `bytes`.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let mut name = Self {
            len: bytes.len().min(Self::LENGTH),
            ..Self::default()
        };
        name.bytes[..name.len].copy_from_slice(&bytes[..name.len]);
        name
    }

    /// The name, with NUL bytes behind it.
    pub(crate) fn to_bytes(self) -> [u8; Self::LENGTH + 1] {
        let mut bytes = [0; Self::LENGTH + 1];
        bytes[..Self::LENGTH].copy_from_slice(&self.bytes);
        bytes
    }
}

impl core::fmt::Display for Name {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.bytes[..self.len].escape_ascii().fmt(f)
    }
}

impl Process {
    /// A process that nobody knows yet; one without a space is the kernel's own.
    pub(crate) fn new(
        pid: u32,
        name: Name,
        space: Option<Arc<Space>>,
        files: Files,
        signals: Signals,
        membership: Membership,
        limits: Limits,
    ) -> Self {
        let root = space.as_ref().map_or(0, |space| space.root().address());
        Self {
            pid,
            files,
            working: Working::new(),
            signals,
            membership,
            attributes: Attributes::new(),
            timers: itimer::Timers::default(),
            usage: Usage::new(),
            limits: IrqLock::new(Rank::Process, limits),
            name: IrqLock::new(Rank::Process, name),
            root: AtomicU64::new(root),
            space: IrqLock::new(Rank::Process, space),
            thread: IrqLock::new(Rank::Process, Weak::new()),
            borrows_space: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            oom_adjustment: AtomicI16::new(0),
            oom_floor: AtomicI16::new(0),
        }
    }

    /// What the process may use.
    pub(crate) fn limits(&self) -> Limits {
        *self.limits.lock()
    }

    /// Changes what the process may use, and returns what it was. Its highest value only rises where `raise` allows that.
    pub(crate) fn set_limit(
        &self,
        resource: u32,
        limit: Limit,
        raise: Raise,
    ) -> Result<Limit, Errno> {
        let before = self.limits.lock().set(resource, limit, raise)?;
        self.apply_limits();
        Ok(before)
    }

    /// Whether it has a capability.
    pub(crate) fn may(&self, capability: u32) -> bool {
        self.attributes.rights().effective.has(capability)
    }

    /// Whether it may look into the memory of `other`.
    pub(crate) fn may_look_into(&self, other: &Self, by: Looking) -> bool {
        self.pid == other.pid || other.attributes.may_be_seen_by(&self.attributes, by)
    }

    /// Changes its capabilities, or nothing at all. They decide which limits bind.
    pub(crate) fn change_rights(
        &self,
        change: impl FnOnce(&mut Rights) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        self.attributes.change_rights(change)?;
        self.apply_limits();
        Ok(())
    }

    /// Tells the space what it may become. Memory that is only borrowed keeps its owner's limits.
    fn apply_limits(&self) {
        if let Some(space) = self.space().filter(|_| !self.is_borrowing()) {
            let mut space = space.write();
            space.limits = self.limits().memory(&self.attributes.rights());
        }
    }

    /// The program's name.
    pub(crate) fn name(&self) -> Name {
        *self.name.lock()
    }

    /// Gives it another name.
    pub(crate) fn set_name(&self, name: Name) {
        *self.name.lock() = name;
    }

    /// The process's memory; `None` once it has ended.
    pub(crate) fn space(&self) -> Option<Arc<Space>> {
        self.space.lock().clone()
    }

    /// Puts another space, or none, in the place of the process's own, which is returned.
    fn replace_space(&self, space: Option<Arc<Space>>) -> Option<Arc<Space>> {
        self.root.store(
            space.as_ref().map_or(0, |space| space.root().address()),
            Relaxed,
        );
        core::mem::replace(&mut *self.space.lock(), space)
    }

    /// The top-level table to run with.
    fn root(&self) -> Option<u64> {
        Some(self.root.load(Relaxed)).filter(|&root| root != 0)
    }

    /// `oom_score_adj` of proc(5).
    pub(crate) fn oom_adjustment(&self) -> i16 {
        self.oom_adjustment.load(Relaxed)
    }

    /// How low those may set it who lack CAP_SYS_RESOURCE.
    pub(crate) fn oom_floor(&self) -> i16 {
        self.oom_floor.load(Relaxed)
    }

    /// Sets both.
    pub(crate) fn set_oom_adjustment(&self, adjustment: i16, floor: i16) {
        self.oom_adjustment.store(adjustment, Relaxed);
        self.oom_floor.store(floor, Relaxed);
    }

    /// Whether its thread waits for something.
    pub(crate) fn is_waiting(&self) -> bool {
        let thread = self.thread();
        thread.is_none_or(|thread| thread.parked.load(Relaxed))
    }

    /// Its thread, while it has one.
    fn thread(&self) -> Option<Arc<Thread>> {
        self.thread.lock().upgrade()
    }

    /// What those wait for who wait for its end: see `waiting.rs`.
    pub(crate) fn key(&self) -> usize {
        core::ptr::from_ref(self) as usize
    }

    /// Wakes the process's thread from a wait.
    pub(crate) fn wake(&self) {
        if let Some(thread) = self.thread() {
            sched::wake(&thread);
        }
    }

    /// Lets the parent that lent its space go on, if one did.
    fn give_space_back(&self) {
        if self.borrows_space.swap(false, Relaxed) {
            table::wake_parent(self.pid);
        }
    }

    /// Whether the process has ended and what it held is free.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Relaxed)
    }

    fn is_borrowing(&self) -> bool {
        self.borrows_space.load(Relaxed)
    }
}

/// The process that runs on this CPU.
pub(crate) fn current() -> Arc<Process> {
    percpu::with_current(|thread| thread.process.clone())
}

/// The timer's interrupt: accounts for the tick, wakes sleepers, reads the consoles.
pub(crate) fn tick(frame: &TrapFrame) {
    if !frame.is_user() {
        bugs::plant(Moment::Interrupt);
    }
    percpu::with_current(|thread| {
        let ran = if thread.idle.load(Relaxed) {
            Ran::Nobody
        } else if frame.is_user() {
            Ran::User
        } else {
            Ran::Kernel
        };
        load::tick(ran);
        thread.process.usage.tick(ran);
        itimer::tick(&thread.process);
    });
    console::poll();
    framebuffer::refresh();
    sched::tick();
}

/// Last stop before ring 3, taken when something was raised: the end of a slice, a signal, the end of the process.
pub(crate) fn before_user(frame: &mut TrapFrame) {
    loop {
        let attention = percpu::take_attention();
        if attention.is_empty() {
            return;
        }
        if attention.contains(Attention::SIGNAL) {
            interrupts::enable();
            signal::deliver(frame);
            interrupts::disable();
        }
        if attention.contains(Attention::TRACE) {
            interrupts::enable();
            trace::write_all();
            interrupts::disable();
        }
        if attention.contains(Attention::DISKS) {
            interrupts::enable();
            block::take_back();
            interrupts::disable();
        }
        if attention.contains(Attention::RESCHEDULE) {
            sched::preempt();
        }
    }
}
