//! A broken assertion says where, and ends the program with Rust's usual code 101.

use core::panic::PanicInfo;

use crate::{env, process};

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    eprintln!("{}: {info}", env::arg(0).unwrap_or("a program"));
    process::exit(101)
}
