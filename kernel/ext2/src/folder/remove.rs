//! An entry goes, or names something else.
use super::{Found, HEADER};
use crate::bytes::{put_u16, put_u32};
use crate::disk::Disk;
use crate::error::Error;
use crate::inode::{Inode, Kind};
use crate::volume::Volume;

impl<D: Disk> Volume<D> {
    /// Removes the entry that was found in `folder`: it becomes room behind the one before.
    pub(crate) fn remove_entry(
        &self,
        folder: &mut Inode,
        found: &Found,
        now: u32,
    ) -> Result<(), Error> {
        let bytes = &found.block.bytes;
        let entry = |at| self.entry(bytes, at).ok_or_else(|| self.corrupt());
        let gone = entry(found.at)?;
        let mut before = None;
        let mut at = 0;
        while at < found.at {
            let entry = entry(at)?;
            at = entry.end();
            before = Some(entry);
        }
        self.begin_change(folder, now)?;
        let Some(before) = before else {
            return self.disk.write(found.block.place, &[0; 4]);
        };
        let mut length = [0; 2];
        put_u16(&mut length, 0, (before.length + gone.length) as u16);
        self.disk
            .write(found.block.place + before.at as u64 + 4, &length)
    }

    /// Makes the entry that was found in `folder` name `inode`.
    pub(crate) fn redirect(
        &self,
        folder: &mut Inode,
        found: &Found,
        inode: &Inode,
        now: u32,
    ) -> Result<(), Error> {
        self.begin_change(folder, now)?;
        self.redirect_to(found, inode.number, inode.kind)
    }

    /// Makes an entry that was found name `number`, a `kind`.
    pub(crate) fn redirect_to(&self, found: &Found, number: u32, kind: Kind) -> Result<(), Error> {
        let old = self
            .entry(&found.block.bytes, found.at)
            .ok_or_else(|| self.corrupt())?;
        let mut header = [0; HEADER];
        put_u32(&mut header, 0, number);
        put_u16(&mut header, 4, old.length as u16);
        put_u16(&mut header, 6, old.name.len() as u16);
        if self.geometry.has_filetype {
            header[7] = kind.entry();
        }
        self.disk
            .write(found.block.place + found.at as u64, &header)
    }
}
