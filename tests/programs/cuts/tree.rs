//! What a volume holds, as the kernel's own file system reads it on the workstation, repaired or not.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use anyhow::{Result, anyhow};
use ext2::{Access, Error, Volume};

use super::workload::{FILES, FOLDERS, LARGEST, Name};

/// Bytes that nobody writes to.
struct Bytes<'a>(&'a [u8]);

impl ext2::Disk for Bytes<'_> {
    fn read(&self, at: u64, bytes: &mut [u8]) -> Result<(), Error> {
        let from = self.0.get(at as usize..at as usize + bytes.len());
        bytes.copy_from_slice(from.ok_or(Error::Io)?);
        Ok(())
    }

    fn write(&self, _at: u64, _bytes: &[u8]) -> Result<(), Error> {
        Err(Error::Io)
    }
}

/// Folders, and files with their bytes as far as they can be read.
pub(crate) struct Tree {
    folders: Vec<u8>,
    files: BTreeMap<Name, Result<Vec<u8>, Error>>,
    /// What e2fsck found without a name.
    lost: Vec<Result<Vec<u8>, Error>>,
}

impl Tree {
    /// All that is on these bytes of a disk.
    pub(crate) fn read(disk: &[u8]) -> Result<Self> {
        let volume = Volume::mount(Bytes(disk), disk.len() as u64, Access::ReadOnly, 0);
        let volume = volume.map_err(|error| anyhow!("it can't be mounted: {error}"))?;
        let mut tree = Self {
            folders: Vec::new(),
            files: BTreeMap::new(),
            lost: lost_files(&volume).unwrap_or_default(),
        };
        for folder in 0..FOLDERS {
            let name = format!("d{folder}");
            let number = match folder {
                0 => Ok(ext2::ROOT),
                _ => volume.lookup(ext2::ROOT, name.as_bytes()),
            };
            if let Ok(number) = number {
                tree.folders.push(folder);
                tree.read_folder(&volume, folder, number);
            }
        }
        Ok(tree)
    }

    fn read_folder(&mut self, volume: &Volume<Bytes<'_>>, folder: u8, number: u32) {
        for file in 0..FILES {
            let found = volume.lookup(number, format!("f{file}").as_bytes());
            let bytes = match found {
                Err(Error::NotFound) => continue,
                found => found.and_then(|number| read_file(volume, number)),
            };
            self.files.insert(Name { folder, file }, bytes);
        }
    }

    pub(crate) fn has_folder(&self, folder: u8) -> bool {
        self.folders.contains(&folder)
    }

    pub(crate) fn file(&self, name: Name) -> Option<&Result<Vec<u8>, Error>> {
        self.files.get(&name)
    }

    pub(crate) fn lost(&self) -> impl Iterator<Item = &Result<Vec<u8>, Error>> {
        self.lost.iter()
    }

    /// As the program `cuts look` shows it, if all can be read.
    pub(crate) fn shown(&self) -> Option<String> {
        let line = |(name, bytes): (&Name, &Result<Vec<u8>, Error>)| {
            let bytes = bytes.as_ref().ok()?;
            let sum = bytes.iter().fold(0_u64, |sum, byte| {
                sum.wrapping_mul(0x100_0000_01b3) ^ u64::from(*byte)
            });
            let folder = match name.folder {
                0 => String::new(),
                folder => format!("d{folder}/"),
            };
            Some(format!(
                "{folder}f{} {} {sum:016x}\n",
                name.file,
                bytes.len()
            ))
        };
        self.files.iter().map(line).collect()
    }
}

fn lost_files(volume: &Volume<Bytes<'_>>) -> Result<Vec<Result<Vec<u8>, Error>>, Error> {
    let folder = volume.lookup(ext2::ROOT, b"lost+found")?;
    let mut files = Vec::new();
    volume.list(folder, 0, &mut |entry| {
        if entry.name.starts_with(b"#") {
            files.push(read_file(volume, entry.number));
        }
        ControlFlow::Continue(())
    })?;
    Ok(files)
}

fn read_file(volume: &Volume<Bytes<'_>>, number: u32) -> Result<Vec<u8>, Error> {
    let size = volume.inode(number)?.size;
    if size > 2 * u64::from(LARGEST) {
        return Err(Error::Corrupt);
    }
    let mut bytes = vec![0; size as usize];
    let mut done = 0;
    while done < size {
        let run = volume.map(number, done, size - done)?;
        let part = &mut bytes[done as usize..(done + run.length) as usize];
        if let Some(at) = run.at {
            ext2::Disk::read(volume.disk(), at, part)?;
        }
        done += run.length;
    }
    Ok(bytes)
}
