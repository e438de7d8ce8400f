//! An address space as text and words: what proc(5) shows of it in `maps`, `smaps`, `smaps_rollup` and `pagemap`.
//!
//! Reports are made a record at a time, from a cursor that is an address: whoever reads may stop anywhere, give the space
//! up, and go on later with whatever lies above by then. So a space of 65,530 areas needs no large buffer, nobody holds
//! the space while bytes move to ring 3, and a reader gets to the end however the areas change under it. Nothing is
//! allocated. Who names files is the caller's business ([`Files`]).
mod census;
mod locked;
mod maps;
mod pagemap;
mod smaps;
mod totals;
mod usage;

use core::fmt::{Result, Write};

pub use census::Census;
pub use locked::Locked;
pub use maps::maps;
pub use pagemap::{Frames, pagemap};
pub use smaps::{smaps, smaps_rollup};
pub use totals::Totals;
pub use usage::Usage;

use crate::opening::Opening;
use crate::page_cache::CachedFile;

/// Where a file is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Major and minor number of its device.
    pub device: (u32, u32),
    /// Its number there.
    pub inode: u64,
}

/// Who knows the names of files.
pub trait Files {
    /// Where `file` is found.
    fn identity(&self, file: &CachedFile) -> Identity;

    /// Where `/dev/zero` is found.
    fn zero_device(&self) -> Identity;

    /// Writes the name of `file` as `maps` shows it where it is mapped by `opening`.
    fn write_name(&self, file: &CachedFile, opening: &Opening, out: &mut dyn Write) -> Result;
}

/// A writer that knows how much went through it.
struct Counted<'a, W> {
    out: &'a mut W,
    count: usize,
}

impl<'a, W: Write> Counted<'a, W> {
    fn new(out: &'a mut W) -> Self {
        Self { out, count: 0 }
    }

    /// Blanks up to column `width`, and one more.
    fn pad(&mut self, width: usize) -> Result {
        let missing = width.saturating_sub(self.count);
        write!(self, "{:missing$} ", "")
    }
}

impl<W: Write> Write for Counted<'_, W> {
    fn write_str(&mut self, text: &str) -> Result {
        self.count += text.len();
        self.out.write_str(text)
    }
}

#[cfg(test)]
mod tests;
