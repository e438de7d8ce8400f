//! Disk images that boot on BIOS and on UEFI machines alike, so that nobody has to know which one a machine is.
//!
//! `bootloader` makes a disk for each firmware. Its BIOS disk keeps kernel and initramfs in a FAT partition, and UEFI
//! firmware looks into the FAT partitions of a removable disk for `EFI/BOOT/BOOTX64.EFI`: with that file added, one
//! partition serves both. The loader is told to be silent, as the log belongs to the kernel, unless it can't go on: what it
//! says then, on COM1 and the screen, `kernel_log` knows.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use bootloader::{BootConfig, DiskImageBuilder};
use bootloader_boot_config::LevelFilter;
use mbrman::{BOOT_ACTIVE, BOOT_INACTIVE, CHS, MBR};

/// Bytes of a disk's sector, the unit in which firmware reads.
pub(crate) const SECTOR: u32 = 512;

/// Where UEFI firmware looks on a disk that it has not been told about.
const UEFI_LOADER: &str = "efi/boot/bootx64.efi";

/// Places in the partition table.
const LOADER: usize = 1;
const FILES: usize = 2;

/// Writes a bootable disk with a kernel and its initramfs.
pub(crate) fn write(kernel: &Path, initramfs: &Path, to: &Path) -> Result<()> {
    write_disk(kernel, initramfs, to)
        .with_context(|| format!("cannot write the disk image {}", to.display()))
}

fn write_disk(kernel: &Path, initramfs: &Path, to: &Path) -> Result<()> {
    let mut config = BootConfig::default();
    config.log_level = LevelFilter::Error;
    DiskImageBuilder::new(kernel.to_owned())
        .set_ramdisk(initramfs.to_owned())
        .set_boot_config(&config)
        .set_file_contents(UEFI_LOADER.to_owned(), uefi_loader()?)
        .create_bios_image(to)?;
    please_picky_firmware(to)?;
    please_loader(to)
}

/// The crate gives its UEFI loader away only as a folder for booting from a network.
fn uefi_loader() -> Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    DiskImageBuilder::empty().create_uefi_tftp_folder(folder.path())?;
    Ok(fs::read(folder.path().join("bootloader"))?)
}

/// The partition table as other sticks have it. Some firmware takes a stick with two active partitions for a damaged
/// one, and some reads a disk's geometry off the table, where nothing but zeroes make it divide by zero. The loader
/// looks at neither.
fn please_picky_firmware(disk: &Path) -> Result<()> {
    let mut file = File::options().read(true).write(true).open(disk)?;
    let mut table = MBR::read_from(&mut file, SECTOR)?;
    for (index, boot) in [(LOADER, BOOT_INACTIVE), (FILES, BOOT_ACTIVE)] {
        let partition = &mut table[index];
        // "Beyond what cylinders, heads and sectors can say", on a disk of 255 heads with 63 sectors each.
        let beyond = CHS::new(1023, 254, 63);
        (partition.boot, partition.first_chs, partition.last_chs) = (boot, beyond, beyond);
    }
    table.write_into(&mut file)?;
    Ok(())
}

/// Lets the loader on BIOS read file systems of more than 32 MiB. It takes whatever counts its sectors in 32 bits for
/// FAT32, whose size of a table stands where FAT16 has its drive, a mark that says that a label follows, and the label's
/// number. With zeroes there it finds FAT16's own, and nobody else misses them.
fn please_loader(disk: &Path) -> Result<()> {
    const TABLE_SECTORS_16: usize = 22;
    const TABLE_SECTORS_32: usize = 36;
    let mut file = File::options().read(true).write(true).open(disk)?;
    let table = MBR::read_from(&mut file, SECTOR)?;
    let start = u64::from(table[FILES].starting_lba) * u64::from(SECTOR);
    let mut sector = [0; SECTOR as usize];
    file.read_exact_at(&mut sector, start)?;
    ensure!(
        sector[TABLE_SECTORS_16..][..2] != [0; 2],
        "kernel and programs together are too large for the loader, which reads less than 512 MiB; add less"
    );
    file.write_all_at(&[0; 4], start + TABLE_SECTORS_32 as u64)?;
    Ok(())
}
