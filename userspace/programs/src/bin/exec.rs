//! Becomes another program, or says why it can't: `exec PATH ARGUMENTS...`.
//!
//! The tests learn with it what `execve` makes of files of their own.
#![no_std]
#![forbid(unsafe_code)]

use programs::launch::NOT_RUNNABLE;
use programs::words::Words;
use rt::process::execve;
use rt::{env, println};

fn main() -> u8 {
    let words = Words::collect(env::args().skip(1)).expect("at most 256 words");
    let path = words.as_slice().first().expect("exec PATH ARGUMENTS...");
    let errno = execve(path, words.as_slice(), &[]);
    println!("{errno:?}");
    NOT_RUNNABLE
}
