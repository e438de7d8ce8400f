//! Shows that the kernel looks before it leaps: every system call with every kind of bad pointer answers an errno.
//!
//! The kernel runs with all rights, so a pointer from ring 3 is a claim that it must not believe. It copies through
//! routines that survive a fault, and refuses what lies in its own half. Here each call that takes a pointer gets one to
//! nothing, to the kernel, to memory that forbids the access, and one that is good for the first two bytes only.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::CStr;

use rt::abi::{Errno, Sysno, arch_prctl, general};
use rt::memory::{Mapping, PAGE, PROT_NONE, PROT_READ, munmap};
use rt::process::{ANY_CHILD, spawn};
use rt::{env, io, println, probe, process, syscall};

type Answer = Result<usize, Errno>;

/// The lowest address of a kernel with four levels of page tables.
const KERNEL: usize = usize::MAX << 47;

/// This program's name if a kernel were to execute it again instead of refusing.
const AGAIN: &CStr = c"bad_pointers, executed by mistake";

fn main() {
    let name = env::args().next();
    assert!(
        name.is_some_and(|name| name != AGAIN),
        "execve took a bad pointer"
    );
    let memory = Mapping::new(4);
    munmap(memory.page(1), PAGE).expect("munmap");
    memory.protect(2, 1, PROT_READ).expect("mprotect");
    memory.protect(3, 1, PROT_NONE).expect("mprotect");

    loads(memory);
    stores(memory);
    refused_for_other_reasons();
}

/// Calls that load through a pointer.
fn loads(memory: Mapping) {
    let bad = &[
        ("null", 0),
        ("unmapped", memory.page(1)),
        ("without rights", memory.page(3)),
        ("the kernel", KERNEL),
        ("the last byte", usize::MAX),
        ("non-canonical", 1 << 62),
        ("half unmapped", memory.page(1) - 2),
    ];
    // What lies before the hole looks like the start of anything: a path, a list, a time.
    (memory.page(1) - 2..memory.page(1)).for_each(|address| probe::store(address, b'x'));
    faults("nanosleep", bad, |from| {
        call(Sysno::nanosleep, [from, 0, 0])
    });

    let path = env::program_path().as_ptr() as usize;
    let words = &[AGAIN.as_ptr() as usize, 0];
    faults("execve, path", bad, |from| execve(from, words, &[0]));
    // Null is an empty list, or the end of one.
    let bad = &bad[1..];
    faults("execve, a word", bad, |from| execve(path, &[from, 0], &[0]));
    faults("execve, a variable", bad, |from| {
        execve(path, words, &[from, 0])
    });
    faults("execve, words", bad, |from| {
        call(Sysno::execve, [path, from, 0])
    });
    let words = words.as_ptr() as usize;
    faults("execve, variables", bad, |from| {
        call(Sysno::execve, [path, words, from])
    });

    // Of a buffer that is half good, some files take that half.
    let stdout = io::STDOUT as usize;
    faults("write", &bad[..5], |from| {
        call(Sysno::write, [stdout, from, 1])
    });
}

/// Calls that store through a pointer.
fn stores(memory: Mapping) {
    let bad = &[
        ("null", 0),
        ("unmapped", memory.page(1)),
        ("without rights", memory.page(3)),
        ("read-only", memory.page(2)),
        ("half unmapped", memory.page(1) - 2),
        ("non-canonical", 1 << 62),
        ("the kernel", KERNEL),
        ("the last byte", usize::MAX),
    ];
    let monotonic = general::CLOCK_MONOTONIC as usize;
    faults("clock_gettime", bad, |to| {
        call(Sysno::clock_gettime, [monotonic, to, 0])
    });
    let myself = general::RUSAGE_SELF as usize;
    faults("getrusage", bad, |to| {
        call(Sysno::getrusage, [myself, to, 0])
    });
    let get_fs = arch_prctl::ARCH_GET_FS as usize;
    faults("arch_prctl", bad, |to| {
        call(Sysno::arch_prctl, [get_fs, to, 0])
    });
    faults("uname", bad, |to| call(Sysno::uname, [to, 0, 0]));

    // What is refused before there is something to read depends on the file; the kernel's own half always is.
    let stdin = io::STDIN as usize;
    faults("read", &bad[6..], |to| call(Sysno::read, [stdin, to, 1]));

    // Null is for those who don't want to know.
    let bad = &bad[1..];
    faults("wait4, status", bad, |to| wait4(to, 0));
    faults("wait4, usage", bad, |to| wait4(0, to));
    assert_eq!(process::wait(ANY_CHILD).err(), Some(Errno::ECHILD));
    println!("each of these children was collected, although its parent could not be told");
}

/// Makes a call with each of the bad pointers; all must be answered with EFAULT.
fn faults(name: &str, pointers: &[(&str, usize)], call: impl Fn(usize) -> Answer) {
    for &(kind, pointer) in pointers {
        assert_eq!(call(pointer), Err(Errno::EFAULT), "{name}: {kind}");
        println!("{name}: {kind}: EFAULT");
    }
}

fn call(number: Sysno, [a, b, c]: [usize; 3]) -> Answer {
    syscall::raw(number as usize, [a, b, c, 0, 0, 0])
}

fn execve(path: usize, words: &[usize], variables: &[usize]) -> Answer {
    call(
        Sysno::execve,
        [path, words.as_ptr() as usize, variables.as_ptr() as usize],
    )
}

/// Waits for a new child, and lets the kernel report to the given places.
fn wait4(status: usize, usage: usize) -> Answer {
    let child = spawn(|| 0)?;
    syscall::raw(
        Sysno::wait4 as usize,
        [child as usize, status, 0, usage, 0, 0],
    )
}

/// Arguments that are wrong without being pointers, and some whose fault is found before that of the pointer.
fn refused_for_other_reasons() {
    let refused = |what, answer: Answer, expected: Errno| {
        assert_eq!(answer, Err(expected), "{what}");
        println!("{what}: {expected:?}");
    };
    let call = |number: Sysno, first: usize| call(number, [first, KERNEL, 1]);
    refused(
        "a system call of no known number",
        syscall::raw(9999, [0; 6]),
        Errno::ENOSYS,
    );
    refused(
        "system call -1",
        syscall::raw(usize::MAX, [0; 6]),
        Errno::ENOSYS,
    );
    refused(
        "writing to what was never opened",
        call(Sysno::write, 999),
        Errno::EBADF,
    );
    refused(
        "reading from what was never opened",
        call(Sysno::read, 999),
        Errno::EBADF,
    );
    refused(
        "the usage of nobody",
        call(Sysno::getrusage, 5),
        Errno::EINVAL,
    );
    refused(
        "a clock of no known number",
        call(Sysno::clock_gettime, 99),
        Errno::EINVAL,
    );
    refused(
        "an arch_prctl of no known code",
        call(Sysno::arch_prctl, 0x9999),
        Errno::EINVAL,
    );
    refused("FS in the kernel", set_fs(KERNEL), Errno::EPERM);
    refused(
        "FS at a non-canonical address",
        set_fs(1 << 62),
        Errno::EPERM,
    );
}

fn set_fs(base: usize) -> Answer {
    call(
        Sysno::arch_prctl,
        [arch_prctl::ARCH_SET_FS as usize, base, 0],
    )
}
