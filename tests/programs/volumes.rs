//! File systems on disks: what the kernel writes e2fsprogs read, and the other way round; over both kinds of disks, with
//! every size of blocks.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use libtest_mimic::Trial;
use tempfile::TempDir;

use crate::e2fs::{e2fs, missing, perform};
use crate::needs;
use crate::run::{self, Input};
use crate::tool::{self, Booted, LATEST, Run};
use crate::transcript;

/// The devices that the kernel finds, by the bus of `--disk-bus`.
const VIRTIO: (&str, &str) = ("virtio", "/dev/vda");
const NVME: (&str, &str) = ("nvme", "/dev/nvme0n1");

pub(crate) fn trials() -> Vec<Trial> {
    let missing = missing();
    let trial = |name: &str, body: fn() -> Result<()>| {
        needs::trial(format!("volume::{name}"), missing, body)
    };
    vec![
        trial("bios_keeps_files_by_virtio", || {
            keeps_files("--checked", VIRTIO, 4096)
        }),
        trial("uefi_keeps_files_by_nvme", || {
            keeps_files("--uefi", NVME, 4096)
        }),
        trial("small_blocks_keep_files", || {
            keeps_files("--checked", NVME, 1024)
        }),
        trial("middling_blocks_keep_files", || {
            keeps_files("--checked", VIRTIO, 2048)
        }),
        trial("what_the_host_wrote_is_read", reads_the_hosts_files),
        trial("a_disk_to_be_read_is_only_read", only_reads),
        trial("stores_of_two_processes_outlive_both", shared_writeback),
        trial("virtio_by_three_ways", || {
            three_ways("--checked", VIRTIO, 4096)
        }),
        trial("nvme_by_three_ways", || three_ways("--uefi", NVME, 1024)),
        trial("virtio_reads_ahead_as_linux", || {
            reads_ahead("--checked", VIRTIO)
        }),
        trial("nvme_reads_ahead_as_linux", || reads_ahead("--uefi", NVME)),
    ]
}

/// Where a program ran on the workstation, and what it printed.
struct Native {
    folder: TempDir,
    printed: Vec<u8>,
}

impl Native {
    fn run(program: &str) -> Result<Self> {
        Self::run_in(program, tempfile::tempdir()?)
    }

    fn run_in(program: &str, folder: TempDir) -> Result<Self> {
        let mut command = Command::new(tool::program(program)?);
        command.arg0(program).current_dir(folder.path());
        let ended = run::together(command, Input::Nothing, LATEST)?;
        ensure!(ended.code == 0, "on Linux {program} fails");
        Ok(Self {
            folder,
            printed: ended.output,
        })
    }

    /// What it printed from the first line on that begins with `start`.
    fn printed_from(&self, start: &str) -> Result<Vec<u8>> {
        let text = String::from_utf8(self.printed.clone())?;
        let place = text.find(&format!("\n{start}")).context("no such line")?;
        Ok(text[place + 1..].into())
    }
}

/// A file with a file system of this block size, which begins as a copy of `tree`.
struct Image {
    folder: TempDir,
}

impl Image {
    fn new(block_size: u32, tree: &Path) -> Result<Self> {
        let image = Self {
            folder: tempfile::tempdir()?,
        };
        let mut command = e2fs("mke2fs");
        command.args(["-q", "-t", "ext2", "-b", &block_size.to_string(), "-d"]);
        perform(command.arg(tree).arg(image.path()).arg("16M"))?;
        Ok(image)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("volume.img")
    }

    /// Boots with it as a disk that may be written.
    fn boot(&self, options: &[&str], program: &[&str]) -> Result<Booted> {
        self.boot_as("--disk-write", options, program)
    }

    fn boot_as(&self, disk: &str, options: &[&str], program: &[&str]) -> Result<Booted> {
        let path = self.path();
        let path = path.to_str().context("a path is not UTF-8")?;
        let words = [disk, path].into_iter().chain(options.iter().copied());
        let words = words.chain(["--"]).chain(program.iter().copied());
        Run::boot(words)?.end(Input::Nothing)
    }

    /// Nothing is wrong with it.
    fn check(&self) -> Result<()> {
        perform(e2fs("e2fsck").arg("-fn").arg(self.path()))
    }

    /// Copies what is below `place` to a folder.
    fn dump(&self, place: &str) -> Result<TempDir> {
        let folder = tempfile::tempdir()?;
        let request = format!("rdump {place} {}", folder.path().display());
        perform(e2fs("debugfs").args(["-R", &request]).arg(self.path()))?;
        Ok(folder)
    }
}

fn expect(booted: &Booted, expected: &[u8]) -> Result<()> {
    booted.expect_code(0)?;
    match transcript::difference(expected, &booted.ended.output) {
        Some(difference) => bail!("{difference}{}", booted.report()),
        None => Ok(()),
    }
}

/// Both have the same entries, with the same bytes.
fn expect_same(one: &Path, other: &Path) -> Result<()> {
    perform(
        Command::new("diff")
            .args(["-r", "--no-dereference"])
            .arg(one)
            .arg(other),
    )
}

/// The kernel writes; e2fsck, debugfs and another boot find what Linux has in memory. What was there before is untouched.
fn keeps_files(option: &str, (bus, device): (&str, &str), block_size: u32) -> Result<()> {
    let native = Native::run("volume_files")?;
    let before = tool::root().join("kernel/abi");
    let image = Image::new(block_size, &before)?;
    let options = [option, "--disk-bus", bus];
    let booted = image.boot(&options, &["volume_files", device])?;
    expect(&booted, &native.printed)?;
    image.check()?;
    let dump = image.dump("/work")?;
    expect_same(
        &native.folder.path().join("work"),
        &dump.path().join("work"),
    )?;
    for name in ["src", "Cargo.toml"] {
        let dump = image.dump(&format!("/{name}"))?;
        expect_same(&before.join(name), &dump.path().join(name))?;
    }
    let again = image.boot(&options, &["volume_files", device, "again"])?;
    expect(&again, &native.printed_from("f000")?)?;
    image.check()
}

fn reads_the_hosts_files() -> Result<()> {
    let native = Native::run("volume_files")?;
    for block_size in [1024, 4096] {
        let image = Image::new(block_size, native.folder.path())?;
        let words = ["volume_files", VIRTIO.1, "again"];
        let booted = image.boot(&["--checked"], &words)?;
        expect(&booted, &native.printed_from("f000")?)?;
        image.check()?;
    }
    Ok(())
}

/// Mounted read-only it is not even written that it was mounted; to mount it otherwise is refused.
fn only_reads() -> Result<()> {
    let image = Image::new(4096, &tool::root().join("kernel/abi"))?;
    let before = fs::read(image.path())?;
    let words = ["mount", "-t", "ext2", "-o", "ro", VIRTIO.1, "/tmp"];
    let booted = image.boot(&["--checked"], &words)?;
    booted.expect_code(0)?;
    let refused = image.boot_as("--disk", &["--checked"], &["volume_files", VIRTIO.1])?;
    let said = String::from_utf8_lossy(&refused.ended.output).into_owned();
    ensure!(said.contains("mount: EACCES"), "{said}");
    ensure!(fs::read(image.path())? == before, "bytes were written");
    Ok(())
}

/// Nobody unmounts the volume: the machine ends, and the bytes are there.
fn shared_writeback() -> Result<()> {
    let native = Native::run("shared_writeback")?;
    let image = Image::new(1024, &tool::root().join("kernel/abi/src"))?;
    let words = ["shared_writeback", VIRTIO.1];
    let booted = image.boot(&["--checked"], &words)?;
    expect(&booted, &native.printed)?;
    image.check()?;
    let again = image.boot(&["--checked"], &["shared_writeback", VIRTIO.1, "again"])?;
    expect(&again, &native.printed_from("all of it")?)
}

/// A run on the workstation beside what is built: temporary files may live in memory, where O_DIRECT takes anything and
/// nothing is read ahead.
fn native_on_disk(program: &str) -> Result<Native> {
    let built = tool::program(program)?;
    let beside = built.parent().context("a program is in a folder")?;
    Native::run_in(program, tempfile::tempdir_in(beside)?)
}

/// Calls, mappings and O_DIRECT agree.
fn three_ways(option: &str, disk: (&str, &str), block_size: u32) -> Result<()> {
    as_on_linux("io_three_ways", option, disk, block_size)
}

/// How far a kernel reads ahead differs; what advice about it does is the same.
fn reads_ahead(option: &str, disk: (&str, &str)) -> Result<()> {
    as_on_linux("readahead", option, disk, 4096)
}

/// The transcripts of a program that needs a disk are equal.
fn as_on_linux(
    program: &str,
    option: &str,
    (bus, device): (&str, &str),
    block_size: u32,
) -> Result<()> {
    let native = native_on_disk(program)?;
    let image = Image::new(block_size, &tool::root().join("kernel/abi/src"))?;
    let options = [option, "--disk-bus", bus];
    let booted = image.boot(&options, &[program, device])?;
    expect(&booted, &native.printed)?;
    image.check()
}
