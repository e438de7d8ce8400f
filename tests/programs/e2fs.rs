//! e2fsprogs: who makes volumes on the workstation, and who judges those that the kernel wrote.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Where Debian has e2fsprogs, which need not be in an ordinary user's PATH.
const FOLDERS: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/bin"];

fn e2fs_path(tool: &str) -> Option<PathBuf> {
    let paths = FOLDERS.iter().map(|folder| Path::new(folder).join(tool));
    paths.into_iter().find(|path| path.exists())
}

/// A tool of e2fsprogs.
pub(crate) fn e2fs(tool: &str) -> Command {
    Command::new(e2fs_path(tool).unwrap_or_else(|| tool.into()))
}

/// Why these trials can't be tried here, if they can't.
pub(crate) fn missing() -> Option<&'static str> {
    let found = ["mke2fs", "e2fsck", "debugfs"].map(e2fs_path);
    (!found.iter().all(Option::is_some))
        .then_some("e2fsprogs is not installed: boot/setup.sh installs it")
}

/// Runs a program of the host that must succeed.
pub(crate) fn perform(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("{command:?} can't be run"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{command:?} fails:\n{said}{complained}"
    );
    Ok(())
}
