//! Disks: what the host wrote is what every door shows, on both firmwares; bad sectors, slow disks and processes killed
//! while they wait harm nobody else.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use libtest_mimic::Trial;
use tempfile::TempDir;

use crate::programs::native_words;
use crate::run::Input;
use crate::tool::{Booted, Run};
use crate::transcript;

/// Ends inside a page.
const SIZE: usize = (3 << 20) + 3 * 512;

const BAD_SECTOR: &str = "1236";

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, body: fn() -> Result<()>| {
        Trial::test(format!("disk::{name}"), move || {
            body().map_err(|error| format!("{error:#}").into())
        })
    };
    vec![
        trial("bios_shows_what_the_host_wrote", || {
            shows_what_was_written(&["--checked"], &content(), "/dev/vda")
        }),
        trial("uefi_shows_what_the_host_wrote", || {
            shows_what_was_written(&["--uefi"], &content(), "/dev/vda")
        }),
        trial("a_partition_shows_its_own_bytes", || {
            shows_what_was_written(&["--checked"], &in_partition(&content()), "/dev/vda1")
        }),
        trial("nothing_can_be_written", nothing_can_be_written),
        trial("nvme_on_bios_shows_what_the_host_wrote", || {
            shows_by_nvme("--checked")
        }),
        trial("nvme_on_uefi_shows_what_the_host_wrote", || {
            shows_by_nvme("--uefi")
        }),
        trial("who_reads_in_order_reads_much_at_once", reads_ahead),
        trial("a_bad_sector_harms_nobody_else", a_bad_sector),
        trial("nobody_dies_late_on_a_slow_disk", a_slow_disk),
        trial("nobody_dies_for_a_disk_larger_than_memory", || {
            a_large_disk("virtio", "/dev/vda")
        }),
        trial("nobody_dies_for_a_large_disk_by_nvme", || {
            a_large_disk("nvme", "/dev/nvme0n1")
        }),
    ]
}

/// Words that are their own numbers, scrambled: `userspace/programs/src/disk.rs` knows the same.
fn content() -> Vec<u8> {
    let words = (1..=SIZE as u64 / 8).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    words.flat_map(u64::to_le_bytes).collect()
}

/// A table of a PC whose first partition holds `bytes`, with something behind them.
fn in_partition(bytes: &[u8]) -> Vec<u8> {
    // No page of the partition begins where a page of the disk does.
    const START: usize = 63;
    let mut disk = vec![0xee; START * 512];
    disk[446..512].fill(0);
    disk[446 + 4] = 0x83;
    disk[446 + 8..446 + 12].copy_from_slice(&(START as u32).to_le_bytes());
    disk[446 + 12..446 + 16].copy_from_slice(&(bytes.len() as u32 / 512).to_le_bytes());
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk.extend(bytes);
    disk.extend([0xee; 4096]);
    disk
}

/// A file with these bytes, and the folder that it is in.
fn file_of(bytes: &[u8]) -> Result<(TempDir, PathBuf)> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("disk.img");
    fs::write(&file, bytes)?;
    Ok((folder, file))
}

/// Boots with such a disk; the words are the tool's, then the program's.
fn boot(bytes: &[u8], options: &[&str], program: &[&str]) -> Result<Booted> {
    let (_folder, file) = file_of(bytes)?;
    let file = file.to_str().context("a path is not UTF-8")?;
    let words = ["--disk", file].into_iter().chain(options.iter().copied());
    let words = words.chain(["--", "disk"]).chain(program.iter().copied());
    let booted = Run::boot(words)?.end(Input::Nothing)?;
    booted.expect_code(0)?;
    Ok(booted)
}

fn expect(booted: &Booted, expected: &str) -> Result<()> {
    match transcript::difference(expected.as_bytes(), &booted.ended.output) {
        Some(difference) => bail!("{difference}{}", booted.report()),
        None => Ok(()),
    }
}

fn expect_all_back(booted: &Booted) -> Result<()> {
    let all_back = "every frame that processes held is back";
    ensure!(
        booted.log.contains(all_back),
        "frames are not back\n{}",
        booted.report()
    );
    Ok(())
}

/// The disk at `device` of a machine that has `bytes` shows what a plain file shows on Linux.
fn shows_what_was_written(options: &[&str], bytes: &[u8], device: &str) -> Result<()> {
    let (_folder, file) = file_of(&content())?;
    let path = file.display().to_string();
    let linux = native_words(&["disk".to_owned(), "read".to_owned(), path])?;
    let booted = boot(bytes, options, &["read", device])?;
    expect(&booted, &String::from_utf8_lossy(&linux.output))?;
    if options.contains(&"--checked") {
        expect_all_back(&booted)?;
    }
    Ok(())
}

fn shows_by_nvme(option: &str) -> Result<()> {
    let options = [option, "--disk-bus", "nvme"];
    shows_what_was_written(&options, &content(), "/dev/nvme0n1")
}

fn reads_ahead() -> Result<()> {
    const WHOLE_PAGES: usize = 3 << 20;
    let bytes = &content()[..WHOLE_PAGES];
    let booted = boot(bytes, &["--checked"], &["ahead", "/dev/vda"])?;
    expect(&booted, include_str!("disk_ahead.txt"))
}

fn nothing_can_be_written() -> Result<()> {
    let booted = boot(&content(), &["--checked"], &["device", "/dev/vda"])?;
    expect(
        &booted,
        &include_str!("disk_device.txt").replace("@", &SIZE.to_string()),
    )
}

fn a_bad_sector() -> Result<()> {
    let options = ["--checked", "--bad-sector", BAD_SECTOR];
    let booted = boot(&content(), &options, &["errors", "/dev/vda", BAD_SECTOR])?;
    expect(&booted, include_str!("disk_errors.txt"))?;
    expect_all_back(&booted)
}

/// 256 MiB on a machine with 64: zeroes, but for a word at each MiB.
fn a_large_disk(bus: &str, device: &str) -> Result<()> {
    const MEBIBYTE: u64 = 1 << 20;
    const MEBIBYTES: u64 = 256;
    let (_folder, path) = file_of(&[])?;
    let file = fs::File::options().write(true).open(&path)?;
    file.set_len(MEBIBYTES * MEBIBYTE)?;
    for at in (0..MEBIBYTES).map(|number| number * MEBIBYTE) {
        let word = (at / 8 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        file.write_all_at(&word.to_le_bytes(), at)?;
    }
    let path = path.to_str().context("a path is not UTF-8")?;
    let machine = ["--checked", "--memory", "64M", "--disk-bus", bus];
    let words = ["--disk", path].into_iter().chain(machine);
    let words = words.chain(["--", "disk", "large", device]);
    let booted = Run::boot(words)?.end(Input::Nothing)?;
    booted.expect_code(0)?;
    expect(&booted, include_str!("disk_large.txt"))?;
    ensure!(!booted.log.contains("out of memory"), "{}", booted.report());
    expect_all_back(&booted)
}

fn a_slow_disk() -> Result<()> {
    let booted = boot(
        &content(),
        &["--checked", "--slow-disk", "3"],
        &["killed", "/dev/vda"],
    )?;
    let killed = "SIGKILL\n".repeat(8);
    expect(&booted, &format!("{killed}at once: true\nthen: None\n"))?;
    expect_all_back(&booted)
}
