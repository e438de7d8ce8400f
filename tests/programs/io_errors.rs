//! Disks that fail under a mounted volume: who lost something is told, once, and nobody else; nothing hangs, the volume can
//! be unmounted, and what could be written is there.
//!
//! QEMU's `blkdebug` lets sectors fail. `disks.rs` has those of a disk without a file system.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use libtest_mimic::Trial;
use tempfile::TempDir;

use crate::e2fs::{e2fs, missing, perform};
use crate::needs;
use crate::run::Input;
use crate::tool::{Booted, Run};
use crate::transcript;

const PAGE: usize = 4096;

/// Pages of each file before.
const PAGES: usize = 5;

pub(crate) fn trials() -> Vec<Trial> {
    let missing = missing();
    let trial = |name: &str, body: fn() -> Result<()>| {
        needs::trial(format!("io_error::{name}"), missing, body)
    };
    vec![
        trial("a_page_that_cannot_be_written_by_virtio", || {
            bad_page(["--checked", "--disk-bus", "virtio"], "/dev/vda")
        }),
        trial("a_page_that_cannot_be_written_by_nvme", || {
            bad_page(["--uefi", "--disk-bus", "nvme"], "/dev/nvme0n1")
        }),
        trial("a_volume_whose_own_block_cannot_be_written", bad_books),
        trial("a_disk_that_writes_nothing_by_virtio", || {
            bad_disk(["--checked", "--disk-bus", "virtio"], "/dev/vda")
        }),
        trial("a_disk_that_writes_nothing_by_nvme", || {
            bad_disk(["--checked", "--disk-bus", "nvme"], "/dev/nvme0n1")
        }),
        trial("a_page_that_cannot_be_read", unreadable_page),
        trial("a_bad_page_among_more_than_memory_takes", bad_page_of_many),
    ]
}

/// A volume with two files of the same pages.
struct Image(TempDir);

impl Image {
    fn new() -> Result<Self> {
        let image = Self(tempfile::tempdir()?);
        let tree = image.0.path().join("tree");
        fs::create_dir(&tree)?;
        for name in ["victim", "other"] {
            fs::write(tree.join(name), [7; PAGES * PAGE])?;
        }
        let mut make = e2fs("mke2fs");
        make.args(["-q", "-t", "ext2", "-b", "4096", "-d"]);
        perform(make.arg(tree).arg(image.file()).arg("32M"))?;
        Ok(image)
    }

    fn file(&self) -> String {
        self.0.path().join("volume.img").display().to_string()
    }

    /// What debugfs answers to a request.
    fn ask(&self, request: &str) -> Result<String> {
        let output = e2fs("debugfs")
            .args(["-R", request])
            .arg(self.file())
            .output()?;
        Ok(String::from_utf8(output.stdout)?)
    }

    /// A sector of page 2 of the victim.
    fn bad_page(&self) -> Result<String> {
        sector_in(self.ask("bmap victim 2")?.trim())
    }

    /// A sector of the block that has the victim's inode.
    fn bad_inode(&self) -> Result<String> {
        let said = self.ask("imap victim")?;
        let block = said.split("located at block ").nth(1);
        let block = block.and_then(|rest| rest.split(',').next());
        sector_in(block.context("debugfs does not say where it is")?)
    }

    fn boot(&self, options: &[&str], device: &str, what: &str) -> Result<Booted> {
        let image = self.file();
        let words = ["--disk-write", &image];
        let words = words.into_iter().chain(options.iter().copied());
        let words = words.chain(["--", "io_errors", device, what]);
        Run::boot(words)?.end(Input::Nothing)
    }

    fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        let copy = self.0.path().join("copy");
        perform(
            e2fs("debugfs")
                .args(["-R", &format!("dump {name} {}", copy.display())])
                .arg(self.file()),
        )?;
        Ok(fs::read(copy)?)
    }

    /// The first byte of each page of a file, and that which all others are.
    fn pages(&self, name: &str) -> Result<Vec<(u8, u8)>> {
        let bytes = self.bytes(name)?;
        let same = |page: &[u8]| page.iter().skip(1).all(|byte| *byte == page[1]);
        ensure!(bytes.chunks(PAGE).all(same), "{name}: pages are torn");
        let pages = bytes.chunks(PAGE).map(|page| (page[0], page[1]));
        Ok(pages.collect())
    }

    fn check(&self) -> Result<()> {
        let mut check: Command = e2fs("e2fsck");
        perform(check.arg("-fn").arg(self.file()))
    }
}

/// The fourth sector of a block.
fn sector_in(block: &str) -> Result<String> {
    let block: u64 = block
        .parse()
        .with_context(|| format!("{block:?} is no block"))?;
    Ok((block * 8 + 3).to_string())
}

fn expect(booted: &Booted, expected: &str) -> Result<()> {
    booted.expect_code(0)?;
    match transcript::difference(expected.as_bytes(), &booted.ended.output) {
        Some(difference) => bail!("{difference}{}", booted.report()),
        None => Ok(()),
    }
}

fn bad_page(machine: [&str; 3], device: &str) -> Result<()> {
    let image = Image::new()?;
    let sector = image.bad_page()?;
    let options = [&machine[..], &["--bad-write-sector", &sector]].concat();
    let booted = image.boot(&options, device, "data")?;
    expect(&booted, include_str!("io_errors_data.txt"))?;
    image.check()?;
    let (victim, other) = (image.pages("victim")?, image.pages("other")?);
    ensure!(other == [(1, 1); PAGES], "the other file has {other:?}");
    let expected = [(1, 1), (3, 3), (7, 7), (2, 1), (4, 1)];
    ensure!(victim == expected, "the victim has {victim:?}");
    Ok(())
}

fn bad_books() -> Result<()> {
    let image = Image::new()?;
    let sector = image.bad_inode()?;
    let options = ["--checked", "--bad-write-sector", &sector];
    let booted = image.boot(&options, "/dev/vda", "books")?;
    expect(&booted, include_str!("io_errors_books.txt"))?;
    // That it was not left in order is on the disk.
    let said = image.ask("show_super_stats -h")?;
    ensure!(said.contains("not clean"), "{said}");
    ensure!(
        image.pages("other")?.len() == PAGES,
        "the other file is lost"
    );
    Ok(())
}

fn bad_disk(machine: [&str; 3], device: &str) -> Result<()> {
    let image = Image::new()?;
    let before = fs::read(image.file())?;
    let options = [
        &machine[..],
        &["--memory", "64M", "--bad-write-sector", "all"],
    ]
    .concat();
    let booted = image.boot(&options, device, "all")?;
    expect(&booted, include_str!("io_errors_all.txt"))?;
    ensure!(fs::read(image.file())? == before, "something was written");
    Ok(())
}

fn unreadable_page() -> Result<()> {
    let image = Image::new()?;
    let sector = image.bad_page()?;
    let booted = image.boot(&["--checked", "--bad-sector", &sector], "/dev/vda", "read")?;
    expect(&booted, include_str!("io_errors_read.txt"))?;
    image.check()
}

/// The file fills the volume from its beginning on, over the bad block.
fn bad_page_of_many() -> Result<()> {
    const BAD: &str = "5000";
    let image = Image::new()?;
    let sector = sector_in(BAD)?;
    let options = ["--checked", "--memory", "64M", "--slow-disk", "200"];
    let options = [&options[..], &["--bad-write-sector", &sector]].concat();
    let booted = image.boot(&options, "/dev/vda", "full")?;
    expect(&booted, include_str!("io_errors_full.txt"))?;
    image.check()?;
    let bytes = image.bytes("large")?;
    let is_right =
        |(number, page): &(usize, &[u8])| page.iter().all(|&byte| byte == (number % 251) as u8);
    let wrong: Vec<_> = bytes
        .chunks(PAGE)
        .enumerate()
        .filter(|page| !is_right(page))
        .collect();
    ensure!(
        wrong.len() == 1,
        "{} pages are lost\n{}",
        wrong.len(),
        booted.report()
    );
    let block = image.ask(&format!("bmap large {}", wrong[0].0))?;
    ensure!(block.trim() == BAD, "what is lost was in block {block}");
    Ok(())
}
