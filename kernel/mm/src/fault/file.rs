//! A mapping of a file, never touched here: reads map the page cache's frame; so does a write where the mapping is
//! shared, and where it is private it gets a copy.
//!
//! In a file on a disk a shared mapping lets no store pass unseen: see `notify.rs`.
//!
//! Where the page is not in memory the answer is a [`Read`](crate::page_cache::Read) that the caller performs, or, in a
//! file that lives in memory alone, a page of zeroes that joins the file: this is all there is to shared memory.
use alloc::sync::Arc;

use super::{Access, Denial, Fault, Origin, Outcome, Path, Resolution, notify};
use crate::frame::{Frame, Use};
use crate::machine::Machine;
use crate::page_cache::{CachedFile, Lookup, Pattern, Source};
use crate::pte::{Leaf, PteFlags};
use crate::stats::Counter;
use crate::vma::{VmFlags, Vma};

pub(super) fn resolve<M: Machine>(
    fault: &Fault<'_, M>,
    file: &Arc<CachedFile>,
) -> Result<Resolution, Outcome> {
    let cached = cached_page(fault, file)?;
    let is_shared = fault.vma.flags.contains(VmFlags::SHARED);
    if is_shared && file.source() != Source::Disk {
        return Ok(share(fault, file, cached));
    }
    if is_shared && fault.access == Access::Write {
        return notify::first_store(fault, file, cached);
    }
    if fault.access != Access::Write {
        return Ok(Resolution {
            path: Path::FileRead,
            leaf: shown(fault.vma, file, cached),
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
    match file.find_or_create(fault.memory, index)? {
        Lookup::Ready(frame) => match file.come_to(fault.memory, index, frame, fault.vma.flags) {
            None => Ok(frame),
            Some(reached) => {
                fault.memory.put(frame);
                Err(Outcome::ReadAhead(reached))
            }
        },
        Lookup::Reading | Lookup::Reserved => Err(Outcome::Busy),
        Lookup::PastEnd => Err(Outcome::Denied(Denial::PastEnd)),
        Lookup::Absent => Err(match file.begin_read(fault.memory, index)? {
            Some(mut read) => {
                read.pattern = Pattern::of(fault.vma.flags);
                fault.memory.stats.add(Counter::pgmajfault, 1);
                Outcome::NeedsRead(read)
            }
            None => Outcome::Busy,
        }),
    }
}

/// The entry by which `vma` shows the page cache's own frame before anybody stores. Where the area is shared it has all the
/// rights of the area, unless a disk must learn of stores: what is stored is what all others see.
pub(super) fn shown(vma: &Vma, file: &CachedFile, cached: Frame) -> Leaf {
    let is_shared = vma.flags.contains(VmFlags::SHARED);
    let flags = if is_shared && file.source() != Source::Disk {
        vma.flags.entry_flags()
    } else {
        vma.flags.read_only_entry_flags()
    };
    Leaf {
        frame: cached,
        flags,
    }
}

fn share<M: Machine>(fault: &Fault<'_, M>, file: &CachedFile, cached: Frame) -> Resolution {
    let mut leaf = shown(fault.vma, file, cached);
    let is_store = fault.access == Access::Write;
    leaf.flags.set(PteFlags::DIRTY, is_store);
    if is_store {
        fault.memory.record(cached).note_written();
    }
    let path = match file.source() {
        Source::Memory => Path::SharedMemory,
        Source::Archive | Source::Disk => Path::FileRead,
    };
    Resolution {
        path,
        leaf,
        frame: Origin::New,
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
