//! Drivers: thin glue between the kernel and what crates know of each device.
pub(crate) mod framebuffer;
pub(crate) mod keyboard;
pub(crate) mod nvme;
pub(crate) mod pci;
pub(crate) mod serial;
pub(crate) mod virtio_blk;
