//! Prints its arguments with a space between them, as the bytes that they are.
#![no_std]
#![forbid(unsafe_code)]

use rt::Errno;
use rt::io::{STDOUT, write_all};

fn main() -> u8 {
    u8::from(print().is_err())
}

fn print() -> Result<(), Errno> {
    for (index, word) in rt::env::args().skip(1).enumerate() {
        write_all(STDOUT, if index == 0 { b"" } else { b" " })?;
        write_all(STDOUT, word.to_bytes())?;
    }
    write_all(STDOUT, b"\n")
}
