//! Reading and writing, and `print!` in terms of it.
//!
//! One `println!` is one `write`: the text is put together first, so that lines of several processes don't mix.

use core::fmt::{self, Write};

use abi::{Errno, Sysno};

use crate::syscall::call;

/// Standard input.
pub const STDIN: u32 = 0;
/// Standard output.
pub const STDOUT: u32 = 1;
/// Standard error.
pub const STDERR: u32 = 2;

/// Reads at most `buffer.len()` bytes; 0 means end of file.
pub fn read(fd: u32, buffer: &mut [u8]) -> Result<usize, Errno> {
    call(
        Sysno::read,
        [fd as usize, buffer.as_mut_ptr() as usize, buffer.len()],
    )
}

/// Writes some of `bytes` and says how many.
pub fn write(fd: u32, bytes: &[u8]) -> Result<usize, Errno> {
    call(
        Sysno::write,
        [fd as usize, bytes.as_ptr() as usize, bytes.len()],
    )
}

/// Writes all of `bytes`.
pub fn write_all(fd: u32, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match write(fd, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Text on its way to a descriptor.
struct Line {
    fd: u32,
    bytes: [u8; 1024],
    used: usize,
}

impl Line {
    fn flush(&mut self) -> fmt::Result {
        let used = core::mem::take(&mut self.used);
        write_all(self.fd, &self.bytes[..used]).map_err(|_| fmt::Error)
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.as_bytes().chunks(self.bytes.len()) {
            if self.used + part.len() > self.bytes.len() {
                self.flush()?;
            }
            self.bytes[self.used..self.used + part.len()].copy_from_slice(part);
            self.used += part.len();
        }
        Ok(())
    }
}

/// Formats, then writes; what `print!` and its like expand to.
///
/// An error is dropped: a program whose output goes nowhere has nobody to tell.
pub fn print(fd: u32, text: fmt::Arguments<'_>) {
    let mut line = Line {
        fd,
        bytes: [0; 1024],
        used: 0,
    };
    let _ = line.write_fmt(text).and_then(|()| line.flush());
}

/// Prints to standard output in one `write`.
#[macro_export]
macro_rules! print {
    ($($text:tt)*) => { $crate::io::print($crate::io::STDOUT, ::core::format_args!($($text)*)) };
}

/// Prints a line to standard output in one `write`.
#[macro_export]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($text:tt)*) => { $crate::print!("{}\n", ::core::format_args!($($text)*)) };
}

/// Prints a line to standard error in one `write`.
#[macro_export]
macro_rules! eprintln {
    ($($text:tt)*) => {
        $crate::io::print($crate::io::STDERR, ::core::format_args!("{}\n", ::core::format_args!($($text)*)))
    };
}
