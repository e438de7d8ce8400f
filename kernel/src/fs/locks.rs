//! Advisory locks: flock(2) and the byte ranges of fcntl(2). Nothing but other locks respects them.
//!
//! All are in one table behind a gate, since few programs hold many. Whoever gives one up wakes all who wait for any.
mod description;
pub(crate) mod table;

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use abi::Errno;

use super::gate::{Gate, Turn};
use super::open::OpenFile;
use crate::process::{signal, waiting};
pub(crate) use description::Description;
use table::{Family, File, Full, Lock, Owner, Table};

static TABLE: Gate<Table> = Gate::new(Table::new());

/// How often a lock was given up.
static CHANGES: AtomicU64 = AtomicU64::new(0);

/// What to do where a lock is in the way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    Refuse,
    Wait,
}

impl From<Full> for Errno {
    fn from(_: Full) -> Self {
        Self::ENOLCK
    }
}

/// The file that locks are about.
pub(crate) fn file_of(open: &OpenFile) -> File {
    let status = open.kind.status();
    (status.device, status.number)
}

/// The table, without the locks of those who are gone.
fn enter() -> Turn<'static, Table> {
    let mut table = TABLE.enter();
    while let Some(owner) = description::next_ended() {
        table.forget(owner, None);
        table.let_wait(owner);
    }
    table
}

/// The lock that keeps `wanted` from being taken.
pub(crate) fn conflict(wanted: &Lock) -> Option<Lock> {
    enter().conflict(wanted).cloned()
}

/// What the owner of `wanted` has of its bytes.
pub(crate) fn own(wanted: &Lock) -> Option<Lock> {
    enter().own(wanted).cloned()
}

/// Takes `lock`, `EAGAIN` where it would have to wait and must not.
pub(crate) fn take(lock: &Lock, patience: Patience) -> Result<(), Errno> {
    loop {
        let seen = CHANGES.load(Relaxed);
        if try_take(lock, patience)? {
            return Ok(());
        }
        waiting::wait(key(), None, || {
            CHANGES.load(Relaxed) != seen || signal::interrupted()
        });
        enter().stop_waiting(lock.owner);
        if signal::interrupted() {
            return Err(Errno::ERESTARTSYS);
        }
    }
}

/// Takes it, or notes that its owner waits for another.
fn try_take(lock: &Lock, patience: Patience) -> Result<bool, Errno> {
    let mut table = enter();
    if lock.family == Family::Whole && !table.has(lock) {
        // As on Linux, who exchanges one hold for another has none in between.
        table.clear(lock)?;
    }
    let Some(other) = table.conflict(lock).map(|other| other.owner) else {
        table.set(lock.clone())?;
        // A weaker hold than before may be what others wait for.
        changed(table, lock.owner);
        return Ok(true);
    };
    if patience == Patience::Refuse {
        changed(table, lock.owner);
        return Err(Errno::EAGAIN);
    }
    let can_end = match lock.owner {
        Owner::Process(_) => table.wait(lock, other)?,
        Owner::Description(_) => true,
    };
    if can_end {
        Ok(false)
    } else {
        Err(Errno::EDEADLK)
    }
}

/// Gives the bytes of `lock` up.
pub(crate) fn give_up(lock: &Lock) -> Result<(), Errno> {
    let mut table = enter();
    table.clear(lock)?;
    changed(table, lock.owner);
    Ok(())
}

/// Gives up what `owner` holds, of one file or of all.
pub(crate) fn forget(owner: Owner, file: Option<File>) {
    let mut table = enter();
    table.forget(owner, file);
    changed(table, owner);
}

/// `owner` may hold less than before: all who wait look again.
fn changed(mut table: Turn<'_, Table>, owner: Owner) {
    table.let_wait(owner);
    drop(table);
    tell();
}

/// Has all who wait look again.
fn tell() {
    CHANGES.fetch_add(1, Relaxed);
    waiting::wake(key());
}

/// What those who wait for a lock wait for.
fn key() -> usize {
    core::ptr::from_ref(&TABLE).addr()
}
