//! Pages of a program's memory that a device fills, or reads, while the program goes on: direct I/O.
//!
//! A pin holds the frame, so it is nobody else's before the device is done, whatever becomes of the mapping: unmapped,
//! given up, its space ended. And it sees to it that the device fills what the program looks at:
//!
//! ```text
//!  store after a change of rights     no copy: the entry says that it is alone, whoever else holds the frame (`fault/cow.rs`)
//!  fork                               the child gets a copy at once, the parent keeps frame and right (`fork.rs`)
//!  MADV_FREE, memory runs out         the page stays, for it has two holders: what arrives is as good as a store
//!  written back, if it is a file's    it becomes dirty once more when the device is done
//!  cut off, dropped from the cache    the frame is no page any more; what arrives there is lost, as after munmap
//! ```
//! What a device fills may be stored to, and then it is its space's alone, and its entry says so; what it only reads may be
//! shared, and be copied by whoever stores. Linux does the same by `FOLL_PIN` and `PageAnonExclusive`.
use alloc::sync::Arc;

use crate::fault::{Access, Outcome};
use crate::frame::Frame;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::Page;
use crate::page_cache::CachedFile;
use crate::space::AddressSpace;

/// A page that stays where it is until [`Pin::release`].
#[derive(Debug)]
#[must_use = "it holds a frame"]
pub struct Pin {
    frame: Frame,
    /// The page of a file on a disk that a device fills.
    filled: Option<(Arc<CachedFile>, u64)>,
}

impl AddressSpace {
    /// Pins the page of `address`: for [`Access::Write`] if a device fills it, else for [`Access::Read`].
    ///
    /// `Err` holds what must be seen to first, as for a fault; then call again.
    pub fn pin<M: Machine>(
        &self,
        memory: &Memory<M>,
        address: u64,
        access: Access,
    ) -> Result<Pin, Outcome> {
        let frame = self.reach(memory, address, access)?;
        let page = Page::containing(address);
        if frame == memory.zero_frame() {
            // Nobody counts who has that.
            memory.put(frame);
        } else if !memory.record(frame).pin() {
            memory.put(frame);
            return Err(Outcome::Busy);
        }
        let noticed = self.areas.at(page).and_then(|vma| vma.noticed(page));
        let filled = noticed.filter(|_| access == Access::Write);
        Ok(Pin {
            frame,
            filled: filled.map(|(file, index)| (file.clone(), index)),
        })
    }
}

impl Pin {
    /// What the device fills, or reads.
    pub fn frame(&self) -> Frame {
        self.frame
    }

    /// The device is done.
    pub fn release<M: Machine>(self, memory: &Memory<M>) {
        let Self { frame, filled } = self;
        if frame == memory.zero_frame() {
            return;
        }
        if let Some((file, index)) = filled {
            // It may have been written back before the last byte had arrived.
            let _ = file.make_dirty(memory, index, frame);
            file.release(memory);
        }
        memory.record(frame).unpin();
        memory.put(frame);
    }
}

#[cfg(test)]
mod tests;
