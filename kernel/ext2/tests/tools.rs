//! e2fsprogs: who makes the images, and who judges them.
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use libtest_mimic::Failed;

/// Where Debian has them, which need not be in an ordinary user's PATH.
const FOLDERS: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/bin"];

/// What is missing, if anything.
pub(crate) fn missing() -> Option<&'static str> {
    let tools = ["mke2fs", "e2fsck", "debugfs"];
    let found = tools.iter().all(|tool| tool_path(tool).is_some());
    (!found).then_some("e2fsprogs is not installed: boot/setup.sh installs it")
}

fn tool_path(tool: &str) -> Option<String> {
    let paths = FOLDERS.iter().map(|folder| format!("{folder}/{tool}"));
    paths.into_iter().find(|path| Path::new(path).exists())
}

fn tool(name: &str) -> Command {
    let mut command = Command::new(tool_path(name).unwrap_or(name.into()));
    command.env("MKE2FS_CONFIG", "/dev/null").env("LC_ALL", "C");
    command
}

/// A kind of volume.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    pub(crate) block_size: u32,
    pub(crate) revision: u32,
    /// What else mke2fs is told.
    pub(crate) options: &'static [&'static str],
    pub(crate) kilobytes: u64,
}

impl Format {
    /// Whether ext4-view can read it: entries must have types, descriptors lie together.
    pub(crate) fn suits_others(self) -> bool {
        self.revision > 0 && !self.options.concat().contains("meta_bg")
    }
}

/// The kinds that the tests use: each block size, both revisions, large inodes, groups of their own descriptors, indexed
/// folders.
pub(crate) const FORMATS: [Format; 6] = [
    Format {
        block_size: 1024,
        revision: 1,
        options: &["-O", "none,filetype,sparse_super,large_file"],
        kilobytes: 6000,
    },
    Format {
        block_size: 2048,
        revision: 1,
        options: &["-I", "256"],
        kilobytes: 8192,
    },
    Format {
        block_size: 4096,
        revision: 1,
        options: &[],
        kilobytes: 12288,
    },
    Format {
        block_size: 1024,
        revision: 0,
        options: &["-I", "128"],
        kilobytes: 4096,
    },
    Format {
        block_size: 1024,
        revision: 1,
        options: &["-g", "1024", "-I", "128", "-O", "^resize_inode,ext_attr"],
        kilobytes: 5001,
    },
    Format {
        block_size: 1024,
        revision: 1,
        options: &["-g", "512", "-O", "none,filetype,meta_bg"],
        kilobytes: 5000,
    },
];

/// A small one, for what is done to it thousands of times.
pub(crate) const SMALL: Format = Format {
    block_size: 1024,
    revision: 1,
    options: &["-g", "512", "-I", "128", "-N", "128"],
    kilobytes: 1500,
};

/// The same with large blocks.
pub(crate) const SMALL_LARGE_BLOCKS: Format = Format {
    block_size: 4096,
    revision: 1,
    options: &["-N", "128"],
    kilobytes: 2000,
};

/// A new volume of that kind, with what is in `root`.
pub(crate) fn make(format: Format, root: Option<&Path>) -> Result<Vec<u8>, Failed> {
    let folder = folder()?;
    let path = folder.path().join("image");
    let mut command = tool("mke2fs");
    command.args(["-q", "-F", "-t", "ext2", "-E", "root_owner=0:0"]);
    command.args([
        "-b",
        &format.block_size.to_string(),
        "-r",
        &format.revision.to_string(),
    ]);
    command.args(format.options);
    if let Some(root) = root {
        command.arg("-d").arg(root);
    }
    command.arg(&path).arg(format!("{}k", format.kilobytes));
    expect_success(&command.output()?, "mke2fs")?;
    Ok(fs::read(path)?)
}

/// A folder for an image: in memory if possible, since e2fsck syncs.
fn folder() -> std::io::Result<tempfile::TempDir> {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())
}

fn expect_success(output: &Output, what: &str) -> Result<(), Failed> {
    if output.status.success() {
        return Ok(());
    }
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    Err(format!("{what}: {}\n{out}{err}", output.status).into())
}

/// e2fsck must find nothing.
pub(crate) fn check(bytes: &[u8]) -> Result<(), Failed> {
    let folder = folder()?;
    let path = folder.path().join("image");
    fs::write(&path, bytes)?;
    let output = tool("e2fsck").arg("-fn").arg(&path).output()?;
    let words = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && !words.contains("? no") {
        return Ok(());
    }
    Err(format!("e2fsck -fn: {}\n{words}", output.status).into())
}

/// What e2fsck makes of a volume, and whether it found something to repair.
pub(crate) fn repair(bytes: &[u8]) -> Result<(Vec<u8>, String), Failed> {
    let folder = folder()?;
    let path = folder.path().join("image");
    fs::write(&path, bytes)?;
    let output = tool("e2fsck").arg("-fy").arg(&path).output()?;
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.code() {
        Some(0 | 1) => Ok((fs::read(path)?, words)),
        _ => Err(format!("e2fsck -fy: {}\n{words}", output.status).into()),
    }
}

/// What debugfs answers to `request`.
pub(crate) fn debugfs(bytes: &[u8], request: &str) -> Result<String, Failed> {
    let folder = folder()?;
    let path = folder.path().join("image");
    fs::write(&path, bytes)?;
    let output = tool("debugfs").args(["-R", request]).arg(&path).output()?;
    expect_success(&output, "debugfs")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The volume after debugfs did what it was asked to.
pub(crate) fn edit(bytes: &[u8], request: &str) -> Result<Vec<u8>, Failed> {
    let folder = folder()?;
    let path = folder.path().join("image");
    fs::write(&path, bytes)?;
    let output = tool("debugfs")
        .args(["-w", "-R", request])
        .arg(&path)
        .output()?;
    expect_success(&output, "debugfs -w")?;
    Ok(fs::read(path)?)
}

/// The volume with an index in each large folder.
pub(crate) fn index_folders(bytes: &[u8]) -> Result<Vec<u8>, Failed> {
    let bytes = edit(bytes, "feature dir_index")?;
    let folder = folder()?;
    let path = folder.path().join("image");
    fs::write(&path, bytes)?;
    let output = tool("e2fsck").arg("-fyD").arg(&path).output()?;
    match output.status.code() {
        Some(0 | 1) => Ok(fs::read(path)?),
        _ => Err(format!("e2fsck -fyD: {}", output.status).into()),
    }
}

/// The bytes of files, by inode, as debugfs reads them.
pub(crate) fn dump(
    bytes: &[u8],
    numbers: impl Iterator<Item = u32> + Clone,
) -> Result<Vec<(u32, Vec<u8>)>, Failed> {
    let folder = folder()?;
    let (path, script) = (folder.path().join("image"), folder.path().join("script"));
    let place = |number: u32| folder.path().join(number.to_string());
    let lines = numbers
        .clone()
        .map(|number| format!("dump <{number}> {}\n", place(number).display()));
    fs::write(&script, lines.collect::<String>())?;
    fs::write(&path, bytes)?;
    let output = tool("debugfs").arg("-f").arg(&script).arg(&path).output()?;
    expect_success(&output, "debugfs")?;
    let read = numbers.map(|number| Ok((number, fs::read(place(number))?)));
    read.collect()
}
