//! What `meminfo` and `vmstat` count: one look at all frames, and one at what is locked.
use core::fmt::Error;

use mm::frame::Use;
use mm::report::{Census, Locked};

use crate::arch::memory::memory;
use crate::arch::stack;
use crate::process::{sched, table};

/// Numbers of pages.
pub(super) struct Numbers {
    pub(super) census: Census,
    pub(super) locked: Locked,
    pub(super) free: u64,
    pub(super) stacks: u64,
    pub(super) slab: u64,
}

impl Numbers {
    /// As they are now. Others may change them meanwhile.
    pub(super) fn take() -> Result<Self, Error> {
        let census = memory().census();
        let stacks = (table::count() * stack::STACK_PAGES) as u64;
        Ok(Self {
            locked: locked()?,
            free: memory().free_frames() as u64,
            stacks,
            slab: (census.used(Use::Kernel) as u64).saturating_sub(stacks),
            census,
        })
    }

    /// Pages in memory that are used for `usage`.
    pub(super) fn used(&self, usage: Use) -> u64 {
        self.census.used(usage) as u64
    }

    /// Those of them that could be given up. There is no list of what was used lately: all of them count as active.
    pub(super) fn active(&self, usage: Use) -> u64 {
        self.used(usage).saturating_sub(self.locked.used(usage))
    }
}

/// Asks each process for what it locked.
fn locked() -> Result<Locked, Error> {
    let mut locked = Locked::default();
    for process in table::numbers().filter_map(table::find) {
        if let Some(space) = process.space() {
            let added = locked.add(memory(), &space.read());
            added.map_err(|_| Error)?;
        }
        sched::breathe();
    }
    Ok(locked)
}
