//! Runs programs one after another, each under a heading and with its end: many demos in one boot.
//!
//! `series PROGRAM...` exits with the number of those that did not end with 0.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::CStr;

use programs::launch::start;
use rt::process::{Status, wait};
use rt::{env, println};

fn main() -> u8 {
    let failed = env::args().skip(1).filter(|program| !runs(program));
    failed.count() as u8
}

/// Runs one program, and says whether it ended well.
fn runs(program: &CStr) -> bool {
    println!("$ {}", program.to_str().unwrap_or("(not UTF-8)"));
    match start(&[program]).and_then(wait) {
        Ok(ended) => {
            println!("[{}]", ended.status);
            ended.status == Status::Exited(0)
        }
        Err(errno) => {
            println!("[no process: {errno:?}]");
            false
        }
    }
}
