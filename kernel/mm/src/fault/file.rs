//! A private mapping of a file, never touched here: reads map the page cache's frame, a write gets a copy of it.
//!
//! Where the page is not in memory the answer is a [`Read`](crate::page_cache::Read) that the caller performs.
use alloc::sync::Arc;

use super::{Access, Denial, Fault, Origin, Outcome, Path, Resolution};
use crate::frame::{Frame, Use};
use crate::machine::Machine;
use crate::page_cache::{CachedFile, Lookup};
use crate::pte::{Leaf, PteFlags};

pub(super) fn resolve<M: Machine>(
    fault: &Fault<'_, M>,
    file: &Arc<CachedFile>,
) -> Result<Resolution, Outcome> {
    let cached = cached_page(fault, file)?;
    if fault.access != Access::Write {
        let leaf = Leaf {
            frame: cached,
            flags: fault.vma.flags.read_only_entry_flags(),
        };
        return Ok(Resolution {
            path: Path::FileRead,
            leaf,
            frame: Origin::New,
        });
    }
    let copied = copy(fault, cached);
    fault.memory.put(cached);
    copied
}

/// The page cache's frame for the faulting page, with a reference for the caller.
fn cached_page<M: Machine>(fault: &Fault<'_, M>, file: &Arc<CachedFile>) -> Result<Frame, Outcome> {
    let Some(index) = fault.vma.file_index(fault.page) else {
        return Err(Outcome::Denied(Denial::PastEnd));
    };
    match file.lookup(fault.memory, index) {
        Lookup::Ready(frame) => Ok(frame),
        Lookup::Reading => Err(Outcome::Busy),
        Lookup::PastEnd => Err(Outcome::Denied(Denial::PastEnd)),
        Lookup::Absent => Err(match file.begin_read(fault.memory, index)? {
            Some(read) => Outcome::NeedsRead(read),
            None => Outcome::Busy,
        }),
    }
}

fn copy<M: Machine>(fault: &Fault<'_, M>, cached: Frame) -> Result<Resolution, Outcome> {
    let frame = fault.memory.allocate_uncleared(Use::Anonymous)?;
    fault.memory.machine.copy(cached, frame);
    let leaf = Leaf {
        frame,
        flags: fault.vma.flags.entry_flags() | PteFlags::DIRTY,
    };
    Ok(Resolution {
        path: Path::FileCow,
        leaf,
        frame: Origin::New,
    })
}
