//! Runs many programs on both sides, a child each, one boot for all, and says which of them differ.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use tempfile::{Builder, TempDir};
use test_programs::run::{self, Input};
use test_programs::tool::{self, Booted, LATEST, Run};

use crate::privilege::MEMORY_FOLDER;
use crate::program::Program;

/// How much a program's log says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Detail {
    /// A number for each process.
    Digest,
    /// Every line.
    Full,
}

/// Which kernel is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kernel {
    Release,
    /// With every debug assertion.
    Checked,
}

/// A program's two logs.
#[derive(Debug)]
pub(crate) struct Logs {
    /// Which program of the batch.
    pub(crate) index: usize,
    pub(crate) linux: String,
    pub(crate) kernel: String,
}

/// What came of a batch.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Of the programs that came to an end on both sides, in their order.
    pub(crate) logs: Vec<Logs>,
    /// The end of the kernel's log, where the machine did not end as it should.
    pub(crate) trouble: Option<String>,
}

impl Logs {
    pub(crate) fn differ(&self) -> bool {
        self.linux != self.kernel
    }
}

impl Outcome {
    /// What differs.
    pub(crate) fn differences(&self) -> Vec<&Logs> {
        self.logs.iter().filter(|logs| logs.differ()).collect()
    }
}

/// Compares all of `programs`. Where the machine dies, the first program without an end counts as different, and those
/// behind it as equal: nobody knows.
pub(crate) fn compare(programs: &[Program], detail: Detail, kernel: Kernel) -> Result<Outcome> {
    let folder = tempfile::tempdir()?;
    write(&folder, programs, detail)?;
    let linux = on_linux(folder.path())?;
    let linux = parts(&linux);
    ensure!(
        linux.len() == programs.len(),
        "on Linux the interpreter ended after {} of {} programs",
        linux.len(),
        programs.len()
    );
    let booted = in_qemu(folder.path(), kernel)?;
    let trouble = (booted.ended.code != 0).then(|| booted.report());
    let output = String::from_utf8_lossy(&booted.ended.output);
    let mut kernel = parts(&output);
    if kernel.len() < linux.len() {
        let complete: usize = kernel.iter().map(|part| part.len()).sum();
        kernel.push(&output[complete..]);
    }
    let pairs = linux.iter().zip(&kernel).enumerate();
    let logs = pairs.map(|(index, (linux, kernel))| Logs {
        index,
        linux: (*linux).to_owned(),
        kernel: (*kernel).to_owned(),
    });
    let logs = logs.collect();
    Ok(Outcome { logs, trouble })
}

/// The files of a run: the programs, and the data that they map, whose words all differ.
fn write(folder: &TempDir, programs: &[Program], detail: Detail) -> Result<()> {
    const DATA: u32 = 3 * 4096 + 100;
    let texts = programs.iter().enumerate();
    let batch: String = texts
        .map(|(index, program)| program.text(index, detail == Detail::Full))
        .collect();
    fs::write(folder.path().join("batch"), batch)?;
    let data: Vec<u8> = (0..DATA)
        .map(|at| (at * 131 + 7 * (at >> 8) + 1) as u8)
        .collect();
    fs::write(folder.path().join("data"), data)?;
    Ok(())
}

fn on_linux(folder: &Path) -> Result<String> {
    let scratch = Builder::new().tempdir_in(MEMORY_FOLDER)?;
    let given = ["batch", "data"].map(|name| folder.join(name));
    let mut command = Command::new(tool::program("oracle")?);
    command.args(given).arg(scratch.path()).current_dir("/");
    let ended = run::apart(command, Input::Nothing, LATEST)?;
    ensure!(
        ended.code == 0,
        "on Linux the interpreter ended with {}: {}",
        ended.code,
        ended.errors
    );
    Ok(String::from_utf8_lossy(&ended.output).into_owned())
}

fn in_qemu(folder: &Path, kernel: Kernel) -> Result<Booted> {
    let add = format!("{}:/given", folder.display());
    let mut words = vec!["--quiet", "--add", &add];
    if kernel == Kernel::Checked {
        words.push("--checked");
    }
    words.extend(["--", "oracle", "/given/batch", "/given/data", "/scratch"]);
    Run::boot(words)?.end(Input::Nothing)
}

/// The logs of the programs that came to an end, which a line `P NUMBER END` says.
fn parts(output: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in output.split_inclusive('\n') {
        at += line.len();
        if line.starts_with("P ") && line.ends_with('\n') {
            parts.push(&output[start..at]);
            start = at;
        }
    }
    parts
}
