//! `mlock` and its kin, `mincore`, `msync`: whether pages are in memory, stay there, and reach their file.
use alloc::sync::Arc;
use core::ops::Range;

use abi::Errno;
use abi::general::{MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT, MLOCK_ONFAULT};
use mm::mlock::Lock;
use mm::msync::{self, Sync};
use mm::page_cache::CachedFile;
use mm::populate::Populate;
use mm::space::USER_END;
use mm::{Backing, Error, PAGE_SIZE, Page, VmFlags};

use super::memory::{errno, populate};
use super::{Answer, Arguments, user};
use crate::arch::memory::memory;
use crate::fault;
use crate::fs::paged;
use crate::process::oom::{self, Need};
use crate::process::{Space, current};

/// mlock(2).
pub(super) fn mlock([address, length, ..]: Arguments) -> Answer {
    lock(address, length, Lock::Now)
}

/// mlock2(2).
pub(super) fn mlock2([address, length, flags, ..]: Arguments) -> Answer {
    match flags as u32 {
        0 => lock(address, length, Lock::Now),
        MLOCK_ONFAULT => lock(address, length, Lock::OnFault),
        _ => Err(Errno::EINVAL),
    }
}

fn lock(address: u64, length: u64, lock: Lock) -> Answer {
    let space = current().space().ok_or(Errno::ENOMEM)?;
    let pages = oom::retry(Need::Area, || {
        let locked = space.write().mlock(memory(), address, length, lock);
        locked.map_err(errno)
    })?;
    // What the standard calls them: pages out of reach are no memory, and memory that ran out may come back.
    match fault::populate(&space, pages, Populate::Area) {
        Ok(()) => Ok(0),
        Err(Error::BadAddress) => Err(Errno::ENOMEM),
        Err(_) => Err(Errno::EAGAIN),
    }
}

/// munlock(2).
pub(super) fn munlock([address, length, ..]: Arguments) -> Answer {
    let space = current().space().ok_or(Errno::ENOMEM)?;
    oom::retry(Need::Area, || {
        let done = space.write().munlock(memory(), address, length);
        done.map(|()| 0).map_err(errno)
    })
}

/// mlockall(2).
pub(super) fn mlockall([flags, ..]: Arguments) -> Answer {
    let flags = flags as u32;
    let known = MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT;
    if flags & !known != 0 || flags & (MCL_CURRENT | MCL_FUTURE) == 0 {
        return Err(Errno::EINVAL);
    }
    let lock = if flags & MCL_ONFAULT != 0 {
        Lock::OnFault
    } else {
        Lock::Now
    };
    let now = (flags & MCL_CURRENT != 0).then_some(lock);
    let future = if flags & MCL_FUTURE != 0 {
        lock
    } else {
        Lock::Free
    };
    let space = current().space().ok_or(Errno::ENOMEM)?;
    space.write().mlockall(now, future).map_err(errno)?;
    if now.is_some() {
        populate(&space, 0, USER_END.address());
    }
    Ok(0)
}

/// munlockall(2).
pub(super) fn munlockall() -> Answer {
    let space = current().space().ok_or(Errno::ENOMEM)?;
    space.write().munlockall();
    Ok(0)
}

/// Pages that `mincore` looks at before it lets others have the space.
const BATCH: usize = 256;

/// mincore(2).
pub(super) fn mincore([address, length, vector, ..]: Arguments) -> Answer {
    if !address.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    let end = address.checked_add(length);
    if end.is_none_or(|end| end > USER_END.address()) {
        return Err(Errno::ENOMEM);
    }
    let pages = length.div_ceil(PAGE_SIZE);
    if vector
        .checked_add(pages)
        .is_none_or(|end| end > USER_END.address())
    {
        return Err(Errno::EFAULT);
    }
    let space = current().space().ok_or(Errno::ENOMEM)?;
    let mut done = 0;
    while done < pages {
        let mut resident = [0; BATCH];
        let count = (pages - done).min(BATCH as u64) as usize;
        let start = Page::containing(address) + done;
        let looked = space
            .read()
            .mincore(memory(), start, &mut resident[..count]);
        let count = looked.map_err(errno)?;
        user::write_bytes(vector + done, &resident[..count])?;
        done += count as u64;
    }
    Ok(0)
}

/// msync(2).
pub(super) fn msync([address, length, flags, ..]: Arguments) -> Answer {
    let how = Sync::from_bits(flags as u32).ok_or(Errno::EINVAL)?;
    let space = current().space().ok_or(Errno::ENOMEM)?;
    let start = Page::containing(address);
    let shared = space.read();
    let done = shared.msync(address, length, how);
    let end = match done {
        Ok(()) | Err(Error::OutOfMemory) => msync::end(address, length),
        Err(Error::Busy) => shared.first_locked(start).map(Page::address),
        Err(_) => None,
    };
    drop(shared);
    if let Some(end) = end.filter(|_| how.contains(Sync::SYNC)) {
        write_shared(&space, start, end)?;
    }
    done.map(|()| 0).map_err(errno)
}

/// Has what was stored to shared files between page `at` and byte `end` survive the loss of power.
fn write_shared(space: &Space, mut at: Page, end: u64) -> Result<(), Errno> {
    while let Some((file, bytes, next)) = next_shared(space, at, end) {
        at = next;
        let mut seen = file.failures_seen();
        let synced = paged::sync(&file, &bytes);
        let is_failed = file.has_failed_since(&mut seen);
        paged::close(file);
        synced?;
        if is_failed {
            return Err(Errno::EIO);
        }
    }
    Ok(())
}

/// The first file that is shared from page `at` on, which bytes of it, and where to go on.
fn next_shared(
    space: &Space,
    mut at: Page,
    end: u64,
) -> Option<(Arc<CachedFile>, Range<u64>, Page)> {
    let shared = space.read();
    while let Some(vma) = shared.find_vma(at.address()) {
        let start = vma.start.max(at);
        if start.address() >= end {
            return None;
        }
        if vma.flags.contains(VmFlags::SHARED)
            && let Backing::File { file, .. } = &vma.backing
            && let Some(index) = vma.file_index(start)
        {
            let length = vma.end.address().min(end) - start.address();
            let first = index * PAGE_SIZE;
            return Some((file.clone(), first..first + length, vma.end));
        }
        at = vma.end;
    }
    None
}
