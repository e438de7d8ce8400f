//! Calls cargo for the two bare targets. Each has a target folder of its own, so that the cargo that runs us and the one
//! that we run neither wait for each other nor throw each other's work away.

use std::env;
use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::Signal;
use serde_json::Value;

use crate::children;
use crate::progress::{Step, Voice};

/// Which kernel: the one to run, or the one with every debug assertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavour {
    Release,
    Checked,
}

impl Flavour {
    /// The name of its cargo profile, and of its files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Release => "kernel",
            Self::Checked => "checked",
        }
    }
}

/// What cargo builds for a bare target.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Package {
    Kernel(Flavour),
    Programs,
}

impl Package {
    fn name(self) -> &'static str {
        match self {
            Self::Kernel(_) => "kernel",
            Self::Programs => "programs",
        }
    }

    fn target(self) -> &'static str {
        match self {
            Self::Kernel(_) => "x86_64-unknown-none",
            Self::Programs => "x86_64-unknown-linux-none",
        }
    }

    fn profile(self) -> &'static str {
        match self {
            Self::Kernel(flavour) => flavour.name(),
            Self::Programs => "programs",
        }
    }

    fn folder(self) -> PathBuf {
        target_folder().join(match self {
            Self::Kernel(_) => "kernel",
            Self::Programs => "userspace",
        })
    }

    fn title(self) -> &'static str {
        match self {
            Self::Kernel(Flavour::Release) => "the kernel",
            Self::Kernel(Flavour::Checked) => "the checked kernel",
            Self::Programs => "the programs",
        }
    }
}

/// The workspace's root.
pub(crate) fn root() -> &'static Path {
    let boot = Path::new(env!("CARGO_MANIFEST_DIR"));
    boot.parent().unwrap_or(boot)
}

/// Where everything that can be built again lives.
pub(crate) fn target_folder() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => env::current_dir().unwrap_or_default().join(folder),
        None => root().join("target"),
    }
}

/// Where cargo leaves a ring-3 program, with its symbols.
pub(crate) fn program_with_symbols(name: &str) -> PathBuf {
    let package = Package::Programs;
    let folder = package.folder().join(package.target());
    folder.join(package.profile()).join(name)
}

/// An executable as cargo left it: name and path.
pub(crate) type Executable = (String, PathBuf);

/// Builds a package and says which executables belong to it.
pub(crate) fn build(package: Package, voice: Voice) -> Result<Vec<Executable>> {
    let step = voice.step(&format!(
        "building {} (the first time takes a minute or two)",
        package.title()
    ));
    let mut command = command("build", package);
    command.args(["--bins"]);
    let executables = run(command, &step).with_context(|| {
        format!(
            "{} cannot be built, see cargo's report above",
            package.title()
        )
    })?;
    step.finish();
    Ok(executables)
}

/// Runs clippy on a package, warnings denied.
pub(crate) fn lint(package: Package, voice: Voice) -> Result<()> {
    let step = voice.step(&format!("checking {} with clippy", package.title()));
    let mut command = command("clippy", package);
    command.args(["--", "-Dwarnings"]);
    run(command, &step).with_context(|| format!("clippy finds fault with {}", package.title()))?;
    step.finish();
    Ok(())
}

fn command(verb: &str, package: Package) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).arg(verb);
    command.args([
        "--package",
        package.name(),
        "--profile",
        package.profile(),
        "--target",
        package.target(),
    ]);
    command.args([
        "-Zbuild-std=core,alloc,compiler_builtins",
        "-Zbuild-std-features=compiler-builtins-mem",
    ]);
    command.arg("--target-dir").arg(package.folder());
    let rendering = if std::io::stderr().is_terminal() {
        "json-diagnostic-rendered-ansi"
    } else {
        "json"
    };
    command.arg(format!("--message-format={rendering}"));
    if env::var_os("CI").is_some_and(|ci| ci == "true") {
        command.arg("--locked");
    }
    // A user's RUSTFLAGS are meant for the host, and they would replace the flags that these targets cannot do without.
    command
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    command.env("RUSTC_BOOTSTRAP", "1");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs cargo: status lines feed the step, diagnostics are printed, executables are collected.
fn run(mut command: Command, step: &Step) -> Result<Vec<Executable>> {
    children::end_with_us(&mut command, Signal::TERM);
    let mut child = command
        .spawn()
        .context("cannot start cargo: install Rust from https://rustup.rs")?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        bail!("cargo's output is not piped");
    };
    let status_step = step.clone();
    let status_lines = thread::spawn(move || follow_status(stderr, &status_step));
    let mut executables = Vec::new();
    for line in BufReader::new(stdout).lines() {
        match serde_json::from_str(&line.context("cargo's output broke off")?) {
            Ok(message) => read_message(&message, step, &mut executables),
            Err(_) => continue,
        }
    }
    let status = child.wait().context("cargo is lost")?;
    let tail = status_lines.join().unwrap_or_default();
    if status.success() {
        return Ok(executables);
    }
    step.finish();
    step.print(&tail);
    Err(anyhow!("cargo ended with {status}"))
}

/// Shows each status line in the step; what is no status line ("   Compiling ...") is kept as the report of a failure.
fn follow_status(stderr: impl Read, step: &Step) -> String {
    let mut report = String::new();
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        step.detail(&line);
        let is_status = [
            "Compiling",
            "Checking",
            "Downloaded",
            "Downloading",
            "Fresh",
            "Locking",
            "Updating",
            "Adding",
        ]
        .iter()
        .any(|verb| line.trim_start().starts_with(verb));
        if !is_status {
            report.push_str(&line);
            report.push('\n');
        }
    }
    report
}

fn read_message(message: &Value, step: &Step, executables: &mut Vec<Executable>) {
    match message["reason"].as_str() {
        Some("compiler-message") => {
            step.print(message["message"]["rendered"].as_str().unwrap_or_default())
        }
        Some("compiler-artifact") => {
            if let (Some(name), Some(path)) = (
                message["target"]["name"].as_str(),
                message["executable"].as_str(),
            ) {
                executables.push((name.to_owned(), PathBuf::from(path)));
            }
        }
        _ => {}
    }
}
