//! A store to a shared mapping of a file on a disk: the file system learns of it first, and the page becomes dirty.
//!
//! Such entries are made without the right to store, and lose it whenever the page is written back. So the first store
//! since then comes here. Without a place on the disk nothing is done: the caller asks for one, and the processor stores
//! again.
use alloc::sync::Arc;

use super::{Denial, Fault, Origin, Outcome, Path, Resolution};
use crate::frame::Frame;
use crate::machine::Machine;
use crate::page_cache::{CachedFile, Lookup, Room};
use crate::pte::{Leaf, PteFlags};

/// The page is not mapped yet; `cached` is the cache's frame, with a reference.
pub(super) fn first_store<M: Machine>(
    fault: &Fault<'_, M>,
    file: &Arc<CachedFile>,
    cached: Frame,
) -> Result<Resolution, Outcome> {
    let resolution = resolution(fault, cached, Path::FileStore, Origin::New);
    need_place(fault, file, cached).map(|()| resolution)
}

/// The page is mapped, by an entry that must not be stored through.
pub(super) fn next_store<M: Machine>(
    fault: &Fault<'_, M>,
    file: &Arc<CachedFile>,
    old: Leaf,
) -> Result<Resolution, Outcome> {
    let index = fault.vma.file_index(fault.page).unwrap_or(u64::MAX);
    let cached = match file.lookup(fault.memory, index) {
        Lookup::Ready(frame) => frame,
        Lookup::PastEnd => return Err(Outcome::Denied(Denial::PastEnd)),
        // It was dropped, and the entry is about to go.
        Lookup::Reading | Lookup::Reserved | Lookup::Absent => return Err(Outcome::Busy),
    };
    need_place(fault, file, cached)?;
    fault.memory.put(cached);
    Ok(resolution(
        fault,
        old.frame,
        Path::WriteNotify,
        Origin::Same,
    ))
}

/// That the page in `frame`, which is held, has its place on the disk; else the hold passes to who looks for one. The page
/// keeps its place for as long as it is in memory.
fn need_place<M: Machine>(
    fault: &Fault<'_, M>,
    file: &Arc<CachedFile>,
    frame: Frame,
) -> Result<(), Outcome> {
    let index = fault.vma.file_index(fault.page).unwrap_or(u64::MAX);
    if file.is_backed(fault.memory, index) {
        return Ok(());
    }
    Err(Outcome::NeedsRoom(Room {
        file: file.clone(),
        index,
        frame,
    }))
}

fn resolution<M: Machine>(
    fault: &Fault<'_, M>,
    frame: Frame,
    path: Path,
    origin: Origin,
) -> Resolution {
    let flags = fault.vma.flags.entry_flags() | PteFlags::DIRTY;
    Resolution {
        path,
        leaf: Leaf { frame, flags },
        frame: origin,
    }
}
