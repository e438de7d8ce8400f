//! A machine that works through a plan on a disk of its own, and says what it was promised.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::STEPS;
use super::chance::Chance;
use crate::e2fs::{e2fs, perform};
use crate::run::{Input, Running};
use crate::tool::Run;

/// Bytes of the disk.
const SIZE: usize = 3 << 20;

/// A machine with a disk.
#[derive(Clone, Copy)]
pub(super) struct Machine {
    pub(super) option: &'static str,
    pub(super) bus: &'static str,
    pub(super) device: &'static str,
    pub(super) block_size: u32,
}

pub(super) const VIRTIO: Machine = Machine {
    option: "--checked",
    bus: "virtio",
    device: "/dev/vda",
    block_size: 1024,
};

pub(super) const NVME: Machine = Machine {
    option: "--uefi",
    bus: "nvme",
    device: "/dev/nvme0n1",
    block_size: 4096,
};

pub(super) const MIDDLING: Machine = Machine {
    block_size: 2048,
    ..VIRTIO
};

/// A folder in memory, where the workstation has such: e2fsck waits for a disk.
pub(super) fn memory_folder() -> Result<TempDir> {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .context("cannot make a temporary folder")
}

/// A new volume, whose free blocks are full of what e2fsck would take for pointers: nothing is zero by chance.
pub(super) fn format(image: &Path, block_size: u32) -> Result<Vec<u8>> {
    let mut chance = Chance(0);
    let words = (0..SIZE / 4).map(|_| chance.below(4000) as u32);
    fs::write(image, words.flat_map(u32::to_le_bytes).collect::<Vec<_>>())?;
    let mut make = e2fs("mke2fs");
    let size = block_size.to_string();
    perform(
        make.args(["-q", "-F", "-t", "ext2", "-E", "nodiscard", "-b", &size])
            .arg(image),
    )?;
    Ok(fs::read(image)?)
}

/// A machine at work.
pub(super) struct Started {
    pub(super) running: Running,
    lines: BufReader<ChildStdout>,
    answers: ChildStdin,
    _folder: TempDir,
}

impl Started {
    pub(super) fn new(
        machine: Machine,
        seed: u64,
        image: &Path,
        options: &[String],
    ) -> Result<Self> {
        let image = image.to_str().context("a path is not UTF-8")?;
        let (seed, steps) = (seed.to_string(), STEPS.to_string());
        let words = [
            machine.option,
            "--disk-bus",
            machine.bus,
            "--disk-write",
            image,
        ];
        let words = words.into_iter().chain(options.iter().map(String::as_str));
        let words = words.chain(["--", "cuts", &seed, &steps, machine.device]);
        let (mut command, folder) = Run::boot(words)?.into_parts();
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut running = Running::start(command, Input::Silence)?;
        let lines = running.child.stdout.take().context("it has no output")?;
        let answers = running.child.stdin.take().context("it has no input")?;
        Ok(Self {
            running,
            lines: BufReader::new(lines),
            answers,
            _folder: folder,
        })
    }

    /// The step whose end it says next; `None` where it is through.
    pub(super) fn promise(&mut self) -> Result<Option<u32>> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        match line.trim() {
            "all" => Ok(None),
            number => Ok(Some(number.parse().with_context(|| format!("{line:?}"))?)),
        }
    }

    /// Kills QEMU, which the tool started, and waits for the tool's own end.
    pub(super) fn kill(&mut self) -> Result<()> {
        let tool = self.running.child.id();
        let children = fs::read_to_string(format!("/proc/{tool}/task/{tool}/children"))?;
        let is_qemu = |id: &&str| {
            let name = fs::read_to_string(format!("/proc/{id}/comm"));
            name.is_ok_and(|name| name.starts_with("qemu"))
        };
        let qemu = children.split_whitespace().find(is_qemu);
        let qemu = qemu.context("the tool has no QEMU")?;
        perform(Command::new("kill").args(["-KILL", qemu]))?;
        self.running.child.wait()?;
        Ok(())
    }

    pub(super) fn go_on(&mut self) -> Result<()> {
        self.answers.write_all(b"\n").context("it does not listen")
    }
}
