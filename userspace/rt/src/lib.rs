//! What stands between a ring-3 program and the kernel: entry, system calls, printing, panic.
//!
//! It exists so that the programs contain no unsafe code and no noise: each one is an ordinary `fn main` over Linux's
//! system calls, so that the same bytes run on Linux, which is thereby the oracle for our kernel.
//!
//! # What "safe" means here
//! The programs' subject is memory itself: they unmap it, protect it and reach for addresses that nobody gave them. So
//! an address is a plain number here, and the functions that take one ([`memory`], [`probe`]) are declared safe although
//! a number that lies inside the program's own data could break Rust's rules. What they promise is less, and is checked
//! by the kernel instead of the compiler: each use does exactly one thing in assembler, which the optimiser neither sees
//! through nor moves, and which ends as the processor says: a value, an errno or a signal. Programs use them on memory
//! that they mapped themselves or in a child that is meant to die of it.
#![no_std]
#![feature(lang_items)]
#![expect(
    internal_features,
    reason = "the `start` item is what gives a no_std program an ordinary `fn main`"
)]
#![deny(unsafe_code)]
#![warn(missing_docs)]

#[macro_use]
pub mod io;

pub mod attempt;
pub mod copy;
pub mod entry;
pub mod env;
pub mod event;
pub mod faults;
pub mod file;
pub mod foreign;
pub mod fpu;
pub mod futex;
pub mod handler;
pub mod instruction;
pub mod lock;
pub mod memory;
pub mod mount;
mod panic;
pub mod path;
pub mod pidfd;
pub mod probe;
pub mod process;
pub mod ready;
pub mod signal;
pub mod syscall;
pub mod system;
pub mod time;

pub use abi::{self, Errno};
