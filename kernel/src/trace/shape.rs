//! The shapes of system calls: what each argument is, for whoever has to write it down. One table, a line a call.
//!
//! A call that is not in it is shown with its six numbers. Adding one means adding its line.
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

    (Sysno::fork, &[]),
    (Sysno::vfork, &[]),
    (Sysno::clone, &[Named(names::CLONE), Pointer, Pointer, Pointer, Pointer]),
    (Sysno::execve, &[Path, Pointer, Pointer]),
    (Sysno::exit, &[Int]),
    (Sysno::exit_group, &[Int]),
    (Sysno::wait4, &[Int, Pointer, Named(names::WAIT), Pointer]),
    (Sysno::getpid, &[]),
    (Sysno::gettid, &[]),
    (Sysno::getppid, &[]),
    (Sysno::set_tid_address, &[Pointer]),
    (Sysno::set_robust_list, &[Pointer, Size]),
    (Sysno::arch_prctl, &[Bits, Pointer]),
    (Sysno::sched_yield, &[]),
    (Sysno::getrusage, &[Int, Pointer]),
    (Sysno::getuid, &[]),
    (Sysno::geteuid, &[]),
    (Sysno::getgid, &[]),
    (Sysno::getegid, &[]),
    (Sysno::futex, &[Pointer, Int, Int, Pointer, Pointer, Int]),

    (Sysno::kill, &[Int, Named(names::SIGNAL)]),
    (Sysno::tkill, &[Int, Named(names::SIGNAL)]),
    (Sysno::tgkill, &[Int, Int, Named(names::SIGNAL)]),
    (Sysno::rt_sigaction, &[Named(names::SIGNAL), Pointer, Pointer, Size]),
    (Sysno::rt_sigprocmask, &[Named(names::MASK), Pointer, Pointer, Size]),
    (Sysno::rt_sigpending, &[Pointer, Size]),
    (Sysno::rt_sigsuspend, &[Pointer, Size]),
    (Sysno::rt_sigreturn, &[]),
    (Sysno::sigaltstack, &[Pointer, Pointer]),
    (Sysno::pause, &[]),
    (Sysno::pidfd_open, &[Int, Bits]),
    (Sysno::pidfd_send_signal, &[Int, Named(names::SIGNAL), Pointer, Bits]),
    (Sysno::alarm, &[Size]),

    (Sysno::read, &[Int, Pointer, Size]),
    (Sysno::write, &[Int, Data, Size]),
    (Sysno::readv, &[Int, Pointer, Int]),
    (Sysno::writev, &[Int, Pointer, Int]),
    (Sysno::pread64, &[Int, Pointer, Size, Size]),
    (Sysno::pwrite64, &[Int, Data, Size, Size]),
    (Sysno::open, &[Path, Named(names::OPEN), Mode]),
    (Sysno::openat, &[Directory, Path, Named(names::OPEN), Mode]),
    (Sysno::close, &[Int]),
    (Sysno::lseek, &[Int, Size, Named(names::WHENCE)]),
    (Sysno::fstat, &[Int, Pointer]),
    (Sysno::stat, &[Path, Pointer]),
    (Sysno::lstat, &[Path, Pointer]),
    (Sysno::newfstatat, &[Directory, Path, Pointer, Named(names::AT)]),
    (Sysno::access, &[Path, Int]),
    (Sysno::readlink, &[Path, Pointer, Size]),
    (Sysno::ioctl, &[Int, Bits, Bits]),
    (Sysno::fcntl, &[Int, Named(names::FCNTL), Bits]),
    (Sysno::dup, &[Int]),
    (Sysno::dup2, &[Int, Int]),
    (Sysno::dup3, &[Int, Int, Named(names::OPEN)]),
    (Sysno::ftruncate, &[Int, Size]),
    (Sysno::fallocate, &[Int, Bits, Size, Size]),
    (Sysno::fsync, &[Int]),
    (Sysno::fdatasync, &[Int]),
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
        _ => Size,
    }
}
