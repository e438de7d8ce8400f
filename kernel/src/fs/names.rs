//! What files are called where they are mapped: for `maps` and its kin.
use core::fmt::{Result, Write};

use mm::page_cache::{CachedFile, Source};
use mm::report::{Files, Identity};

/// The names of all files.
pub(super) struct Names;

impl Files for Names {
    fn identity(&self, file: &CachedFile) -> Identity {
        Identity {
            device: (0, super::ARCHIVE_DEVICE as u32),
            inode: file.id() + 1,
        }
    }

    fn write_name(&self, file: &CachedFile, out: &mut dyn Write) -> Result {
        match file.source() {
            Source::Memory if file.id() == 0 => out.write_str("/dev/zero (deleted)"),
            Source::Memory => out.write_str("/memfd: (deleted)"),
            Source::Device => {
                out.write_char('/')?;
                let path = super::path_of(file.id()).unwrap_or_default();
                path.utf8_chunks().try_for_each(|chunk| {
                    out.write_str(chunk.valid())?;
                    chunk
                        .invalid()
                        .iter()
                        .try_for_each(|byte| write!(out, "\\{byte:03o}"))
                })
            }
        }
    }
}
