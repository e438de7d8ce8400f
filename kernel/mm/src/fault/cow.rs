//! A store to a private page that is mapped read-only: copy it, unless nobody else needs it as it was.
//!
//! The frame's reference count decides. One reference means that this entry is the only holder; nobody can become a
//! second one behind our back, because only `fork` of this space could, and that excludes faults. An entry that says that
//! it is the only one is, though a device may hold the frame as well (`pin.rs`): that fills what the program looks at.
use super::{Fault, Origin, Outcome, Path, Resolution};
use crate::frame::Use;
use crate::machine::Machine;
use crate::pte::{Leaf, PteFlags};

/// References of a frame that has no other user than the faulting entry.
pub(super) const ALONE: u32 = 1;

/// `alone` is what the count says where nobody else holds the frame: [`ALONE`], and one more where this fault does.
pub(super) fn resolve<M: Machine>(
    fault: &Fault<'_, M>,
    old: Leaf,
    alone: u32,
) -> Result<Resolution, Outcome> {
    let Fault { memory, vma, .. } = fault;
    let flags = vma.flags.entry_flags() | PteFlags::DIRTY;
    let record = memory.record(old.frame);
    let is_alone = old.flags.contains(PteFlags::EXCLUSIVE) || record.references() == alone;
    if record.usage() == Use::Anonymous && is_alone {
        // What was given up stays given up by the count, and is kept for being dirty.
        let leaf = Leaf {
            frame: old.frame,
            flags: flags | old.flags & PteFlags::LAZY,
        };
        return Ok(Resolution {
            path: Path::CowReuse,
            leaf,
            frame: Origin::Same,
        });
    }
    let (path, frame) = if old.frame == memory.zero_frame() {
        (Path::CowZero, memory.allocate_zeroed(Use::Anonymous)?)
    } else {
        let frame = memory.allocate_uncleared(Use::Anonymous)?;
        memory.machine.copy(old.frame, frame);
        (Path::CowCopy, frame)
    };
    Ok(Resolution {
        path,
        leaf: Leaf { frame, flags },
        frame: Origin::InPlaceOf(old),
    })
}
