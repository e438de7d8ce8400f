//! The shapes of system calls: what each argument is, for whoever has to write it down. One table, a line a call.
//!
//! A call that is not in it is shown with its six numbers. Adding one means adding its line. Of two strings the first is
//! kept, and the other one's address.
use abi::Sysno;

use super::names::{self, Names};

/// How an argument, or an answer, is written.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Hexadecimal, or `NULL`.
    Pointer,
    /// Hexadecimal.
    Bits,
    /// A count of bytes, or an offset.
    Size,
    /// A C int.
    Int,
    /// Octal: permissions.
    Mode,
    /// A directory's descriptor, or `AT_FDCWD`.
    Directory,
    /// A string that ends with a NUL byte.
    Path,
    /// Bytes, as many as the next argument says.
    Data,
    /// By the names of its bits.
    Named(Names),
    /// Nothing comes back.
    Never,
}

use Kind::{Bits, Data, Directory, Int, Mode, Named, Never, Path, Pointer, Size};

/// For a call without a line.
const NUMBERS: &[Kind] = &[Bits; 6];

#[rustfmt::skip]
const SHAPES: &[(Sysno, &[Kind])] = &[
    (Sysno::mmap, &[Pointer, Size, Named(names::PROTECTION), Named(names::MAP), Int, Size]),
    (Sysno::munmap, &[Pointer, Size]),
    (Sysno::mprotect, &[Pointer, Size, Named(names::PROTECTION)]),
    (Sysno::mremap, &[Pointer, Size, Size, Named(names::REMAP), Pointer]),
    (Sysno::madvise, &[Pointer, Size, Named(names::ADVICE)]),
    (Sysno::mincore, &[Pointer, Size, Pointer]),
    (Sysno::msync, &[Pointer, Size, Named(names::SYNC)]),
    (Sysno::mlock, &[Pointer, Size]),
    (Sysno::mlock2, &[Pointer, Size, Named(names::LOCK)]),
    (Sysno::munlock, &[Pointer, Size]),
    (Sysno::mlockall, &[Named(names::LOCK_ALL)]),
    (Sysno::munlockall, &[]),
    (Sysno::brk, &[Pointer]),
    (Sysno::process_vm_readv, &[Int, Pointer, Size, Pointer, Size, Bits]),
    (Sysno::process_vm_writev, &[Int, Pointer, Size, Pointer, Size, Bits]),

    (Sysno::fork, &[]),
    (Sysno::vfork, &[]),
    (Sysno::clone, &[Named(names::CLONE), Pointer, Pointer, Pointer, Pointer]),
    (Sysno::execve, &[Path, Pointer, Pointer]),
    (Sysno::exit, &[Int]),
    (Sysno::exit_group, &[Int]),
    (Sysno::wait4, &[Int, Pointer, Named(names::WAIT), Pointer]),
    (Sysno::waitid, &[Named(names::WAITED), Int, Pointer, Named(names::WAIT), Pointer]),
    (Sysno::setpgid, &[Int, Int]),
    (Sysno::getpgid, &[Int]),
    (Sysno::getpgrp, &[]),
    (Sysno::setsid, &[]),
    (Sysno::getsid, &[Int]),
    (Sysno::getpid, &[]),
    (Sysno::gettid, &[]),
    (Sysno::getppid, &[]),
    (Sysno::set_tid_address, &[Pointer]),
    (Sysno::set_robust_list, &[Pointer, Size]),
    (Sysno::get_robust_list, &[Int, Pointer, Pointer]),
    (Sysno::arch_prctl, &[Bits, Pointer]),
    (Sysno::prctl, &[Int, Bits, Bits, Bits, Bits]),
    (Sysno::sched_yield, &[]),
    (Sysno::sched_getaffinity, &[Int, Size, Pointer]),
    (Sysno::sched_setaffinity, &[Int, Size, Pointer]),
    (Sysno::sched_getscheduler, &[Int]),
    (Sysno::sched_getparam, &[Int, Pointer]),
    (Sysno::sched_get_priority_max, &[Int]),
    (Sysno::sched_get_priority_min, &[Int]),
    (Sysno::getpriority, &[Int, Int]),
    (Sysno::getcpu, &[Pointer, Pointer]),
    (Sysno::getrusage, &[Int, Pointer]),
    (Sysno::getuid, &[]),
    (Sysno::geteuid, &[]),
    (Sysno::getgid, &[]),
    (Sysno::getegid, &[]),
    (Sysno::setuid, &[Int]),
    (Sysno::setgid, &[Int]),
    (Sysno::setreuid, &[Int, Int]),
    (Sysno::setregid, &[Int, Int]),
    (Sysno::setresuid, &[Int, Int, Int]),
    (Sysno::setresgid, &[Int, Int, Int]),
    (Sysno::getresuid, &[Pointer, Pointer, Pointer]),
    (Sysno::getresgid, &[Pointer, Pointer, Pointer]),
    (Sysno::setfsuid, &[Int]),
    (Sysno::setfsgid, &[Int]),
    (Sysno::getgroups, &[Int, Pointer]),
    (Sysno::setgroups, &[Int, Pointer]),
    (Sysno::capget, &[Pointer, Pointer]),
    (Sysno::futex, &[Pointer, Int, Int, Pointer, Pointer, Int]),

    (Sysno::kill, &[Int, Named(names::SIGNAL)]),
    (Sysno::tkill, &[Int, Named(names::SIGNAL)]),
    (Sysno::tgkill, &[Int, Int, Named(names::SIGNAL)]),
    (Sysno::rt_sigaction, &[Named(names::SIGNAL), Pointer, Pointer, Size]),
    (Sysno::rt_sigprocmask, &[Named(names::MASK), Pointer, Pointer, Size]),
    (Sysno::rt_sigpending, &[Pointer, Size]),
    (Sysno::rt_sigsuspend, &[Pointer, Size]),
    (Sysno::rt_sigtimedwait, &[Pointer, Pointer, Pointer, Size]),
    (Sysno::rt_sigqueueinfo, &[Int, Named(names::SIGNAL), Pointer]),
    (Sysno::rt_tgsigqueueinfo, &[Int, Int, Named(names::SIGNAL), Pointer]),
    (Sysno::rt_sigreturn, &[]),
    (Sysno::sigaltstack, &[Pointer, Pointer]),
    (Sysno::pause, &[]),
    (Sysno::pidfd_open, &[Int, Bits]),
    (Sysno::pidfd_send_signal, &[Int, Named(names::SIGNAL), Pointer, Bits]),
    (Sysno::alarm, &[Size]),
    (Sysno::setitimer, &[Named(names::TIMER), Pointer, Pointer]),
    (Sysno::getitimer, &[Named(names::TIMER), Pointer]),
    (Sysno::restart_syscall, &[]),

    (Sysno::read, &[Int, Pointer, Size]),
    (Sysno::write, &[Int, Data, Size]),
    (Sysno::readv, &[Int, Pointer, Int]),
    (Sysno::writev, &[Int, Pointer, Int]),
    (Sysno::pread64, &[Int, Pointer, Size, Size]),
    (Sysno::pwrite64, &[Int, Data, Size, Size]),
    (Sysno::preadv, &[Int, Pointer, Int, Size]),
    (Sysno::pwritev, &[Int, Pointer, Int, Size]),
    (Sysno::open, &[Path, Named(names::OPEN), Mode]),
    (Sysno::openat, &[Directory, Path, Named(names::OPEN), Mode]),
    (Sysno::creat, &[Path, Mode]),
    (Sysno::close, &[Int]),
    (Sysno::lseek, &[Int, Size, Named(names::WHENCE)]),
    (Sysno::fstat, &[Int, Pointer]),
    (Sysno::stat, &[Path, Pointer]),
    (Sysno::lstat, &[Path, Pointer]),
    (Sysno::newfstatat, &[Directory, Path, Pointer, Named(names::AT)]),
    (Sysno::statx, &[Directory, Path, Named(names::AT), Bits, Pointer]),
    (Sysno::statfs, &[Path, Pointer]),
    (Sysno::fstatfs, &[Int, Pointer]),
    (Sysno::access, &[Path, Int]),
    (Sysno::faccessat, &[Directory, Path, Int]),
    (Sysno::faccessat2, &[Directory, Path, Int, Bits]),
    (Sysno::readlink, &[Path, Pointer, Size]),
    (Sysno::readlinkat, &[Directory, Path, Pointer, Size]),
    (Sysno::mkdir, &[Path, Mode]),
    (Sysno::mkdirat, &[Directory, Path, Mode]),
    (Sysno::rmdir, &[Path]),
    (Sysno::unlink, &[Path]),
    (Sysno::unlinkat, &[Directory, Path, Named(names::UNLINK)]),
    (Sysno::rename, &[Path, Pointer]),
    (Sysno::renameat, &[Directory, Path, Directory, Pointer]),
    (Sysno::renameat2, &[Directory, Path, Directory, Pointer, Named(names::RENAME)]),
    (Sysno::link, &[Path, Pointer]),
    (Sysno::linkat, &[Directory, Path, Directory, Pointer, Named(names::AT)]),
    (Sysno::symlink, &[Path, Pointer]),
    (Sysno::symlinkat, &[Path, Directory, Pointer]),
    (Sysno::mknod, &[Path, Mode, Bits]),
    (Sysno::mknodat, &[Directory, Path, Mode, Bits]),
    (Sysno::chmod, &[Path, Mode]),
    (Sysno::fchmod, &[Int, Mode]),
    (Sysno::fchmodat, &[Directory, Path, Mode]),
    (Sysno::fchmodat2, &[Directory, Path, Mode, Named(names::AT)]),
    (Sysno::chown, &[Path, Int, Int]),
    (Sysno::lchown, &[Path, Int, Int]),
    (Sysno::fchown, &[Int, Int, Int]),
    (Sysno::fchownat, &[Directory, Path, Int, Int, Named(names::AT)]),
    (Sysno::utimensat, &[Directory, Path, Pointer, Named(names::AT)]),
    (Sysno::utimes, &[Path, Pointer]),
    (Sysno::futimesat, &[Directory, Path, Pointer]),
    (Sysno::getdents64, &[Int, Pointer, Size]),
    (Sysno::umask, &[Mode]),
    (Sysno::chdir, &[Path]),
    (Sysno::fchdir, &[Int]),
    (Sysno::ioctl, &[Int, Bits, Bits]),
    (Sysno::fcntl, &[Int, Named(names::FCNTL), Bits]),
    (Sysno::dup, &[Int]),
    (Sysno::dup2, &[Int, Int]),
    (Sysno::dup3, &[Int, Int, Named(names::OPEN)]),
    (Sysno::truncate, &[Path, Size]),
    (Sysno::ftruncate, &[Int, Size]),
    (Sysno::fallocate, &[Int, Bits, Size, Size]),
    (Sysno::fsync, &[Int]),
    (Sysno::fdatasync, &[Int]),
    (Sysno::sync, &[]),
    (Sysno::syncfs, &[Int]),
    (Sysno::pipe, &[Pointer]),
    (Sysno::pipe2, &[Pointer, Named(names::OPEN)]),
    (Sysno::getcwd, &[Pointer, Size]),
    (Sysno::poll, &[Pointer, Int, Int]),
    (Sysno::ppoll, &[Pointer, Int, Pointer, Pointer, Size]),
    (Sysno::select, &[Int, Pointer, Pointer, Pointer, Pointer]),
    (Sysno::pselect6, &[Int, Pointer, Pointer, Pointer, Pointer, Pointer]),
    (Sysno::memfd_create, &[Path, Bits]),

    (Sysno::nanosleep, &[Pointer, Pointer]),
    (Sysno::clock_nanosleep, &[Named(names::CLOCK), Int, Pointer, Pointer]),
    (Sysno::clock_gettime, &[Named(names::CLOCK), Pointer]),
    (Sysno::clock_getres, &[Named(names::CLOCK), Pointer]),
    (Sysno::gettimeofday, &[Pointer, Pointer]),
    (Sysno::time, &[Pointer]),
    (Sysno::times, &[Pointer]),
    (Sysno::getrlimit, &[Named(names::RESOURCE), Pointer]),
    (Sysno::setrlimit, &[Named(names::RESOURCE), Pointer]),
    (Sysno::prlimit64, &[Int, Named(names::RESOURCE), Pointer, Pointer]),
    (Sysno::uname, &[Pointer]),
    (Sysno::sysinfo, &[Pointer]),
    (Sysno::getrandom, &[Pointer, Size, Bits]),
    (Sysno::reboot, &[Bits, Bits, Bits, Pointer]),
];

/// What the arguments of a call are.
pub(crate) fn arguments(call: Option<Sysno>) -> &'static [Kind] {
    let mut known = SHAPES.iter().filter(|(known, _)| Some(*known) == call);
    known.next().map_or(NUMBERS, |(_, arguments)| arguments)
}

/// What the call answers where it succeeds.
pub(crate) fn answer(call: Option<Sysno>) -> Kind {
    match call {
        Some(Sysno::mmap | Sysno::mremap | Sysno::brk) => Pointer,
        Some(Sysno::exit | Sysno::exit_group) => Never,
        Some(Sysno::umask) => Mode,
        _ => Size,
    }
}
