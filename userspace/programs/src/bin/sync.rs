//! Brings all that is in memory to where it belongs: sync(2), for the shell.
#![no_std]
#![forbid(unsafe_code)]

fn main() {
    rt::mount::sync();
}
