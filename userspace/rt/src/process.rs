//! The life of a process: `fork`, `execve`, `exit`, `wait4`.
#![expect(
    unsafe_code,
    reason = "vfork runs two processes on one stack, and wait4 fills a structure"
)]

use core::arch::naked_asm;
use core::ffi::CStr;
use core::fmt;
use core::mem::MaybeUninit;

use abi::{Errno, Sysno, general};

use crate::faults::Usage;
use crate::signal::Signal;
use crate::syscall::call;

/// A process's number.
pub type Pid = i32;

/// Every child, where [`wait`] asks for a pid.
pub const ANY_CHILD: Pid = -1;

/// Which of the two processes returned from [`fork`].
pub enum Fork {
    /// The new process.
    Child,
    /// The old process, told the new one's number.
    Parent(Pid),
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// By itself, with this code.
    Exited(u8),
    /// By a signal.
    Killed(Signal),
}

impl Status {
    /// Decodes the word that `wait4` stores.
    fn from_raw(raw: i32) -> Self {
        match raw & 0x7f {
            0 => Self::Exited((raw >> 8) as u8),
            signal => Self::Killed(Signal(signal as u32)),
        }
    }

    /// The exit code that a shell would report: the program's own, or 128 + signal.
    pub fn shell_code(self) -> u8 {
        match self {
            Self::Exited(code) => code,
            Self::Killed(signal) => 128 + signal.0 as u8,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit code {code}"),
            Self::Killed(signal) => write!(f, "{signal}"),
        }
    }
}

/// A child that has ended, as [`wait`] reports it.
pub struct Ended {
    /// Which one.
    pub pid: Pid,
    /// How it ended.
    pub status: Status,
    /// What it used.
    pub usage: Usage,
}

/// This process's number.
pub fn id() -> Pid {
    call(Sysno::getpid, []).expect("getpid never fails") as Pid
}

/// The parent's number.
pub fn parent_id() -> Pid {
    call(Sysno::getppid, []).expect("getppid never fails") as Pid
}

/// Lets another process run.
pub fn yield_now() {
    call(Sysno::sched_yield, []).expect("sched_yield never fails");
}

/// Ends this process with all its threads.
pub fn exit(code: u8) -> ! {
    let refused = call(Sysno::exit_group, [usize::from(code)]);
    unreachable!("exit_group returned {refused:?}")
}

/// Makes a copy of this process: the same memory, shared until one of the two writes.
pub fn fork() -> Result<Fork, Errno> {
    Ok(match call(Sysno::fork, [])? {
        0 => Fork::Child,
        pid => Fork::Parent(pid as Pid),
    })
}

/// Runs `body` in a forked child, which then exits with its value.
pub fn spawn(body: impl FnOnce() -> u8) -> Result<Pid, Errno> {
    match fork()? {
        Fork::Child => exit(body()),
        Fork::Parent(pid) => Ok(pid),
    }
}

/// Runs `body` in a forked child and waits for its end.
///
/// # Panics
/// If there is no memory for a child.
pub fn run_in_child(body: impl FnOnce() -> u8) -> Status {
    let pid = spawn(body).expect("fork");
    wait(pid).expect("wait for the child just forked").status
}

/// Waits until child `pid` (or [`ANY_CHILD`]) ends.
pub fn wait(pid: Pid) -> Result<Ended, Errno> {
    loop {
        match wait4(pid, 0) {
            Ok(Some(ended)) => return Ok(ended),
            Ok(None) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Like [`wait`], but a handler that runs may end the wait with `EINTR`.
pub fn wait_once(pid: Pid) -> Result<Ended, Errno> {
    wait4(pid, 0)?.ok_or(Errno::EAGAIN)
}

/// Collects child `pid` if it has ended already.
pub fn try_wait(pid: Pid) -> Result<Option<Ended>, Errno> {
    wait4(pid, general::WNOHANG)
}

fn wait4(pid: Pid, options: u32) -> Result<Option<Ended>, Errno> {
    let mut raw = 0i32;
    let mut usage = MaybeUninit::<general::rusage>::zeroed();
    let arguments = [
        pid as usize,
        &raw mut raw as usize,
        options as usize,
        usage.as_mut_ptr() as usize,
    ];
    let pid = call(Sysno::wait4, arguments)? as Pid;
    // SAFETY: `rusage` is made of integers only, for which zeros are a value; the kernel overwrote them or left them.
    let usage = Usage::from(unsafe { usage.assume_init() });
    Ok((pid != 0).then(|| Ended {
        pid,
        status: Status::from_raw(raw),
        usage,
    }))
}

/// As many pointers as [`execve`] passes on in one list.
const MAX_WORDS: usize = 512;

/// Replaces this program by the one at `path`; returns only if that fails.
///
/// More than 511 arguments or variables are refused here with `E2BIG`.
pub fn execve(path: &CStr, arguments: &[&CStr], environment: &[&CStr]) -> Errno {
    let (Some(arguments), Some(environment)) = (pointers(arguments), pointers(environment)) else {
        return Errno::E2BIG;
    };
    let passed = [
        path.as_ptr() as usize,
        arguments.as_ptr() as usize,
        environment.as_ptr() as usize,
    ];
    match call(Sysno::execve, passed) {
        Err(errno) => errno,
        Ok(value) => unreachable!("execve returned {value}"),
    }
}

/// The addresses of `words`, ended by a null.
fn pointers(words: &[&CStr]) -> Option<[usize; MAX_WORDS]> {
    let mut list = [0; MAX_WORDS];
    let (last, places) = list.split_last_mut()?;
    *last = 0;
    places
        .get_mut(..words.len())?
        .iter_mut()
        .zip(words)
        .for_each(|(place, word)| *place = word.as_ptr() as usize);
    Some(list)
}

/// Runs `body` in a child that borrows this process's memory, while this process stands still.
///
/// The child exits with `body`'s value unless `body` executes another program. Whatever `body` writes, this process sees
/// afterwards: to the compiler this is nothing but a call of `body`.
pub fn vfork<F: FnOnce() -> u8>(body: F) -> Result<Pid, Errno> {
    let mut body = Some(body);
    let value = vfork_and_call(call_once::<F>, (&raw mut body).cast());
    Errno::from_ret(value).map(|pid| pid as Pid)
}

extern "C" fn call_once<F: FnOnce() -> u8>(body: *mut Option<F>) -> u32 {
    // SAFETY: `vfork` passes the address of its own `body`, and stands still meanwhile.
    let body = unsafe { &mut *body };
    body.take().map_or(0, |body| u32::from(body()))
}

/// `vfork`, after which the child calls `function(argument)` and exits with its value, all in assembler: the child must
/// not return from here, or it would overwrite the frames that the parent wakes up to.
#[unsafe(naked)]
extern "C" fn vfork_and_call<T>(function: extern "C" fn(*mut T) -> u32, argument: *mut T) -> usize {
    naked_asm!(
        "mov eax, {vfork}",
        "syscall",
        "test rax, rax",
        "jz 2f",
        "ret",
        "2: mov rax, rdi",
        "mov rdi, rsi",
        "sub rsp, 8",
        "call rax",
        "mov edi, eax",
        "mov eax, {exit_group}",
        "syscall",
        "ud2",
        vfork = const Sysno::vfork as u32,
        exit_group = const Sysno::exit_group as u32,
    )
}
