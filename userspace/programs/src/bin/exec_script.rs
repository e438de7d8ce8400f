//! Shows how a script runs: its first line names an interpreter, which gets the script's path and what else was asked for.
//!
//! The interpreter is this program, under a name without folders, so that lines are the same wherever it lies.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::CStr;

use programs::lesson::ends;
use rt::abi::Sysno;
use rt::abi::general::{AT_EMPTY_PATH, O_CLOEXEC, O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY};
use rt::file::close;
use rt::io::write_all;
use rt::path::{HERE, go, link_to, make_folder, open_at, remove, remove_folder};
use rt::process::{Status, execve};
use rt::{Errno, env, println, syscall};

/// What the interpreter answers with.
const TOLD: u8 = 7;

/// As many bytes of a script count.
const START: usize = 256;

fn main() -> u8 {
    if env::arg(0) == Some("./reader") {
        return tell();
    }
    make_folder(c"scripts", 0o755).expect("mkdir");
    go(c"scripts").expect("chdir");
    link_to(env::program_path(), c"reader").expect("symlink");
    lines();
    chains();
    long_lines();
    refusals();
    descriptors();
    remove(c"reader").expect("unlink");
    go(c"..").expect("chdir");
    remove_folder(c"scripts").expect("nothing is left behind");
    0
}

/// The interpreter: prints what it was given.
fn tell() -> u8 {
    for word in env::args() {
        match word.count_bytes() {
            0..64 => println!("  {word:?}"),
            count => println!("  a word of {count} bytes"),
        }
    }
    TOLD
}

fn make(path: &CStr, bytes: &[u8], mode: u32) {
    let file = open_at(HERE, path, O_CREAT | O_WRONLY | O_TRUNC, mode).expect("open");
    write_all(file, bytes).expect("write");
    close(file).expect("close");
}

/// Runs a script of these bytes.
fn run(what: &str, bytes: &[u8], expected: Status) {
    make(c"script", bytes, 0o755);
    ends(what, expected, || {
        execve(c"./script", &[c"asked", c"one", c"two words"], &[]).into_raw() as u8
    });
    remove(c"script").expect("unlink");
}

fn refused(what: &str, bytes: &[u8], errno: Errno) {
    run(what, bytes, Status::Exited(errno.into_raw() as u8));
}

fn lines() {
    let told = Status::Exited(TOLD);
    run("an interpreter", b"#!./reader\nignored\n", told);
    run("with an argument", b"#!./reader -x\n", told);
    run(
        "blanks around",
        b"#! \t ./reader \t one  argument \t\n",
        told,
    );
    run("no end of the line", b"#!./reader argument", told);
    run("a NUL in it", b"#!./reader arg\0ument\n", told);
    run("a carriage return", b"#!./reader x\r\n", told);
}

/// Scripts that scripts read.
fn chains() {
    const NAMES: [&CStr; 7] = [c"./1", c"./2", c"./3", c"./4", c"./5", c"./6", c"./7"];
    make(NAMES[0], b"#!./reader\n", 0o755);
    for (name, before) in NAMES[1..].iter().zip(b'1'..) {
        make(name, &[b'#', b'!', b'.', b'/', before, b'\n'], 0o755);
    }
    for (depth, name) in NAMES.iter().enumerate() {
        let errno = Errno::ELOOP.into_raw() as u8;
        let expected = if depth < 5 { TOLD } else { errno };
        ends(depth + 1, Status::Exited(expected), || {
            execve(name, &[c"asked", c"word"], &[]).into_raw() as u8
        });
    }
    for name in NAMES {
        remove(name).expect("unlink");
    }
}

/// Lines that do not fit.
fn long_lines() {
    let told = Status::Exited(TOLD);
    let mut bytes = [b'a'; START + 64];
    bytes[..11].copy_from_slice(b"#!./reader ");
    run("an argument that is cut", &bytes, told);
    bytes[10] = b'r';
    refused("a name that is cut", &bytes, Errno::ENOEXEC);
    let mut blank = [b' '; START + 64];
    blank[..2].copy_from_slice(b"#!");
    refused("a name that is too far behind", &blank, Errno::ENOEXEC);
}

fn refusals() {
    refused("an empty file", b"", Errno::ENOEXEC);
    refused("nobody named", b"#!\n./reader\n", Errno::ENOEXEC);
    refused("blanks alone", b"#!  \t\n", Errno::ENOEXEC);
    refused("nobody there", b"#!./nobody\n", Errno::ENOENT);
    refused("a folder", b"#!.\n", Errno::EACCES);
    make(c"text", b"#!./reader\n", 0o644);
    refused("not to be executed", b"#!./text\n", Errno::EACCES);
    remove(c"text").expect("unlink");
}

/// execveat(2) of an open script: the interpreter has to find it.
fn descriptors() {
    make(c"script", b"#!./reader\n", 0o755);
    let lost = Errno::ENOENT.into_raw() as u8;
    for (what, flags, code) in [("kept", 0, TOLD), ("closed", O_CLOEXEC, lost)] {
        let file = open_at(HERE, c"script", O_RDONLY | flags, 0).expect("open");
        ends(what, Status::Exited(code), || {
            execute_open(file).into_raw() as u8
        });
        close(file).expect("close");
    }
    remove(c"script").expect("unlink");
}

fn execute_open(file: u32) -> Errno {
    let words = [c"asked".as_ptr() as usize, 0];
    let passed = [
        file as usize,
        c"".as_ptr() as usize,
        words.as_ptr() as usize,
        0,
        AT_EMPTY_PATH as usize,
        0,
    ];
    let answer = syscall::raw(Sysno::execveat.id() as usize, passed);
    answer.expect_err("it returns only where it failed")
}
