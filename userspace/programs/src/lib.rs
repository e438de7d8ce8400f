//! What several programs share: running other programs, and waiting for one another.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod cuts;
pub mod disk;
pub mod drawing;
pub mod gate;
pub mod hunger;
pub mod launch;
pub mod lesson;
pub mod proc;
pub mod rights;
pub mod vdso;
pub mod words;
