//! Disk images, one a firmware. The loader is told to be silent: the log belongs to the kernel.

use std::path::Path;

use anyhow::{Context, Result};
use bootloader::{BootConfig, DiskImageBuilder};

/// Which firmware starts the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Firmware {
    Bios,
    Uefi,
}

/// Writes a bootable disk with a kernel and its initramfs.
pub(crate) fn write(firmware: Firmware, kernel: &Path, initramfs: &Path, to: &Path) -> Result<()> {
    let mut config = BootConfig::default();
    config.frame_buffer_logging = false;
    config.serial_logging = false;
    let mut builder = DiskImageBuilder::new(kernel.to_owned());
    builder
        .set_ramdisk(initramfs.to_owned())
        .set_boot_config(&config);
    let written = match firmware {
        Firmware::Bios => builder.create_bios_image(to),
        Firmware::Uefi => builder.create_uefi_image(to),
    };
    written.with_context(|| format!("cannot write the disk image {}", to.display()))
}
