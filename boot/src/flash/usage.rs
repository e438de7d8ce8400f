//! Who uses a disk: mounts and swap space on it, on its partitions, or on whatever LVM, RAID and encryption have made of
//! them. The kernel itself refuses to open such a disk for us alone; this says in words what it is, and before a build.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::disk::{attribute, last_part, list, partitions};

/// What is mounted, and what is swapped to.
pub(super) struct Usage {
    mounts: Vec<Mount>,
    swaps: Vec<String>,
}

struct Mount {
    number: String,
    point: String,
    source: String,
}

/// A disk, a part of one, or something made of either.
struct Layer {
    name: String,
    number: String,
}

impl Usage {
    pub(super) fn read(root: &Path) -> Result<Self> {
        let read = |file: &str| {
            fs::read_to_string(root.join(file))
                .with_context(|| format!("cannot tell which disks are in use: no /{file}"))
        };
        let mounts = read("proc/self/mountinfo")?;
        // A kernel without swap has no such file.
        let swaps = fs::read_to_string(root.join("proc/swaps")).unwrap_or_default();
        Ok(Self {
            mounts: mounts.lines().filter_map(Mount::parse).collect(),
            swaps: swaps.lines().skip(1).filter_map(first_word).collect(),
        })
    }

    /// Why the disk of this folder is in use, if it is.
    pub(super) fn reason(&self, disk: &Path) -> Result<Option<String>> {
        let own = [vec![disk.to_owned()], partitions(disk)?].concat();
        let layers = stack(own.clone())?;
        let found = layers.iter().find_map(|layer| self.use_of(layer));
        let above = || layers.get(own.len());
        Ok(found.or_else(|| {
            let name = &above()?.name;
            Some(format!(
                "is in use by {name} (LVM, RAID or encryption): switch that off, or name another disk"
            ))
        }))
    }

    fn use_of(&self, layer: &Layer) -> Option<String> {
        let name = &layer.name;
        let device = format!("/dev/{name}");
        if self.swaps.contains(&device) {
            return Some(format!(
                "is in use: {name} is swap space; run swapoff {device}, then try again"
            ));
        }
        let mounted = |mount: &&Mount| mount.number == layer.number || mount.source == device;
        let points: Vec<_> = self.mounts.iter().filter(mounted).collect();
        if points.iter().any(|mount| mount.point == "/") {
            return Some(format!(
                "holds the running system (/ is on {name}): name another disk"
            ));
        }
        let point = &points.first()?.point;
        Some(format!(
            "is in use: {name} is mounted at {point}; run umount {point}, then try again"
        ))
    }
}

impl Mount {
    /// A line of `/proc/self/mountinfo`: `36 35 8:17 / /mnt rw - vfat /dev/sdb1 rw`, with more words before the dash.
    fn parse(line: &str) -> Option<Self> {
        let (place, kind) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(2);
        let number = place.next()?.to_owned();
        let point = unescape(place.nth(1)?);
        let source = unescape(kind.split(' ').nth(1)?);
        Some(Self {
            number,
            point,
            source,
        })
    }
}

fn first_word(line: &str) -> Option<String> {
    line.split_whitespace().next().map(unescape)
}

/// The files under `/proc` write a blank as `\040`, and likewise what else would end a word.
fn unescape(word: &str) -> String {
    let escapes = [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ];
    escapes
        .iter()
        .fold(word.to_owned(), |word, (escape, character)| {
            word.replace(escape, character)
        })
}

/// The layers of these folders, then all that the kernel has built on them.
fn stack(mut folders: Vec<PathBuf>) -> Result<Vec<Layer>> {
    let mut next = 0;
    while let Some(folder) = folders.get(next).cloned() {
        next += 1;
        let holders = folder.join("holders");
        let above = if holders.exists() {
            list(&holders)?
        } else {
            Vec::new()
        };
        for holder in above {
            let holder = holder
                .canonicalize()
                .context("a disk in use by something changes under our eyes: try again")?;
            let parts = partitions(&holder)?;
            for found in [holder].into_iter().chain(parts) {
                if !folders.contains(&found) {
                    folders.push(found);
                }
            }
        }
    }
    let layers = folders.iter().map(|folder| Layer {
        name: last_part(folder),
        number: attribute(folder, "dev"),
    });
    Ok(layers.collect())
}
