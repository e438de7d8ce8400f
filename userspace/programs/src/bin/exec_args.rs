//! Shows what `execve` hands to a new program: words, variables and the auxiliary vector, and what it refuses.
//!
//! All of it lies at the top of the new stack before the program's first instruction. Runtimes live on it: the page
//! size, the program headers, sixteen random bytes, the path.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::CStr;

use programs::lesson::ends;
use rt::abi::{Sysno, auxvec};
use rt::memory::{Mapping, PAGE};
use rt::process::{Status, execve, run_in_child};
use rt::{Errno, env, println, probe, syscall};

/// The longest word that Linux passes on, its NUL included.
const LONGEST: usize = 32 * PAGE;

fn main() -> u8 {
    match env::arg(0) {
        Some("show") => show(),
        Some("add") => add(),
        Some("measure") => u8::from(
            env::args()
                .nth(1)
                .is_none_or(|word| word.count_bytes() + 1 != LONGEST),
        ),
        _ => {
            lessons();
            0
        }
    }
}

fn lessons() {
    auxiliary_vector();

    let words = [c"show", c"one", c"", c"two words", c"tschüß"];
    let variables = [c"HOME=/", c"EMPTY=", c"A=B=C"];
    let status = run_in_child(|| failed(execve(env::program_path(), &words, &variables)));
    assert_eq!(status, Status::Exited(0));

    ends(
        "500 words, with their sum as the exit code",
        Status::Exited(172),
        || {
            let mut words = [c"7"; 501];
            words[0] = c"add";
            failed(execve(env::program_path(), &words, &[]))
        },
    );
    too_long();
    refusals();
}

/// Prints what this program was given.
fn show() -> u8 {
    env::args().for_each(|word| println!("  argument {word:?}"));
    env::vars().for_each(|variable| println!("  variable {variable:?}"));
    auxiliary_vector();
    0
}

/// Adds the arguments up, modulo 256.
fn add() -> u8 {
    let values = env::args()
        .skip(1)
        .map(|word| word.to_str().ok()?.parse().ok());
    values.fold(0, |sum: u8, value: Option<u8>| {
        sum.wrapping_add(value.expect("a number"))
    })
}

/// Checks what can be checked, and prints what is the same everywhere.
fn auxiliary_vector() {
    let value = |key: u32| env::auxiliary_value(key).expect("this entry of the auxiliary vector");
    assert_eq!(value(auxvec::AT_PAGESZ), PAGE);
    assert_eq!(value(auxvec::AT_PHENT), 56);
    let file_header = value(auxvec::AT_PHDR) - 64;
    assert_eq!(
        probe::load_word(file_header) as u32,
        u32::from_le_bytes(*b"\x7fELF")
    );
    assert_eq!(
        probe::load_word(file_header + 24),
        value(auxvec::AT_ENTRY) as u64
    );
    assert_eq!(
        probe::load_word(file_header + 56) as u16,
        value(auxvec::AT_PHNUM) as u16
    );
    let random = value(auxvec::AT_RANDOM);
    assert!(probe::load_word(random) != 0 && probe::load_word(random + 8) != 0);
    assert!(env::program_path().to_bytes().ends_with(b"exec_args"));
    assert_eq!(
        (value(auxvec::AT_SECURE), value(auxvec::AT_CLKTCK)),
        (0, 100)
    );
    println!(
        "auxiliary vector: page size, program headers, entry, random bytes and path are right"
    );
}

/// A word may have 128 KiB, all words together a quarter of the stack's limit.
fn too_long() {
    let long = Mapping::new(LONGEST / PAGE + 1);
    (0..LONGEST - 1).for_each(|index| probe::store(long.page(0) + index, b'x'));
    let long = long.page(0);
    ends("a word of 128 KiB", Status::Exited(0), || {
        execute_with(&[c"measure".as_ptr() as usize, long, 0])
    });

    probe::store(long + LONGEST - 1, b'x');
    ends("one byte more: E2BIG", Status::Exited(7), || {
        execute_with(&[c"measure".as_ptr() as usize, long, 0])
    });

    let mut words = [long + 1; 65];
    words[64] = 0;
    ends("64 such words: E2BIG", Status::Exited(7), || {
        execute_with(&words)
    });
}

/// Executes this program with the strings at the given addresses as arguments.
fn execute_with(words: &[usize]) -> u8 {
    let arguments = [
        env::program_path().as_ptr() as usize,
        words.as_ptr() as usize,
        [0usize].as_ptr() as usize,
        0,
        0,
        0,
    ];
    syscall::raw(Sysno::execve as usize, arguments).map_or_else(failed, |_| 0)
}

/// What can't be executed, and why.
fn refusals() {
    let refused = |what: &str, path: &CStr, expected: Errno| {
        assert_eq!(execve(path, &[c"nothing"], &[]), expected, "{what}");
        println!("{what}: {expected:?}");
    };
    refused(
        "a path that leads nowhere",
        c"/no/such/program",
        Errno::ENOENT,
    );
    refused("no path at all", c"", Errno::ENOENT);
    refused("a folder", c"/", Errno::EACCES);

    let mut inside = [0; 256];
    let own = env::program_path().to_bytes();
    inside[..own.len()].copy_from_slice(own);
    inside[own.len()..][..2].copy_from_slice(b"/x");
    let inside = CStr::from_bytes_until_nul(&inside).expect("a path of less than 254 bytes");
    refused("a file in a program", inside, Errno::ENOTDIR);

    let mut long = [b'x'; PAGE + 1];
    long[PAGE] = 0;
    let long = CStr::from_bytes_with_nul(&long).expect("one NUL at the end");
    refused("a path longer than a page", long, Errno::ENAMETOOLONG);
}

/// The exit code of a child whose `execve` failed: the errno.
fn failed(errno: Errno) -> u8 {
    errno.into_raw() as u8
}
