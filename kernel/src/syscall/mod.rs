//! System calls: one table from Linux's numbers to functions that parse, lock, call, and turn refusals into errno.
//!
//! A number that isn't in the table answers `ENOSYS`, is counted, and is logged once for each number.
mod advice;
mod descriptor;
mod extent;
mod file;
mod itimer;
mod limits;
mod memfd;
mod memory;
mod path;
mod pipe;
mod process;
mod residency;
mod signal;
mod system;
mod terminal;
mod time;
mod user;
mod wait;

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub(crate) use system::NAME;

use abi::{Errno, Sysno};

use crate::arch::percpu::{self, Attention};
use crate::arch::trap::TrapFrame;
use crate::options::Kinds;
use crate::trace;

/// The six arguments.
type Arguments = [u64; 6];

/// What a call answers.
type Answer = Result<u64, Errno>;

/// Numbers below this are remembered when they are asked for in vain.
const KNOWN: usize = 512;

static MISSING: [AtomicU64; KNOWN] = [const { AtomicU64::new(0) }; KNOWN];

/// Serves the call in `frame` and leaves its answer there.
pub(crate) fn dispatch(frame: &mut TrapFrame) {
    if trace::wants(Kinds::SYSCALLS) {
        trace::call(frame, answer);
    } else {
        answer(frame);
    }
}

fn answer(frame: &mut TrapFrame) {
    let (number, arguments) = frame.call();
    let answer = match Sysno::new(number as usize) {
        Some(call) => serve(call, arguments, frame),
        None => missing(number.into()),
    };
    if answer == Ok(COMPLETE) {
        return;
    }
    frame.rax = answer.unwrap_or_else(refusal);
}

/// What ring 3 reads for `errno`. One of the `ERESTART` numbers never gets there: see `signal::deliver`.
fn refusal(errno: Errno) -> u64 {
    if errno.into_raw() >= Errno::ERESTARTSYS.into_raw() {
        percpu::raise(Attention::SIGNAL);
    }
    -i64::from(errno.into_raw()) as u64
}

/// The answer of calls after which the frame is complete: nobody reads it.
const COMPLETE: u64 = u64::MAX;

/// The table.
fn serve(call: Sysno, a: Arguments, frame: &mut TrapFrame) -> Answer {
    match call {
        Sysno::mmap => memory::mmap(a),
        Sysno::munmap => memory::munmap(a),
        Sysno::mprotect => memory::mprotect(a),
        Sysno::brk => memory::brk(a),
        Sysno::mremap => memory::mremap(a),
        Sysno::madvise => advice::madvise(a),
        Sysno::mlock => residency::mlock(a),
        Sysno::mlock2 => residency::mlock2(a),
        Sysno::munlock => residency::munlock(a),
        Sysno::mlockall => residency::mlockall(a),
        Sysno::munlockall => residency::munlockall(),
        Sysno::mincore => residency::mincore(a),
        Sysno::msync => residency::msync(a),

        Sysno::fork => process::fork(frame),
        Sysno::vfork => process::vfork(frame),
        Sysno::clone => process::clone(a, frame),
        Sysno::execve => process::execve(a, frame),
        Sysno::exit | Sysno::exit_group => process::exit(a),
        Sysno::wait4 => wait::wait4(a),
        Sysno::waitid => wait::waitid(a),
        Sysno::setpgid => process::setpgid(a),
        Sysno::getpgid => process::getpgid(a),
        Sysno::getpgrp => process::getpgrp(),
        Sysno::setsid => process::setsid(),
        Sysno::getsid => process::getsid(a),
        Sysno::getpid | Sysno::gettid => process::getpid(),
        Sysno::getppid => process::getppid(),
        Sysno::set_tid_address => process::getpid(),
        Sysno::set_robust_list => process::set_robust_list(a),
        Sysno::arch_prctl => process::arch_prctl(a),
        Sysno::sched_yield => process::sched_yield(),
        Sysno::getrusage => process::getrusage(a),
        Sysno::getuid | Sysno::geteuid | Sysno::getgid | Sysno::getegid => Ok(0),

        Sysno::kill => signal::kill(a),
        Sysno::tkill => signal::tkill(a),
        Sysno::tgkill => signal::tgkill(a),
        Sysno::rt_sigqueueinfo => signal::rt_sigqueueinfo(a),
        Sysno::rt_tgsigqueueinfo => signal::rt_tgsigqueueinfo(a),
        Sysno::rt_sigreturn => signal::rt_sigreturn(frame),
        Sysno::rt_sigsuspend => signal::rt_sigsuspend(a),
        Sysno::rt_sigtimedwait => signal::rt_sigtimedwait(a),
        Sysno::sigaltstack => signal::sigaltstack(a, frame),
        Sysno::pause => signal::pause(),
        Sysno::restart_syscall => time::restart_syscall(),
        Sysno::rt_sigaction => signal::rt_sigaction(a),
        Sysno::rt_sigprocmask => signal::rt_sigprocmask(a),
        Sysno::rt_sigpending => signal::rt_sigpending(a),

        Sysno::read => file::read(a),
        Sysno::write => file::write(a),
        Sysno::readv => file::readv(a),
        Sysno::writev => file::writev(a),
        Sysno::pread64 => file::pread64(a),
        Sysno::open => path::open(a),
        Sysno::openat => path::openat(a),
        Sysno::close => descriptor::close(a),
        Sysno::pwrite64 => file::pwrite64(a),
        Sysno::lseek => extent::lseek(a),
        Sysno::ftruncate => extent::ftruncate(a),
        Sysno::fallocate => extent::fallocate(a),
        Sysno::fsync | Sysno::fdatasync => extent::fsync(a),
        Sysno::memfd_create => memfd::memfd_create(a),
        Sysno::pipe => pipe::pipe(a),
        Sysno::pipe2 => pipe::pipe2(a),
        Sysno::fstat => path::fstat(a),
        Sysno::stat => path::stat(a),
        Sysno::lstat => path::lstat(a),
        Sysno::newfstatat => path::newfstatat(a),
        Sysno::access => path::access(a),
        Sysno::readlink => path::readlink(a),
        Sysno::ioctl => terminal::ioctl(a),
        Sysno::fcntl => descriptor::fcntl(a),
        Sysno::dup => descriptor::dup(a),
        Sysno::dup2 => descriptor::dup2(a),
        Sysno::dup3 => descriptor::dup3(a),
        Sysno::getcwd => path::getcwd(a),

        Sysno::nanosleep => time::nanosleep(a),
        Sysno::clock_nanosleep => time::clock_nanosleep(a),
        Sysno::setitimer => itimer::setitimer(a),
        Sysno::getitimer => itimer::getitimer(a),
        Sysno::alarm => itimer::alarm(a),
        Sysno::clock_gettime => time::clock_gettime(a),
        Sysno::clock_getres => time::clock_getres(a),
        Sysno::gettimeofday => time::gettimeofday(a),
        Sysno::time => time::time(a),
        Sysno::times => time::times(a),

        Sysno::getrlimit => limits::getrlimit(a),
        Sysno::setrlimit => limits::setrlimit(a),
        Sysno::prlimit64 => limits::prlimit64(a),

        Sysno::uname => system::uname(a),
        Sysno::sysinfo => system::sysinfo(a),
        Sysno::getrandom => system::getrandom(a),
        Sysno::reboot => system::reboot(a),
        other => missing(other.id() as u64),
    }
}

fn missing(number: u64) -> Answer {
    let counter = usize::try_from(number)
        .ok()
        .and_then(|number| MISSING.get(number));
    if counter.is_some_and(|counter| counter.fetch_add(1, Relaxed) == 0) {
        let name = Sysno::new(number as usize).map_or("unknown", |call| call.name());
        log::warn!("system call {number} ({name}) is not there");
    }
    Err(Errno::ENOSYS)
}
