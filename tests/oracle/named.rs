//! How people read the lines about files with names, and about what is open as such.

use std::fmt;

use crate::program::{ANYWHERE, Line, flags, name, pages};

/// As many slots as a program has for open files.
pub(crate) const SLOTS: u64 = 6;

const NAMES: &[&str] = &[
    "a", "b", "c", "d", "d/a", "d/b", "l", "l/a", "e/a", ".", "d/.", "d/..", "a/", "d/", "d/../b",
    "", "a/b",
];
const TARGETS: &[&str] = &["a", "b", "d", "d/a", "l", "missing", ".", "c/"];
const ACCESS: [&str; 4] = ["RDONLY", "WRONLY", "RDWR", "ACCMODE"];
const OPEN: &[(u64, &str)] = &[
    (0o100, "CREAT"),
    (0o200, "EXCL"),
    (0o1000, "TRUNC"),
    (0o2000, "APPEND"),
    (0o4000, "NONBLOCK"),
    (0o1_0000, "DSYNC"),
    (0o4_0000, "DIRECT"),
    (0o20_0000, "DIRECTORY"),
    (0o40_0000, "NOFOLLOW"),
    (0o100_0000, "NOATIME"),
    (0o200_0000, "CLOEXEC"),
    (0o1000_0000, "PATH"),
    (0o2000_0000, "TMPFILE"),
];
const RENAME: &[(u64, &str)] = &[(1, "NOREPLACE"), (2, "EXCHANGE"), (4, "WHITEOUT")];
const BY: &[(u64, &str)] = &[
    (1, "HIPRI"),
    (2, "DSYNC"),
    (4, "SYNC"),
    (8, "NOWAIT"),
    (16, "APPEND"),
    (32, "NOAPPEND"),
];
const WHENCE: &[(u64, &str)] = &[(0, "SET"), (1, "CUR"), (2, "END"), (3, "DATA"), (4, "HOLE")];
const FLOCK: &[(u64, &str)] = &[(1, "SH"), (2, "EX"), (8, "UN")];
const FCNTL: &[(u64, &str)] = &[(1, "GETFD"), (2, "SETFD"), (3, "GETFL"), (4, "SETFL")];
const READS: [&str; 5] = ["read", "pread", "readv", "preadv", "preadv2"];
const WRITES: [&str; 5] = ["write", "pwrite", "writev", "pwritev", "pwritev2"];
const COPIES: [&str; 4] = [
    "copy_file_range",
    "sendfile",
    "splice through a pipe",
    "splice",
];
const SETTLE: [&str; 5] = [
    "fsync",
    "fdatasync",
    "sync_file_range",
    "fadvise",
    "readahead",
];
const LOCKS: [&str; 5] = ["flock", "F_SETLK", "F_OFD_SETLK", "F_GETLK", "F_OFD_GETLK"];

impl Line {
    pub(crate) fn show_named(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, third, fourth, fifth, sixth] =
            [0, 1, 2, 3, 4, 5].map(|at| self.number(at));
        match self.verb {
            'O' => {
                let how = flags(third & !3, OPEN);
                let access = ACCESS[third as usize & 3];
                write!(
                    f,
                    "file {first} = open({}, {access}|{how}, {fourth:o})",
                    path(second)
                )
            }
            'n' => self.show_names(f),
            'd' => {
                let call = pick(third, &["dup2", "dup3", "F_DUPFD", "F_DUPFD_CLOEXEC"]);
                write!(f, "{call}(file {first}, file {second}, {fourth:#x})")
            }
            'R' | 'B' => {
                let calls = if self.verb == 'R' { READS } else { WRITES };
                let (call, by) = (pick(second, &calls), flags(fifth, BY));
                let (length, at) = (pages(third), pages(fourth));
                write!(f, "{call}(file {first}, {length}, at {at}, {by})")
            }
            'j' => write!(
                f,
                "lseek(file {first}, {}, {})",
                pages(second),
                name(third, WHENCE)
            ),
            'x' => {
                let [from_at, to_at] = [fourth, fifth].map(position);
                let (call, length) = (pick(first, &COPIES), pages(sixth));
                write!(
                    f,
                    "{call}(file {second} {from_at}, file {third} {to_at}, {length})"
                )
            }
            'z' if first == 0 => write!(f, "flock(file {second}, {})", name(third, FLOCK)),
            'z' => {
                let (call, kind) = (
                    pick(first, &LOCKS),
                    pick(third, &["RDLCK", "WRLCK", "UNLCK"]),
                );
                let (start, length) = (fourth as i64, fifth as i64);
                let whence = name(sixth, WHENCE);
                write!(
                    f,
                    "{call}(file {second}, {kind}, {start}, {length}, {whence})"
                )
            }
            'N' => {
                let (call, start, length) = (pick(first, &SETTLE), pages(third), pages(fourth));
                write!(f, "{call}(file {second}, {start}, {length}, {fifth})")
            }
            'E' => write!(
                f,
                "fcntl(file {first}, {}, {third:#o})",
                name(second, FCNTL)
            ),
            'Q' => write!(f, "look at file {first}"),
            'v' => write!(f, "look at the folder"),
            other => write!(f, "{other} {:?}", self.numbers),
        }
    }

    fn show_names(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [kind, first, second, number] = [0, 1, 2, 3].map(|at| self.number(at));
        let [one, other] = [first, second].map(path);
        match kind {
            0 => write!(f, "unlink({one})"),
            1 => write!(f, "rmdir({one})"),
            2 => write!(f, "mkdir({one}, {number:o})"),
            3 => write!(f, "renameat2({one}, {other}, {})", flags(number, RENAME)),
            4 => write!(f, "linkat({one}, {other}, {number:#x})"),
            5 => {
                let target = TARGETS[first as usize % TARGETS.len()];
                write!(f, "symlink({target}, {other})")
            }
            6 => write!(f, "truncate({one}, {})", pages(number)),
            7 => write!(f, "chmod({one}, {number:o})"),
            8 => write!(f, "linkat(file {first}, {other})"),
            9 => write!(f, "readlink({one})"),
            10 => write!(f, "faccessat2({one}, {second}, {number:#x})"),
            11 => write!(f, "unlinkat({one}, {number:#x})"),
            _ => write!(f, "lstat({one})"),
        }
    }
}

fn path(number: u64) -> &'static str {
    NAMES
        .get(number as usize)
        .copied()
        .unwrap_or("(too long a name)")
}

fn position(at: u64) -> String {
    match at {
        ANYWHERE => "at its position".to_owned(),
        at => format!("at {}", pages(at)),
    }
}

fn pick<const N: usize>(number: u64, words: &[&'static str; N]) -> &'static str {
    words[(number as usize).min(N - 1)]
}
