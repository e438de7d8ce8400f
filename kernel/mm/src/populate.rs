//! Pages that are fetched before they are touched: which one comes next, and by which access.
//!
//! `mlock`, MAP_POPULATE and MADV_POPULATE_* differ in what they make of holes and missing rights. The fault itself is the
//! usual one; the caller lets go of the space between two pages.
use core::ops::Range;

use crate::error::Error;
use crate::fault::Access;
use crate::page::Page;
use crate::space::AddressSpace;
use crate::vma::VmFlags;

/// Who wants pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Populate {
    /// The area itself (`mlock`, MAP_POPULATE): what can be written is written, holes and areas that are locked on fault are
    /// stepped over.
    Area,
    /// MADV_POPULATE_READ.
    Read,
    /// MADV_POPULATE_WRITE.
    Write,
}

impl AddressSpace {
    /// The first page of `pages` that has to be touched, and how; `None` if none is left.
    pub fn next_to_populate(
        &self,
        pages: &Range<Page>,
        wish: Populate,
    ) -> Result<Option<(Page, Access)>, Error> {
        if pages.start >= pages.end {
            return Ok(None);
        }
        match wish {
            Populate::Area => self.next_of_area(pages),
            Populate::Read => self.next_with(pages, VmFlags::READ, Access::Read),
            Populate::Write => self.next_with(pages, VmFlags::WRITE, Access::Write),
        }
    }

    fn next_of_area(&self, pages: &Range<Page>) -> Result<Option<(Page, Access)>, Error> {
        let mut areas = self.areas.within(pages);
        let Some(vma) = areas.find(|vma| !vma.flags.contains(VmFlags::LOCK_ON_FAULT)) else {
            return Ok(None);
        };
        let is_private_writable = VmFlags::WRITE == vma.flags & (VmFlags::WRITE | VmFlags::SHARED);
        let access = if is_private_writable {
            Access::Write
        } else {
            Access::Read
        };
        if !vma.flags.allow(access) {
            return Err(Error::BadAddress);
        }
        Ok(Some((vma.start.max(pages.start), access)))
    }

    fn next_with(
        &self,
        pages: &Range<Page>,
        right: VmFlags,
        access: Access,
    ) -> Result<Option<(Page, Access)>, Error> {
        let vma = self.areas.at(pages.start).ok_or(Error::OutOfMemory)?;
        if !vma.flags.contains(right) {
            return Err(Error::Invalid);
        }
        Ok(Some((pages.start, access)))
    }
}
