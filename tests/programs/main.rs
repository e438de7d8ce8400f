//! The programs on Linux and in QEMU.
fn main() {}
