//! Anonymous memory that was never touched: reads share one frame of zeroes, a write gets a zeroed frame of its own.
use super::{Access, Fault, Origin, Outcome, Path, Resolution};
use crate::frame::Use;
use crate::machine::Machine;
use crate::pte::{Leaf, PteFlags};

pub(super) fn resolve<M: Machine>(fault: &Fault<'_, M>) -> Result<Resolution, Outcome> {
    let Fault {
        memory,
        vma,
        access,
        ..
    } = fault;
    if *access != Access::Write {
        let leaf = Leaf {
            frame: memory.zero_frame(),
            flags: vma.flags.read_only_entry_flags(),
        };
        return Ok(Resolution {
            path: Path::ZeroRead,
            leaf,
            frame: Origin::New,
        });
    }
    let frame = memory.allocate_zeroed(Use::Anonymous)?;
    // The store follows at once: setting the dirty bit now saves the processor a walk.
    let leaf = Leaf {
        frame,
        flags: vma.flags.entry_flags() | PteFlags::DIRTY,
    };
    Ok(Resolution {
        path: Path::ZeroWrite,
        leaf,
        frame: Origin::New,
    })
}
