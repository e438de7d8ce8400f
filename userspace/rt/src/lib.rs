//! The runtime of the ring-3 programs: entry, system calls, printing, panic.
#![no_std]
