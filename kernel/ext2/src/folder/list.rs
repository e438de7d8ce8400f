//! Listing a folder. An entry's place in the listing is the byte of the folder at which it begins.
//!
//! That it keeps while others come and go. A place where no entry begins any more means the next one behind it: so what is
//! there all the time is listed exactly once.
use core::ops::ControlFlow;

use crate::disk::Disk;
use crate::error::Error;
use crate::inode::Kind;
use crate::volume::Volume;

/// An entry of a folder.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// Its place in the listing.
    pub cookie: u64,
    /// The place of what follows it.
    pub next: u64,
    /// The inode that it names.
    pub number: u32,
    /// What that is, where entries say so; else the inode does.
    pub kind: Option<Kind>,
    /// What it is called.
    pub name: &'a [u8],
}

impl<D: Disk> Volume<D> {
    /// Shows `visit` the entries of `folder` from place `from` on, in their order, until it breaks or all are seen. `.` and
    /// `..` are entries like others.
    pub fn list(
        &self,
        folder: u32,
        from: u64,
        visit: &mut dyn FnMut(Listed<'_>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let folder = self.folder(folder)?;
        let size = self.geometry.block_size;
        let mut block = self.folder_block()?;
        self.scan(&folder, from / size, &mut block, |number, entry| {
            let cookie = number * size + entry.at as u64;
            if entry.number == 0 || entry.name.is_empty() || cookie < from {
                return ControlFlow::Continue(());
            }
            visit(Listed {
                cookie,
                next: cookie + entry.length as u64,
                number: entry.number,
                kind: entry.kind,
                name: entry.name,
            })
        })?;
        Ok(())
    }
}
