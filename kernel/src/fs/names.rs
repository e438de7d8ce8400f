//! What files are called where they are mapped: for `maps` and its kin.
use alloc::vec::Vec;
use core::fmt::{Error, Result, Write};

use mm::opening::Opening;
use mm::page_cache::CachedFile;
use mm::report::{Files, Identity};

use super::devices;
use super::inode::Whereabouts;
use super::mount;
use super::paged;
use super::reached::Reached;
use super::tmpfs::{self, Card};
use crate::process::vdso;

/// The names of all files.
pub(super) struct Names;

impl Files for Names {
    fn identity(&self, file: &CachedFile) -> Identity {
        if vdso::name(file).is_some() {
            return Identity {
                device: (0, 0),
                inode: 0,
            };
        }
        let (device, inode) = match (tmpfs::of_cached(file), paged::of(file)) {
            (Some(card), _) => (card.device, card.number),
            (None, Some(paged)) => paged.owner().identity(),
            (None, None) => (super::MEMORY_DEVICE, file.id()),
        };
        Identity {
            device: (0, device as u32),
            inode,
        }
    }

    fn zero_device(&self) -> Identity {
        let (device, inode) = devices::zero();
        Identity {
            device: (0, device as u32),
            inode,
        }
    }

    fn write_name(&self, file: &CachedFile, opening: &Opening, out: &mut dyn Write) -> Result {
        if let Some(name) = vdso::name(file) {
            return out.write_str(name);
        }
        if let Some(card) = tmpfs::of_cached(file) {
            return write_path(card, opening, out);
        }
        if let Some(paged) = paged::of(file) {
            let mut path = Vec::new();
            let whereabouts = paged.owner().write_path(&mut path);
            return write_whole(&path, whereabouts.map_err(|_| Error)?, out);
        }
        match file.name() {
            Some(name) => {
                out.write_str("/memfd:")?;
                write_bytes(name, out)?;
            }
            None => out.write_str("/dev/zero")?,
        }
        out.write_str(" (deleted)")
    }
}

/// The path of a file that has one, or had.
fn write_path(card: &Card, opening: &Opening, out: &mut dyn Write) -> Result {
    let mounts = mount::all().map_err(|_| Error)?;
    let mut mounts = mounts.iter().map(|entry| &entry.mount);
    let mut path = Vec::new();
    if let Some(mount) = mounts.find(|mount| mount.system.files.device() == card.device) {
        mount.write_path(&mut path).map_err(|_| Error)?;
    }
    let whereabouts = match opening.get() {
        Some(Reached {
            entry: Some(entry), ..
        }) => entry.write_path(&mut path),
        _ => card.write_path(&mut path),
    };
    write_whole(&path, whereabouts.map_err(|_| Error)?, out)
}

fn write_whole(path: &[u8], whereabouts: Whereabouts, out: &mut dyn Write) -> Result {
    write_bytes(path, out)?;
    match whereabouts {
        Whereabouts::There => Ok(()),
        Whereabouts::Removed => out.write_str(" (deleted)"),
    }
}

/// Writes a name; the end of a line, and what is no UTF-8, in octal.
fn write_bytes(name: &[u8], out: &mut dyn Write) -> Result {
    for chunk in name.utf8_chunks() {
        let mut lines = chunk.valid().split('\n');
        out.write_str(lines.next().unwrap_or_default())?;
        lines.try_for_each(|line| write!(out, "\\012{line}"))?;
        let invalid = chunk.invalid().iter();
        invalid
            .copied()
            .try_for_each(|byte| write!(out, "\\{byte:03o}"))?;
    }
    Ok(())
}
