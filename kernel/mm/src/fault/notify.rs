//! A store to a shared mapping of a file on a disk: the file system learns of it first, and the page becomes dirty.
//!
//! Such entries are made without the right to store, and lose it whenever the page is written back. So the first store since
//! then comes here. Without a place on the disk nothing is done: the caller asks for one, and the processor stores again.
use alloc::sync::Arc;

use super::{Denial, Fault, Origin, Outcome, Path, Resolution};
use crate::frame::Frame;
use crate::machine::Machine;
use crate::page_cache::{CachedFile, Room};
use crate::pte::{Leaf, PteFlags};

/// The page is not mapped yet; `cached` is the cache's frame, with a reference.
pub(super) fn first_store<M: Machine>(
    fault: &Fault<'_, M>,
    file: &Arc<CachedFile>,
    cached: Frame,
) -> Result<Resolution, Outcome> {
    let place = need_place(fault, file);
    if let Err(outcome) = place {
        fault.memory.put(cached);
        return Err(outcome);
    }
    Ok(resolution(fault, cached, Path::FileStore, Origin::New))
}

/// The page is mapped, by an entry that must not be stored through.
pub(super) fn next_store<M: Machine>(
    fault: &Fault<'_, M>,
    file: &Arc<CachedFile>,
    old: Leaf,
) -> Result<Resolution, Outcome> {
    need_place(fault, file)?;
    Ok(resolution(
        fault,
        old.frame,
        Path::WriteNotify,
        Origin::Same,
    ))
}

/// That the page has its place on the disk. It keeps it for as long as it is in memory.
fn need_place<M: Machine>(fault: &Fault<'_, M>, file: &Arc<CachedFile>) -> Result<(), Outcome> {
    let index = fault.vma.file_index(fault.page);
    let Some(index) = index.filter(|&index| index < file.pages()) else {
        return Err(Outcome::Denied(Denial::PastEnd));
    };
    if file.is_backed(fault.memory, index) {
        return Ok(());
    }
    Err(Outcome::NeedsRoom(Room::new(file.clone(), index)))
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
