//! The command behind `cargo run`, as the tests use it: built once, then run without calling cargo again, each time in a
//! world of its own whose leftovers would show.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::run::{self, Ended, Input};

/// How long a machine may run, in seconds; the slowest program takes a fraction of it.
const LIMIT: &str = "120";

/// After that the tool itself must have hung.
pub const LATEST: Duration = Duration::from_secs(180);

/// How much of the kernel's log a failure shows.
const TAIL: usize = 40;

static TOOL: OnceLock<Tool> = OnceLock::new();

#[derive(Debug)]
struct Tool {
    boot: PathBuf,
    programs: PathBuf,
}

/// Builds the tool, both kernels and the programs, and says so.
pub fn prepare() -> Result<()> {
    eprintln!(
        "Building boot, two kernels and the programs first; from nothing that takes some minutes."
    );
    let boot = build_boot()?;
    let programs = build_images(&boot, &["build"])?;
    build_images(&boot, &["build", "--checked"])?;
    TOOL.set(Tool { boot, programs })
        .map_err(|_| anyhow!("the tool is built already"))
}

fn tool() -> Result<&'static Tool> {
    TOOL.get().context("the tool is not built")
}

/// A program's ELF file, the very one that is in the image.
pub fn program(name: &str) -> Result<PathBuf> {
    Ok(tool()?.programs.join(name))
}

/// A run of the tool, with a folder for its temporary files that must be empty again afterwards.
pub struct Run {
    command: Command,
    folder: TempDir,
}

impl Run {
    /// `boot ARGUMENTS`, as a user would type it.
    pub fn new<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> Result<Self> {
        let folder = TempDir::new().context("cannot make a temporary folder")?;
        let scratch = scratch(&folder);
        fs::create_dir(&scratch)?;
        let mut command = Command::new(&tool()?.boot);
        command.args(arguments).env("TMPDIR", scratch);
        Ok(Self { command, folder })
    }

    /// A boot that uses what `prepare` built, logs to a file and cannot last for ever; then `ARGUMENTS`.
    pub fn boot<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> Result<Self> {
        let mut run = Self::stick(["--no-build"])?;
        run.command.args(arguments);
        Ok(run)
    }

    /// The same for a machine that boots what `ARGUMENTS` name, such as a stick.
    pub fn stick<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> Result<Self> {
        let mut run = Self::new(["run", "--timeout", LIMIT, "--log"])?;
        let log = run.log_file();
        run.command.arg(log).args(arguments);
        Ok(run)
    }

    pub fn end(self, input: Input) -> Result<Booted> {
        let log_file = self.log_file();
        let Self { command, folder } = self;
        let ended = run::apart(command, input, LATEST)?;
        let log = fs::read(&log_file).unwrap_or_default();
        ensure_empty(&scratch(&folder))?;
        Ok(Booted {
            ended,
            log: String::from_utf8_lossy(&log).into_owned(),
        })
    }

    /// The command, to be run in another way, and the folder that must outlive it.
    pub fn into_parts(self) -> (Command, TempDir) {
        (self.command, self.folder)
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

/// Where the tool keeps its temporary files; a comma separates options in QEMU's words, and a space words in gdb's.
pub fn scratch(folder: &TempDir) -> PathBuf {
    folder.path().join("scratch, of a run")
}

/// What the tool leaves in its temporary folder is a leak.
pub fn ensure_empty(scratch: &Path) -> Result<()> {
    let left: Vec<_> = fs::read_dir(scratch)?
        .filter_map(|entry| Some(entry.ok()?.file_name()))
        .collect();
    ensure!(
        left.is_empty(),
        "the tool left temporary files behind: {left:?}"
    );
    Ok(())
}

/// A run that has ended.
#[derive(Debug)]
pub struct Booted {
    pub ended: Ended,
    pub log: String,
}

impl Booted {
    /// Fails unless the exit code is the expected one.
    pub fn expect_code(&self, code: i32) -> Result<()> {
        ensure!(
            self.ended.code == code,
            "the exit code is {}, not {code}\n{}",
            self.ended.code,
            self.report()
        );
        Ok(())
    }

    /// Fails unless the program ended as it did on Linux, and printed the same.
    pub fn expect_same(&self, linux: &Ended) -> Result<()> {
        self.expect_code(linux.code)?;
        let text = String::from_utf8_lossy(&self.ended.output);
        ensure!(
            self.ended.output == linux.output,
            "it printed {text:?}\n{}",
            self.report()
        );
        Ok(())
    }

    /// Fails unless the tool's own sentence holds these words.
    pub fn expect_words(&self, words: &[&str]) -> Result<()> {
        for word in words {
            ensure!(
                self.ended.errors.contains(word),
                "`{word}` is not said\n{}",
                self.report()
            );
        }
        Ok(())
    }

    /// What a person needs to see of a failed run.
    pub fn report(&self) -> String {
        let lines: Vec<_> = self.log.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        format!(
            "--- the tool says\n{}--- the kernel's log ends with\n{tail}\n---",
            self.ended.errors
        )
    }
}

/// Builds the tool exactly as `cargo run` does, so that nothing is built twice, and asks cargo where it is.
fn build_boot() -> Result<PathBuf> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args([
        "build",
        "--bin",
        "boot",
        "--message-format=json-render-diagnostics",
    ]);
    if env::var_os("CI").is_some_and(|ci| ci == "true") {
        command.arg("--locked");
    }
    let output = command
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    ensure!(output.status.success(), "boot does not build");
    let messages = String::from_utf8_lossy(&output.stdout);
    let artifacts = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut paths = artifacts.filter(|message| message["target"]["name"] == "boot");
    let path = paths.find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)));
    path.context("cargo does not say where boot is")
}

/// Runs `boot build` and says in which folder the programs are.
fn build_images(boot: &Path, arguments: &[&str]) -> Result<PathBuf> {
    let output = Command::new(boot)
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start boot")?;
    if !output.status.success() {
        bail!("the kernel or the programs do not build");
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let first = text
        .lines()
        .next()
        .and_then(|line| Path::new(line).parent());
    first.map(Path::to_owned).context("there are no programs")
}

/// The workspace's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
