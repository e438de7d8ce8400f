//! Names for the bits and numbers in the arguments of system calls, as the manual pages have them.
//!
//! A list of names is data, and one rule reads them all: a name stands for a value of the bits in its mask. A flag is its
//! own mask; the choices of a field share one, and there even 0 may have a name.
use core::fmt::{Display, Formatter, Result};

use abi::general as linux;

/// Stands for the bits of `mask` where they are `value`.
pub(crate) struct Name {
    mask: u64,
    value: u64,
    name: &'static str,
}

/// What an argument's bits are called.
pub(crate) type Names = &'static [&'static [Name]];

/// Flags, each by itself.
macro_rules! flags {
    ($($name:ident)*) => {
        &[$(Name { mask: linux::$name as u64, value: linux::$name as u64, name: stringify!($name) }),*]
    };
}

/// What a field of bits may hold.
macro_rules! field {
    ($mask:expr; $($name:ident)*) => {
        &[$(Name { mask: $mask as u64, value: linux::$name as u64, name: stringify!($name) }),*]
    };
}

/// A whole argument, 32 bits of it.
const ALL: u32 = u32::MAX;

pub(crate) const PROTECTION: Names = &[
    field!(ALL; PROT_NONE),
    flags!(PROT_READ PROT_WRITE PROT_EXEC PROT_GROWSDOWN PROT_GROWSUP),
];
pub(crate) const MAP: Names = &[
    field!(linux::MAP_TYPE; MAP_SHARED MAP_PRIVATE MAP_SHARED_VALIDATE),
    flags!(MAP_FIXED MAP_ANONYMOUS MAP_32BIT MAP_GROWSDOWN MAP_DENYWRITE MAP_EXECUTABLE MAP_LOCKED MAP_NORESERVE
        MAP_POPULATE MAP_NONBLOCK MAP_STACK MAP_HUGETLB MAP_SYNC MAP_FIXED_NOREPLACE),
];
pub(crate) const OPEN: Names = &[
    field!(linux::O_ACCMODE; O_RDONLY O_WRONLY O_RDWR),
    flags!(O_CREAT O_EXCL O_NOCTTY O_TRUNC O_APPEND O_NONBLOCK O_DIRECT O_LARGEFILE O_DIRECTORY O_NOFOLLOW O_NOATIME
        O_CLOEXEC O_PATH),
];
pub(crate) const CLONE: Names = &[
    flags!(CLONE_VM CLONE_FS CLONE_FILES CLONE_SIGHAND CLONE_VFORK CLONE_PARENT CLONE_THREAD CLONE_SYSVSEM CLONE_SETTLS
        CLONE_PARENT_SETTID CLONE_CHILD_CLEARTID CLONE_CHILD_SETTID),
    field!(0xff; SIGCHLD),
];
pub(crate) const WAIT: Names = &[flags!(WNOHANG WUNTRACED WCONTINUED WEXITED WNOWAIT)];
pub(crate) const WAITED: Names = &[field!(ALL; P_ALL P_PID P_PGID P_PIDFD)];
pub(crate) const UNLINK: Names = &[flags!(AT_REMOVEDIR)];
pub(crate) const RENAME: Names = &[flags!(RENAME_NOREPLACE RENAME_EXCHANGE RENAME_WHITEOUT)];
pub(crate) const TIMER: Names = &[field!(ALL; ITIMER_REAL ITIMER_VIRTUAL ITIMER_PROF)];
pub(crate) const ADVICE: Names = &[
    field!(ALL; MADV_NORMAL MADV_RANDOM MADV_SEQUENTIAL MADV_WILLNEED MADV_DONTNEED MADV_FREE MADV_REMOVE MADV_DONTFORK
        MADV_DOFORK MADV_HUGEPAGE MADV_NOHUGEPAGE MADV_DONTDUMP MADV_DODUMP MADV_WIPEONFORK MADV_KEEPONFORK MADV_COLD
        MADV_PAGEOUT MADV_POPULATE_READ MADV_POPULATE_WRITE),
];
pub(crate) const REMAP: Names = &[flags!(MREMAP_MAYMOVE MREMAP_FIXED MREMAP_DONTUNMAP)];
pub(crate) const SYNC: Names = &[flags!(MS_ASYNC MS_INVALIDATE MS_SYNC)];
pub(crate) const LOCK_ALL: Names = &[flags!(MCL_CURRENT MCL_FUTURE MCL_ONFAULT)];
pub(crate) const LOCK: Names = &[flags!(MLOCK_ONFAULT)];
pub(crate) const AT: Names =
    &[flags!(AT_SYMLINK_NOFOLLOW AT_SYMLINK_FOLLOW AT_NO_AUTOMOUNT AT_EMPTY_PATH)];
pub(crate) const MASK: Names = &[field!(ALL; SIG_BLOCK SIG_UNBLOCK SIG_SETMASK)];
pub(crate) const WHENCE: Names = &[field!(ALL; SEEK_SET SEEK_CUR SEEK_END SEEK_DATA SEEK_HOLE)];
pub(crate) const CLOCK: Names = &[
    field!(ALL; CLOCK_REALTIME CLOCK_MONOTONIC CLOCK_PROCESS_CPUTIME_ID CLOCK_THREAD_CPUTIME_ID CLOCK_MONOTONIC_RAW
        CLOCK_REALTIME_COARSE CLOCK_MONOTONIC_COARSE CLOCK_BOOTTIME),
];
pub(crate) const RESOURCE: Names = &[
    field!(ALL; RLIMIT_CPU RLIMIT_FSIZE RLIMIT_DATA RLIMIT_STACK RLIMIT_CORE RLIMIT_RSS RLIMIT_NPROC RLIMIT_NOFILE
        RLIMIT_MEMLOCK RLIMIT_AS),
];
pub(crate) const FCNTL: Names =
    &[field!(ALL; F_DUPFD F_GETFD F_SETFD F_GETFL F_SETFL F_DUPFD_CLOEXEC)];
pub(crate) const SIGNAL: Names = &[
    field!(ALL; SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGKILL SIGUSR1 SIGSEGV SIGUSR2 SIGPIPE SIGALRM
        SIGTERM SIGSTKFLT SIGCHLD SIGCONT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGXCPU SIGXFSZ SIGVTALRM SIGPROF
        SIGWINCH SIGIO SIGPWR SIGSYS),
];

/// A number with its bits by name; those without one are left as a number.
pub(crate) struct Named(pub(crate) u64, pub(crate) Names);

impl Display for Named {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        // Flags and choices are C ints: what lies above is nobody's.
        let value = self.0 & u64::from(ALL);
        let mut rest = value;
        let mut separator = "";
        let fits = |name: &&Name| value & name.mask == name.value;
        for name in self.1.iter().copied().flatten().filter(fits) {
            write!(f, "{separator}{}", name.name)?;
            rest &= !name.mask;
            separator = "|";
        }
        match (rest, separator) {
            (0, "") => f.write_str("0"),
            (0, _) => Ok(()),
            (rest, separator) => write!(f, "{separator}{rest:#x}"),
        }
    }
}
