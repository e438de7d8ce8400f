//! Which disks may be written to: only a whole, removable one that nobody uses. The wrong answer costs somebody's files,
//! so this looks at what the system says of the device itself, never at its name, and refuses whatever it cannot tell.
//!
//! Everything is read below a root that is `/` on a machine and a made-up tree in the tests.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::usage::Usage;

/// Linux counts a disk's size in these, whatever the disk's own sectors are.
const SECTOR: u64 = 512;

/// The number of a block device: major and minor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number(pub(crate) u32, pub(crate) u32);

/// A disk that may be written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Disk {
    /// As in `/dev`: `sdb`.
    pub(crate) name: String,
    /// What the maker calls it.
    pub(crate) model: String,
    pub(crate) bytes: u64,
    pub(crate) partitions: Vec<String>,
    /// Changes with each medium that is put in, so that an exchanged stick is noticed.
    sequence: Option<String>,
}

/// The disk with this number, or one sentence why it must not be written to.
pub(crate) fn find(root: &Path, number: Number, path: &Path) -> Result<Disk> {
    let path = path.display();
    let Number(major, minor) = number;
    let folder = root.join(format!("sys/dev/block/{major}:{minor}"));
    let Ok(folder) = folder.canonicalize() else {
        bail!("the system knows no disk behind {path}: plug it in again, then try again");
    };
    let name = last_part(&folder);
    if folder.join("partition").exists() {
        let whole = folder.parent().map(last_part).unwrap_or_default();
        bail!("{path} is a partition of /dev/{whole}: name the whole disk");
    }
    if let Some(reason) = Usage::read(root)?.reason(&folder)? {
        bail!("{path} {reason}");
    }
    check_kind(&folder).map_err(|reason| anyhow::anyhow!("{path} {reason}"))?;
    let bytes = attribute(&folder, "size")
        .parse::<u64>()
        .with_context(|| format!("the system does not say how large {path} is"))?
        * SECTOR;
    ensure!(
        bytes > 0,
        "there is no medium in {path}: put one in, then try again"
    );
    ensure!(
        attribute(&folder, "ro") == "0",
        "{path} is write-protected: move the switch at its side, or take another"
    );
    Ok(Disk {
        model: model(&folder),
        bytes,
        partitions: partitions(&folder)?.iter().map(|p| last_part(p)).collect(),
        sequence: fs::read_to_string(folder.join("diskseq")).ok(),
        name,
    })
}

impl Disk {
    pub(super) fn check_room(&self, path: &Path, needed: u64) -> Result<()> {
        ensure!(
            self.bytes >= needed,
            "{} holds {} and the image needs {}: take a larger one",
            path.display(),
            size(self.bytes),
            size(needed)
        );
        Ok(())
    }
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}, ", self.model, size(self.bytes))?;
        match self.partitions.as_slice() {
            [] => write!(f, "without partitions"),
            partitions => write!(f, "with {}", partitions.join(", ")),
        }
    }
}

/// A size as makers print it on sticks: in powers of ten.
pub(super) fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut units = ["bytes", "kB", "MB", "GB", "TB"].into_iter().peekable();
    while let Some(unit) = units.next() {
        if value < 1000.0 || units.peek().is_none() {
            let digits = if value < 10.0 && unit != "bytes" {
                1
            } else {
                0
            };
            return format!("{value:.digits$} {unit}");
        }
        value /= 1000.0;
    }
    String::new()
}

/// Only what a person can pull out, and write to a sector at a time.
fn check_kind(folder: &Path) -> Result<(), &'static str> {
    const OPTICAL: &str = "5";
    const SD_CARD: &str = "SD";
    if !folder.join("device").exists() {
        return Err("is no disk of its own but made of files, memory or other disks: name a stick");
    }
    let kind = attribute(folder, "device/type");
    if kind == OPTICAL {
        return Err("is a drive for CDs and DVDs, which cannot be written this way: name a stick");
    }
    if attribute(folder, "removable") != "1" && kind != SD_CARD {
        return Err("is not removable, so it may be a disk that this machine needs: name a stick");
    }
    Ok(())
}

/// What the maker says: vendor and model of a stick, the name of a card.
fn model(folder: &Path) -> String {
    let words: Vec<_> = ["device/vendor", "device/model", "device/name"]
        .iter()
        .map(|file| attribute(folder, file))
        .filter(|word| !word.is_empty())
        .collect();
    if words.is_empty() {
        "no name".to_owned()
    } else {
        words.join(" ")
    }
}

/// The folders of a disk's partitions, in order.
pub(super) fn partitions(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found: Vec<_> = list(folder)?
        .into_iter()
        .filter(|entry| entry.join("partition").exists())
        .collect();
    found.sort();
    Ok(found)
}

/// What a folder holds.
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

/// What a file of sysfs says, without the white space around it; nothing where there is no such file.
pub(super) fn attribute(folder: &Path, file: &str) -> String {
    let text = fs::read(folder.join(file)).unwrap_or_default();
    String::from_utf8_lossy(&text).trim().to_owned()
}

/// The last part of a path, as text.
pub(super) fn last_part(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
