//! The smallest program: says hello from ring 3.
#![no_std]
#![forbid(unsafe_code)]

use rt::println;

fn main() {
    println!("Hello from ring 3.");
}
