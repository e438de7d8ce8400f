//! Copies standard input to standard output, byte for byte, until its end.
#![no_std]
#![forbid(unsafe_code)]

use rt::io::{STDIN, STDOUT, read, write_all};
use rt::{Errno, eprintln};

fn main() -> u8 {
    match copy() {
        Ok(()) => 0,
        Err(errno) => {
            eprintln!("cat: {errno:?}");
            1
        }
    }
}

fn copy() -> Result<(), Errno> {
    let mut buffer = [0; 4096];
    loop {
        match read(STDIN, &mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => write_all(STDOUT, &buffer[..count])?,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}
