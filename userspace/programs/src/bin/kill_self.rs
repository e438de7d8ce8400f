//! Sends itself the signal that it is given: `kill_self N`.
#![no_std]
#![forbid(unsafe_code)]

use rt::signal::{Signal, kill};
use rt::{env, println, process};

fn main() {
    let number = env::arg(1)
        .and_then(|text| text.parse().ok())
        .expect("kill_self SIGNAL, as a number");
    let answer = kill(process::id(), Signal(number));
    println!("kill answered {answer:?}, and this process lives");
}
