//! Drivers: thin glue between the kernel and what crates know of each device.
pub(crate) mod framebuffer;
pub(crate) mod keyboard;
pub(crate) mod serial;
