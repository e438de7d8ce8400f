//! A machine's work as its disk saw it: from its log the disk is made again as it was at any moment, or as a disk with a
//! cache of its own may have left it.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use tempfile::TempDir;

use super::chance::Chance;
use super::log::{self, Record};
use super::machine::{Machine, Started, format, memory_folder};
use crate::tool::LATEST;

/// Bytes that a disk writes as one.
const SECTOR: usize = 512;

/// What of a log the medium has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// All that was written.
    Nothing,
    /// All up to the last flush, and any part of the rest.
    Unflushed,
}

/// A disk, and what became of it.
pub(super) struct Recording {
    folder: TempDir,
    /// The disk before.
    bytes: Vec<u8>,
    pub(super) records: Vec<Record>,
    /// How long the log was at each promise, and which step made it.
    pub(super) promises: Vec<(u32, u64)>,
}

impl Recording {
    pub(super) fn image(&self) -> PathBuf {
        self.folder.path().join("volume.img")
    }

    /// Has a machine work through the plan of `seed`.
    pub(super) fn make(machine: Machine, seed: u64) -> Result<Self> {
        let mut recording = Self {
            folder: memory_folder()?,
            bytes: Vec::new(),
            records: Vec::new(),
            promises: Vec::new(),
        };
        let image = recording.image();
        let log = recording.folder.path().join("log");
        recording.bytes = format(&image, machine.block_size)?;
        fs::write(&log, [])?;
        let words = ["--write-log", &log.to_string_lossy()].map(str::to_owned);
        let mut started = Started::new(machine, seed, &image, &words)?;
        while let Some(number) = started.promise()? {
            recording.promises.push((number, fs::metadata(&log)?.len()));
            started.go_on()?;
        }
        let code = started.running.wait(LATEST)?;
        ensure!(code == 0, "the exit code is {code}");
        recording.records = log::parse(&fs::read(&log)?)?;
        Ok(recording)
    }

    /// The disk with the first `cut` records.
    pub(super) fn disk(&self, cut: usize, loss: Loss, chance: &mut Chance) -> Vec<u8> {
        let records = &self.records[..cut];
        let is_flush = |record: &Record| matches!(record.command, log::Command::Flush);
        let certain = match loss {
            Loss::Nothing => cut,
            Loss::Unflushed => records.iter().rposition(is_flush).unwrap_or(0),
        };
        let mut disk = self.bytes.clone();
        // All of it, none of it, and anything in between are each worth a look.
        let kept = chance.below(5);
        for (index, record) in records.iter().enumerate() {
            let log::Command::Write { at, bytes } = &record.command else {
                continue;
            };
            for (place, sector) in (*at..).step_by(SECTOR).zip(bytes.chunks(SECTOR)) {
                if index < certain || chance.below(4) < kept {
                    disk[place..place + sector.len()].copy_from_slice(sector);
                }
            }
        }
        disk
    }
}
