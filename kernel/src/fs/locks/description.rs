//! In whose name an open file takes locks: they end with the last descriptor, or with the last mapping that was made by one.
//!
//! A mapping may go while its address space is locked, where nobody may wait for the table: what ended is put down, and
//! whoever comes to the table next takes its locks out.
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::table::{Full, Owner};
use crate::lock::{IrqLock, Rank};

static ENDED: IrqLock<Ended> = IrqLock::new(
    Rank::Files,
    Ended {
        owners: Vec::new(),
        holders: 0,
    },
);

/// Those who are gone, and whose locks are still in the table.
struct Ended {
    owners: Vec<Owner>,
    /// How many may come to be here: there is room for all of them.
    holders: usize,
}

/// What an open file is to the table.
pub(crate) struct Description {
    has_taken: AtomicBool,
}

impl Description {
    /// One that has taken no lock.
    pub(crate) const fn new() -> Self {
        Self {
            has_taken: AtomicBool::new(false),
        }
    }

    /// The owner of the locks that it takes from now on.
    pub(crate) fn as_owner(&self) -> Result<Owner, Full> {
        let mut ended = ENDED.lock();
        if !self.has_taken.load(Relaxed) {
            let room = ended.holders + 1 - ended.owners.len();
            ended.owners.try_reserve(room).map_err(|_| Full)?;
            ended.holders += 1;
            self.has_taken.store(true, Relaxed);
        }
        Ok(self.owner())
    }

    fn owner(&self) -> Owner {
        Owner::Description(core::ptr::from_ref(self).addr())
    }
}

impl Drop for Description {
    fn drop(&mut self) {
        if *self.has_taken.get_mut() {
            ENDED.lock().owners.push(self.owner());
            super::tell();
        }
    }
}

/// One who is gone. The table is the caller's.
pub(super) fn next_ended() -> Option<Owner> {
    let mut ended = ENDED.lock();
    let owner = ended.owners.pop()?;
    ended.holders -= 1;
    if ended.holders == 0 {
        ended.owners = Vec::new();
    }
    Some(owner)
}
