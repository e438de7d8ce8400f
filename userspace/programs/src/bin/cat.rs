//! Copies the files that it is told, or standard input, to standard output, byte for byte.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::CStr;

use programs::proc::File;
use rt::abi::general::O_RDONLY;
use rt::io::{STDIN, STDOUT, write_all};
use rt::{Errno, env, eprintln};

fn main() -> u8 {
    let mut code = 0;
    let copied = if env::count() > 1 {
        env::args().skip(1).try_for_each(copy_file)
    } else {
        copy(File(STDIN))
    };
    if let Err(errno) = copied {
        eprintln!("cat: {errno:?}");
        code = 1;
    }
    code
}

fn copy_file(path: &CStr) -> Result<(), Errno> {
    let file = File::open(path, O_RDONLY)?;
    let copied = copy(file);
    file.close();
    copied
}

fn copy(file: File) -> Result<(), Errno> {
    let mut buffer = [0; 4096];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => write_all(STDOUT, &buffer[..count])?,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}
