//! Exits with the code that it is given: `exit_code N`.
#![no_std]
#![forbid(unsafe_code)]

fn main() -> u8 {
    let code = rt::env::arg(1).and_then(|text| text.parse().ok());
    code.expect("exit_code N, with N from 0 to 255")
}
