//! Shows that a call which finds no memory says so, and that nothing else comes of it: every call, again and again.
//!
//! On Linux, and in the kernel as people run it, there is memory enough and nothing to see. With the kernel's options
//! `failheap=N` and `failframes=N` one allocation in N fails. Each answer must be a success or one of the errors that
//! say so; each child's end its own, or the kernel's for want of memory; and the program copes.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::CStr;
use core::time::Duration;

use rt::abi::general::{
    F_DUPFD, MADV_DONTNEED, MAP_SHARED, MREMAP_MAYMOVE, O_CLOEXEC, RLIMIT_NOFILE, SI_QUEUE,
    WEXITED, WNOHANG,
};
use rt::abi::{Errno, Sysno};
use rt::handler::{self, Action, Context, Info};
use rt::memory::{MAP_POPULATE, MAP_PRIVATE, PAGE, PROT_NONE, PROT_READ, PROT_WRITE};
use rt::process::{self, Fork, Pid, Status, spawn, try_wait, vfork, wait};
use rt::signal::{Signal, kill};
use rt::{env, faults, memory, println, probe, syscall, time};

/// How many children are to make all of the calls, how often each, and how many may die of it.
const ENOUGH: u32 = 20;
const ROUNDS: u32 = 4;
const ATTEMPTS: u32 = 400;

/// What a child of the program is told to do: all of the calls.
const ROUND: &CStr = c"round";

/// Exit code of the program that children become.
const BECAME: u8 = 42;
/// Exit code of a child that could not become it.
const NOTHING: u8 = 43;

fn main() -> u8 {
    match env::args().nth(1) {
        Some(word) if word == ROUND => (0..ROUNDS).for_each(|_| round()),
        Some(_) => return BECAME,
        None => supervise(),
    }
    0
}

/// Has other processes do what may end them. This one has all of its memory before the first failure, and takes no more:
/// `vfork` leaves it as it is.
fn supervise() {
    // What it counts does not matter: first it has all of this program in memory.
    faults::minor(|| ());
    let mut finished = 0;
    for _ in 0..ATTEMPTS {
        if finished == ENOUGH {
            break;
        }
        let child = served("vfork", vfork(|| become_another(&[ROUND, ROUND], NOTHING)));
        let Some(child) = child else { continue };
        let status = wait(child).expect("wait for a child").status;
        let is_fine = matches!(status, Status::Exited(0 | NOTHING)) || starved(status);
        assert!(is_fine, "a round: {status}");
        finished += u32::from(status == Status::Exited(0));
    }
    println!("each call was served, or refused for want of memory");
}

fn round() {
    mappings();
    heap();
    descriptors();
    files();
    signals();
    timers();
    children();
}

/// Makes a call; `None` where there is no memory for it.
///
/// # Panics
/// If it is refused for another reason.
fn attempt<const N: usize>(call: Sysno, arguments: [usize; N]) -> Option<usize> {
    let mut all = [0; 6];
    all[..N].copy_from_slice(&arguments);
    served(call.name(), syscall::raw(call.id() as usize, all))
}

fn served<T>(what: &str, answer: Result<T, Errno>) -> Option<T> {
    match answer {
        Ok(value) => Some(value),
        Err(Errno::ENOMEM | Errno::EAGAIN) => None,
        Err(other) => panic!("{what}: {other:?}"),
    }
}

/// Areas that are split, moved, protected and given back while tables and areas can't be had.
fn mappings() {
    const PAGES: usize = 16;
    for flags in [MAP_PRIVATE, MAP_SHARED, MAP_PRIVATE | MAP_POPULATE] {
        let arguments = [
            0,
            PAGES * PAGE,
            (PROT_READ | PROT_WRITE) as usize,
            (flags | memory::MAP_ANONYMOUS) as usize,
            usize::MAX,
            0,
        ];
        let Some(start) = attempt(Sysno::mmap, arguments) else {
            continue;
        };
        for page in (0..PAGES).step_by(3) {
            probe::store(start + page * PAGE, page as u8);
        }
        let page = |number: usize| start + number * PAGE;
        attempt(Sysno::mprotect, [page(2), PAGE, PROT_READ as usize]);
        attempt(Sysno::mprotect, [page(5), PAGE, PROT_NONE as usize]);
        attempt(Sysno::madvise, [page(7), 2 * PAGE, MADV_DONTNEED as usize]);
        attempt(Sysno::mlock, [page(9), PAGE]);
        attempt(Sysno::munlock, [page(9), PAGE]);
        attempt(Sysno::munmap, [page(11), PAGE]);
        let moved = [page(12), 4 * PAGE, 24 * PAGE, MREMAP_MAYMOVE as usize];
        if let Some(at) = attempt(Sysno::mremap, moved) {
            give_back(at, 24 * PAGE);
        }
        give_back(start, PAGES * PAGE);
    }
}

/// What can't be given back now can be later: giving back may have to split an area.
fn give_back(start: usize, length: usize) {
    while attempt(Sysno::munmap, [start, length]).is_none() {}
}

fn heap() {
    const BYTES: usize = 40 * PAGE;
    let end = memory::brk(0);
    if memory::brk(end + BYTES) == end + BYTES {
        probe::store(end + BYTES - 1, 1);
    }
    memory::brk(end);
}

fn descriptors() {
    let path = env::program_path().as_ptr() as usize;
    let mut open = [None; 6];
    open[0] = attempt(Sysno::open, [path, O_CLOEXEC as usize]);
    open[1] = attempt(Sysno::dup, [1]);
    open[2] = attempt(Sysno::dup2, [1, 40]);
    open[3] = attempt(Sysno::dup3, [1, 60, O_CLOEXEC as usize]);
    open[4] = attempt(Sysno::fcntl, [1, F_DUPFD as usize, 100]);
    open[5] = attempt(Sysno::openat, [usize::MAX, path, 0]);
    if let Some(file) = open[0] {
        from_file(file);
    }
    for descriptor in open.into_iter().flatten() {
        attempt(Sysno::close, [descriptor]);
    }
    let mut limits = [0u64; 2];
    let limits = limits.as_mut_ptr() as usize;
    attempt(Sysno::prlimit64, [0, RLIMIT_NOFILE as usize, 0, limits]);
}

/// Reads a file by call and by mapping.
fn from_file(file: usize) {
    let mut bytes = [0u8; 64];
    let at = bytes.as_mut_ptr() as usize;
    attempt(Sysno::read, [file, at, bytes.len()]);
    attempt(Sysno::pread64, [file, at, bytes.len(), 4096]);
    let pieces = [[at, 8]; 100];
    attempt(Sysno::readv, [file, pieces.as_ptr() as usize, pieces.len()]);
    attempt(Sysno::lseek, [file, 0, 0]);
    let mut status = [0u64; 18];
    attempt(Sysno::fstat, [file, status.as_mut_ptr() as usize]);
    let flags = MAP_PRIVATE as usize;
    let access = (PROT_READ | PROT_WRITE) as usize;
    if let Some(start) = attempt(Sysno::mmap, [0, PAGE, access, flags, file, 0]) {
        assert_eq!(probe::load(start), 0x7f, "the file's first byte");
        probe::store(start, 1);
        give_back(start, PAGE);
    }
}

fn files() {
    let path = env::program_path().as_ptr() as usize;
    let mut status = [0u64; 18];
    attempt(Sysno::stat, [path, status.as_mut_ptr() as usize]);
    attempt(Sysno::access, [path, 0]);
    let mut words = [0u8; 512];
    let (at, length) = (words.as_mut_ptr() as usize, words.len());
    attempt(Sysno::getcwd, [at, length]);
    attempt(Sysno::uname, [at]);
    attempt(Sysno::getrandom, [at, length, 0]);
    let pieces = [[at, 0]; 100];
    attempt(Sysno::writev, [1, pieces.as_ptr() as usize, pieces.len()]);
}

extern "C" fn nothing(_: i32, _: &mut Info, _: &mut Context) {}

/// Signals that wait need memory; those that are delivered at once don't.
fn signals() {
    let act = handler::act(Signal::USR1, Action::new(nothing, 0));
    served("rt_sigaction", act);
    served("kill", kill(process::id(), Signal::USR1));
    let blocked = handler::set(&[Signal::USR1, Signal::USR2, Signal(40)]);
    let before = handler::set_mask(blocked);
    served("kill", kill(process::id(), Signal::USR2));
    for value in 0..5 {
        served(
            "rt_sigqueueinfo",
            handler::queue(process::id(), Signal(40), value),
        );
    }
    while let Some(info) = served(
        "rt_sigtimedwait",
        handler::take(blocked, Some(Duration::ZERO)),
    ) {
        assert!(info.code == SI_QUEUE || info.code == 0, "{}", info.code);
    }
    handler::set_mask(before);
    let stack = memory::brk(0) - 4 * PAGE;
    served("sigaltstack", handler::set_stack(stack, 4 * PAGE, 0));
}

fn timers() {
    use rt::time::interval::{self, ITIMER_REAL, Setting};
    let long = Setting::once(Duration::from_secs(1000));
    served("setitimer", interval::set(ITIMER_REAL, long));
    served("setitimer", interval::set(ITIMER_REAL, Setting::default()));
    time::sleep(Duration::from_micros(10));
}

/// Every way to have a child, and every way to wait for it.
fn children() {
    end(served("fork", spawn(|| 7)), 7);
    end(served("vfork", vfork(|| 8)), 8);
    let words = [c"become"; 200];
    let another = || become_another(&words, BECAME);
    end(served("fork", spawn(another)), BECAME);
    end(served("vfork", vfork(another)), BECAME);
    end(served("fork", spawn(family)), 9);
    let Some(child) = served("fork", spawn(|| 7)) else {
        return;
    };
    let mut info = [0u64; 16];
    let any = info.as_mut_ptr() as usize;
    attempt(Sysno::waitid, [1, child as usize, any, WEXITED as usize, 0]);
    let nobody = syscall::raw(
        Sysno::wait4 as usize,
        [usize::MAX, 0, WNOHANG as usize, 0, 0, 0],
    );
    assert_eq!(nobody, Err(Errno::ECHILD));
}

/// The same program, told `words`; where there is no memory for it, `otherwise` is its end.
fn become_another(words: &[&CStr], otherwise: u8) -> u8 {
    let errno = process::execve(env::program_path(), words, words);
    assert!(served::<()>("execve", Err(errno)).is_none());
    otherwise
}

/// Children that write to what they share, of whom one is left to init.
fn family() -> u8 {
    let access = PROT_READ | PROT_WRITE;
    let Some(page) = served("mmap", memory::mmap(0, PAGE, access, 0)) else {
        return 9;
    };
    probe::store(page, 1);
    for _ in 0..2 {
        if let Ok(Fork::Child) = process::fork() {
            probe::store(page, 2);
            process::exit(u8::from(probe::load(page) != 2));
        }
    }
    if let Ok(Some(ended)) = try_wait(process::ANY_CHILD) {
        assert!(ended.status == Status::Exited(0) || starved(ended.status));
    }
    9
}

/// Waits for a child, which ends with `code` unless there was no memory for it.
fn end(child: Option<Pid>, code: u8) {
    let Some(child) = child else { return };
    let status = wait(child).expect("wait for a child").status;
    assert!(
        status == Status::Exited(code) || starved(status),
        "{status} instead of {code}"
    );
}

/// A fault that finds no memory ends a process by SIGKILL, and a program that can't be loaded ends it by SIGSEGV.
fn starved(status: Status) -> bool {
    matches!(status, Status::Killed(Signal::KILL | Signal::SEGV))
}
