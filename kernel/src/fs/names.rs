//! What files are called where they are mapped: for `maps` and its kin.
use core::fmt::{Result, Write};

use mm::page_cache::{CachedFile, Source};
use mm::report::{Files, Identity};

/// The names of all files.
pub(super) struct Names;

impl Files for Names {
    fn identity(&self, file: &CachedFile) -> Identity {
        let (device, inode) = match file.source() {
            Source::Device => (super::ARCHIVE_DEVICE, file.id() + 1),
            Source::Memory => (super::MEMORY_DEVICE, file.id()),
        };
        Identity {
            device: (0, device as u32),
            inode,
        }
    }

    fn write_name(&self, file: &CachedFile, out: &mut dyn Write) -> Result {
        match file.source() {
            Source::Memory => {
                match file.name() {
                    Some(name) => {
                        out.write_str("/memfd:")?;
                        write_bytes(name, out)?;
                    }
                    None => out.write_str("/dev/zero")?,
                }
                out.write_str(" (deleted)")
            }
            Source::Device => {
                out.write_char('/')?;
                write_bytes(super::path_of(file.id()).unwrap_or_default(), out)
            }
        }
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
