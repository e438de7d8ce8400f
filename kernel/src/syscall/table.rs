//! Which function serves which call: the families of calls, a line each.
use abi::Sysno;

use super::{
    Answer, Arguments, advice, descriptor, extent, file, identity, itimer, limits, memfd, memory,
    path, pidfd, pipe, poll, prctl, process, residency, scheduling, select, signal, system,
    terminal, time, wait,
};
use crate::arch::trap::TrapFrame;
use Server::{Call, Frame, Plain};

/// The function that serves a call, by what it has to know.
#[derive(Clone, Copy)]
pub(super) enum Server {
    /// Nothing but that it was called.
    Plain(fn() -> Answer),
    /// The arguments.
    Call(fn(Arguments) -> Answer),
    /// All that the thread was at, which it may change.
    Frame(fn(&mut TrapFrame) -> Answer),
}

/// Numbers below this have a place in the table.
pub(super) const KNOWN: usize = 512;

/// All calls that are there.
const CALLS: &[(Sysno, Server)] = &[
    (Sysno::mmap, Call(memory::mmap)),
    (Sysno::munmap, Call(memory::munmap)),
    (Sysno::mprotect, Call(memory::mprotect)),
    (Sysno::brk, Call(memory::brk)),
    (Sysno::mremap, Call(memory::mremap)),
    (Sysno::madvise, Call(advice::madvise)),
    (Sysno::mlock, Call(residency::mlock)),
    (Sysno::mlock2, Call(residency::mlock2)),
    (Sysno::munlock, Call(residency::munlock)),
    (Sysno::mlockall, Call(residency::mlockall)),
    (Sysno::munlockall, Plain(residency::munlockall)),
    (Sysno::mincore, Call(residency::mincore)),
    (Sysno::msync, Call(residency::msync)),
    (Sysno::fork, Frame(process::fork)),
    (Sysno::vfork, Frame(process::vfork)),
    (Sysno::clone, Frame(process::clone)),
    (Sysno::execve, Frame(process::execve)),
    (Sysno::exit, Call(process::exit)),
    (Sysno::exit_group, Call(process::exit)),
    (Sysno::wait4, Call(wait::wait4)),
    (Sysno::waitid, Call(wait::waitid)),
    (Sysno::setpgid, Call(process::setpgid)),
    (Sysno::getpgid, Call(process::getpgid)),
    (Sysno::getpgrp, Plain(process::getpgrp)),
    (Sysno::setsid, Plain(process::setsid)),
    (Sysno::getsid, Call(process::getsid)),
    (Sysno::getpid, Plain(process::getpid)),
    (Sysno::gettid, Plain(process::getpid)),
    (Sysno::getppid, Plain(process::getppid)),
    (Sysno::set_tid_address, Plain(process::getpid)),
    (Sysno::set_robust_list, Call(process::set_robust_list)),
    (Sysno::arch_prctl, Call(process::arch_prctl)),
    (Sysno::sched_yield, Plain(process::sched_yield)),
    (Sysno::getrusage, Call(process::getrusage)),
    (Sysno::getuid, Plain(process::root)),
    (Sysno::geteuid, Plain(process::root)),
    (Sysno::getgid, Plain(process::root)),
    (Sysno::getegid, Plain(process::root)),
    (Sysno::prctl, Call(prctl::prctl)),
    (Sysno::setuid, Call(identity::set_one)),
    (Sysno::setgid, Call(identity::set_one)),
    (Sysno::setreuid, Call(identity::set_two)),
    (Sysno::setregid, Call(identity::set_two)),
    (Sysno::setresuid, Call(identity::set_three)),
    (Sysno::setresgid, Call(identity::set_three)),
    (Sysno::getresuid, Call(identity::get_three)),
    (Sysno::getresgid, Call(identity::get_three)),
    (Sysno::setfsuid, Call(identity::set_for_files)),
    (Sysno::setfsgid, Call(identity::set_for_files)),
    (Sysno::getgroups, Call(identity::getgroups)),
    (Sysno::setgroups, Call(identity::setgroups)),
    (Sysno::capget, Call(identity::capget)),
    (
        Sysno::sched_getaffinity,
        Call(scheduling::sched_getaffinity),
    ),
    (
        Sysno::sched_setaffinity,
        Call(scheduling::sched_setaffinity),
    ),
    (Sysno::getcpu, Call(scheduling::getcpu)),
    (
        Sysno::sched_getscheduler,
        Call(scheduling::sched_getscheduler),
    ),
    (Sysno::sched_getparam, Call(scheduling::sched_getparam)),
    (
        Sysno::sched_get_priority_max,
        Call(scheduling::highest_priority),
    ),
    (
        Sysno::sched_get_priority_min,
        Call(scheduling::lowest_priority),
    ),
    (Sysno::getpriority, Call(scheduling::getpriority)),
    (Sysno::kill, Call(signal::kill)),
    (Sysno::pidfd_open, Call(pidfd::pidfd_open)),
    (Sysno::pidfd_send_signal, Call(pidfd::pidfd_send_signal)),
    (Sysno::tkill, Call(signal::tkill)),
    (Sysno::tgkill, Call(signal::tgkill)),
    (Sysno::rt_sigqueueinfo, Call(signal::rt_sigqueueinfo)),
    (Sysno::rt_tgsigqueueinfo, Call(signal::rt_tgsigqueueinfo)),
    (Sysno::rt_sigreturn, Frame(signal::rt_sigreturn)),
    (Sysno::rt_sigsuspend, Call(signal::rt_sigsuspend)),
    (Sysno::rt_sigtimedwait, Call(signal::rt_sigtimedwait)),
    (Sysno::sigaltstack, Frame(signal::sigaltstack)),
    (Sysno::pause, Plain(signal::pause)),
    (Sysno::restart_syscall, Plain(time::restart_syscall)),
    (Sysno::rt_sigaction, Call(signal::rt_sigaction)),
    (Sysno::rt_sigprocmask, Call(signal::rt_sigprocmask)),
    (Sysno::rt_sigpending, Call(signal::rt_sigpending)),
    (Sysno::read, Call(file::read)),
    (Sysno::write, Call(file::write)),
    (Sysno::readv, Call(file::readv)),
    (Sysno::writev, Call(file::writev)),
    (Sysno::pread64, Call(file::pread64)),
    (Sysno::open, Call(path::open)),
    (Sysno::openat, Call(path::openat)),
    (Sysno::close, Call(descriptor::close)),
    (Sysno::pwrite64, Call(file::pwrite64)),
    (Sysno::lseek, Call(extent::lseek)),
    (Sysno::ftruncate, Call(extent::ftruncate)),
    (Sysno::fallocate, Call(extent::fallocate)),
    (Sysno::fsync, Call(extent::fsync)),
    (Sysno::fdatasync, Call(extent::fsync)),
    (Sysno::poll, Call(poll::poll)),
    (Sysno::ppoll, Call(poll::ppoll)),
    (Sysno::select, Call(select::select)),
    (Sysno::pselect6, Call(select::pselect6)),
    (Sysno::memfd_create, Call(memfd::memfd_create)),
    (Sysno::pipe, Call(pipe::pipe)),
    (Sysno::pipe2, Call(pipe::pipe2)),
    (Sysno::fstat, Call(path::fstat)),
    (Sysno::stat, Call(path::stat)),
    (Sysno::lstat, Call(path::lstat)),
    (Sysno::newfstatat, Call(path::newfstatat)),
    (Sysno::access, Call(path::access)),
    (Sysno::readlink, Call(path::readlink)),
    (Sysno::ioctl, Call(terminal::ioctl)),
    (Sysno::fcntl, Call(descriptor::fcntl)),
    (Sysno::dup, Call(descriptor::dup)),
    (Sysno::dup2, Call(descriptor::dup2)),
    (Sysno::dup3, Call(descriptor::dup3)),
    (Sysno::getcwd, Call(path::getcwd)),
    (Sysno::nanosleep, Call(time::nanosleep)),
    (Sysno::clock_nanosleep, Call(time::clock_nanosleep)),
    (Sysno::setitimer, Call(itimer::setitimer)),
    (Sysno::getitimer, Call(itimer::getitimer)),
    (Sysno::alarm, Call(itimer::alarm)),
    (Sysno::clock_gettime, Call(time::clock_gettime)),
    (Sysno::clock_getres, Call(time::clock_getres)),
    (Sysno::gettimeofday, Call(time::gettimeofday)),
    (Sysno::time, Call(time::time)),
    (Sysno::times, Call(time::times)),
    (Sysno::getrlimit, Call(limits::getrlimit)),
    (Sysno::setrlimit, Call(limits::setrlimit)),
    (Sysno::prlimit64, Call(limits::prlimit64)),
    (Sysno::uname, Call(system::uname)),
    (Sysno::sysinfo, Call(system::sysinfo)),
    (Sysno::getrandom, Call(system::getrandom)),
    (Sysno::reboot, Call(system::reboot)),
];

/// Who serves each number.
pub(super) static SERVERS: [Option<Server>; KNOWN] = by_number();

const fn by_number() -> [Option<Server>; KNOWN] {
    let mut servers = [None; KNOWN];
    let mut rest = CALLS;
    while let [(call, server), others @ ..] = rest {
        let place = &mut servers[*call as usize];
        assert!(place.is_none(), "a call stands there twice");
        *place = Some(*server);
        rest = others;
    }
    servers
}
