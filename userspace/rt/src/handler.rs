//! Signal handlers: setting them, blocking signals, waiting for them, and the stacks they run on.
//!
//! A handler is an ordinary function here; what it may do is no more than in C, and it shares the program's statics.
#![expect(
    unsafe_code,
    reason = "handlers return by assembler, and hostile programs jump into the kernel's hands"
)]

use core::arch::{asm, naked_asm};
use core::time::Duration;

pub use abi::signal::{Context, Frame, Info, Registers, Stack};
use abi::{Errno, Sysno, general};

use crate::process::{self, Pid};
use crate::signal::Signal;
use crate::syscall::call;

/// What runs when a signal comes: the signal's number, what is known of it, and what it interrupted, which may be changed.
pub type Handler = extern "C" fn(i32, &mut Info, &mut Context);

/// Bytes in a set of signals.
const SET: usize = size_of::<u64>();

/// The kernel's `struct sigaction`, as it is passed.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Action {
    /// An address, 0 for the default, 1 to ignore the signal.
    pub handler: usize,
    /// `SA_*`.
    pub flags: u64,
    /// Where the handler returns to.
    pub restorer: usize,
    /// What is blocked besides while it runs.
    pub mask: u64,
}

impl Action {
    /// The signal is ignored.
    pub const IGNORE: Self = Self {
        handler: 1,
        flags: 0,
        restorer: 0,
        mask: 0,
    };

    /// Calls `handler`, with `flags` beside those that every handler needs.
    pub fn new(handler: Handler, flags: u32) -> Self {
        Self {
            handler: handler as usize,
            flags: u64::from(flags | general::SA_SIGINFO | general::SA_RESTORER),
            restorer: restorer as *const () as usize,
            mask: 0,
        }
    }

    /// The same with `signals` blocked while it runs.
    pub fn blocking(self, signals: u64) -> Self {
        Self {
            mask: signals,
            ..self
        }
    }
}

/// Where handlers return to.
#[unsafe(naked)]
extern "C" fn restorer() {
    naked_asm!("mov eax, {number}", "syscall", "ud2", number = const Sysno::rt_sigreturn as u32)
}

/// The set of these signals.
pub fn set(signals: &[Signal]) -> u64 {
    signals
        .iter()
        .fold(0, |set, signal| set | 1 << (signal.0 - 1))
}

/// Sets what is to be done with `signal`; what was to be done before.
pub fn act(signal: Signal, action: Action) -> Result<Action, Errno> {
    let mut before = Action::default();
    let arguments = [
        signal.0 as usize,
        &raw const action as usize,
        &raw mut before as usize,
        SET,
    ];
    call(Sysno::rt_sigaction, arguments).map(|_| before)
}

/// What is to be done with `signal`.
pub fn action(signal: Signal) -> Result<Action, Errno> {
    let mut now = Action::default();
    let arguments = [signal.0 as usize, 0, &raw mut now as usize, SET];
    call(Sysno::rt_sigaction, arguments).map(|_| now)
}

/// Has `handler` run when `signal` comes, with `flags` of `SA_*`.
///
/// # Panics
/// If there is no such signal, or none that can be handled.
pub fn handle(signal: Signal, handler: Handler, flags: u32) {
    act(signal, Action::new(handler, flags)).expect("rt_sigaction");
}

/// Has `handler` run for each signal by which the kernel tells of a mistake.
pub fn handle_faults(handler: Handler) {
    for signal in [
        Signal::SEGV,
        Signal::BUS,
        Signal::FPE,
        Signal::ILL,
        Signal::TRAP,
    ] {
        handle(signal, handler, 0);
    }
}

/// Blocks exactly `mask`; what was blocked before.
pub fn set_mask(mask: u64) -> u64 {
    let mut before = 0;
    let arguments = [
        general::SIG_SETMASK as usize,
        &raw const mask as usize,
        &raw mut before as usize,
        SET,
    ];
    call(Sysno::rt_sigprocmask, arguments).expect("rt_sigprocmask");
    before
}

/// What is blocked.
pub fn mask() -> u64 {
    let mut now = 0u64;
    call(Sysno::rt_sigprocmask, [0, 0, &raw mut now as usize, SET]).expect("rt_sigprocmask");
    now
}

/// The signals that wait because they are blocked.
pub fn pending() -> u64 {
    let mut set = 0u64;
    call(Sysno::rt_sigpending, [&raw mut set as usize, SET]).expect("rt_sigpending");
    set
}

/// Waits for a handler to run, with only `mask` blocked.
pub fn suspend(mask: u64) -> Errno {
    let arguments = [&raw const mask as usize, SET];
    call(Sysno::rt_sigsuspend, arguments).expect_err("rt_sigsuspend never succeeds")
}

/// Waits for a handler to run.
pub fn pause() -> Errno {
    call(Sysno::pause, []).expect_err("pause never succeeds")
}

/// Takes one of `signals`, which are blocked, or waits for one, up to `limit` if there is one.
pub fn take(signals: u64, limit: Option<Duration>) -> Result<Info, Errno> {
    let mut info = Info::default();
    let time = limit.map(|limit| general::__kernel_timespec {
        tv_sec: limit.as_secs() as i64,
        tv_nsec: i64::from(limit.subsec_nanos()),
    });
    let time = time.as_ref().map_or(0, |time| &raw const *time as usize);
    let arguments = [
        &raw const signals as usize,
        &raw mut info as usize,
        time,
        SET,
    ];
    call(Sysno::rt_sigtimedwait, arguments).map(|_| info)
}

/// Sends `signal` with a value.
pub fn queue(pid: Pid, signal: Signal, value: u64) -> Result<(), Errno> {
    let mut info = Info {
        code: general::SI_QUEUE,
        ..Info::default()
    };
    info.fields[0] = process::id() as u64;
    info.fields[1] = value;
    let arguments = [pid as usize, signal.0 as usize, &raw const info as usize];
    call(Sysno::rt_sigqueueinfo, arguments).map(drop)
}

/// Sends `signal` to this thread.
pub fn raise(signal: Signal) {
    let pid = process::id() as usize;
    call(Sysno::tgkill, [pid, pid, signal.0 as usize]).expect("tgkill");
}

/// Sets the alternate stack; how it was before, or is as seen from here.
pub fn set_stack(start: usize, size: usize, flags: u32) -> Result<Stack, Errno> {
    let new = Stack {
        start: start as u64,
        flags,
        padding: 0,
        size: size as u64,
    };
    let mut before = Stack::default();
    let arguments = [&raw const new as usize, &raw mut before as usize];
    call(Sysno::sigaltstack, arguments).map(|_| before)
}

/// The alternate stack as seen from here.
pub fn stack() -> Stack {
    let mut now = Stack::default();
    call(Sysno::sigaltstack, [0, &raw mut now as usize]).expect("sigaltstack");
    now
}

/// Calls `rt_sigreturn` with the stack pointer at `frame`, as if a handler had just returned from there.
pub fn return_to(frame: usize) -> ! {
    // SAFETY: nothing of this program's runs on unless the frame says so.
    unsafe {
        asm!("mov rsp, {}", "mov eax, {}", "syscall", "ud2",
            in(reg) frame, const Sysno::rt_sigreturn as u32, options(noreturn))
    }
}
