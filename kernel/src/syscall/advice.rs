//! `madvise` and `process_madvise`: Linux's numbers for what a program knows of memory, and the advice that takes time.
use alloc::sync::Arc;

use abi::Errno;
use abi::general::{
    MADV_COLD, MADV_DODUMP, MADV_DOFORK, MADV_DONTDUMP, MADV_DONTFORK, MADV_DONTNEED,
    MADV_DONTNEED_LOCKED, MADV_FREE, MADV_HUGEPAGE, MADV_KEEPONFORK, MADV_MERGEABLE,
    MADV_NOHUGEPAGE, MADV_NORMAL, MADV_PAGEOUT, MADV_POPULATE_READ, MADV_POPULATE_WRITE,
    MADV_RANDOM, MADV_REMOVE, MADV_SEQUENTIAL, MADV_UNMERGEABLE, MADV_WILLNEED, MADV_WIPEONFORK,
};
use mm::madvise::{Advice, advised_pages};
use mm::populate::Populate;

use super::memory::errno;
use super::{Answer, Arguments, pidfd, vector};
use crate::arch::memory::memory;
use crate::fault;
use crate::fs::buffers::Buffer;
use crate::process::oom::{self, Need};
use crate::process::{Space, current, signal};

/// madvise(2).
pub(super) fn madvise([address, length, advice, ..]: Arguments) -> Answer {
    let space = current().space().ok_or(Errno::ENOMEM)?;
    advise(&space, [address, length], advice as u32)
}

/// process_madvise(2): how many bytes of the pieces were advised on. Of another's memory one may only say how soon it will
/// be needed.
pub(super) fn process_madvise([number, list, count, advice, flags, _]: Arguments) -> Answer {
    if flags as u32 != 0 {
        return Err(Errno::EINVAL);
    }
    let pieces = vector::reachable(list, count)?;
    let process = pidfd::process(number)?;
    let space = process.space().ok_or(Errno::ESRCH)?;
    let advice = advice as u32;
    let is_own = current()
        .space()
        .is_some_and(|own| Arc::ptr_eq(&own, &space));
    if !is_own && !matches!(advice, MADV_COLD | MADV_PAGEOUT | MADV_WILLNEED) {
        return Err(Errno::EINVAL);
    }
    let mut advised = 0;
    for piece in pieces {
        match advise(&space, piece, advice) {
            Ok(_) => advised += piece[1],
            Err(errno) if advised == 0 => return Err(errno),
            Err(_) => break,
        }
        if signal::is_dying() {
            break;
        }
    }
    Ok(advised)
}

fn advise(space: &Space, [address, length]: Buffer, advice: u32) -> Answer {
    let wish = match advice {
        MADV_POPULATE_READ => Some(Populate::Read),
        MADV_POPULATE_WRITE => Some(Populate::Write),
        _ => None,
    };
    if let Some(wish) = wish {
        let pages = advised_pages(address, length).map_err(errno)?;
        return fault::populate(space, pages, wish)
            .map(|()| 0)
            .map_err(errno);
    }
    let advice = advice_of(advice).ok_or(Errno::EINVAL)?;
    let done = oom::retry(Need::Area, || {
        let done = space.write().madvise(memory(), address, length, advice);
        done.map_err(errno)
    });
    if advice == Advice::WillNeed {
        let pages = advised_pages(address, length).map_err(errno)?;
        fault::read_ahead(space, pages);
    }
    done.map(|()| 0)
}

/// By number; `None` for advice that does not exist, or needs what this kernel has not got.
fn advice_of(number: u32) -> Option<Advice> {
    Some(match number {
        MADV_NORMAL => Advice::Normal,
        MADV_RANDOM => Advice::Random,
        MADV_SEQUENTIAL => Advice::Sequential,
        MADV_WILLNEED => Advice::WillNeed,
        MADV_DONTNEED => Advice::DontNeed,
        MADV_DONTNEED_LOCKED => Advice::DontNeedLocked,
        MADV_FREE => Advice::Free,
        MADV_REMOVE => Advice::Remove,
        MADV_DONTFORK => Advice::DontFork,
        MADV_DOFORK => Advice::DoFork,
        MADV_WIPEONFORK => Advice::WipeOnFork,
        MADV_KEEPONFORK => Advice::KeepOnFork,
        MADV_COLD => Advice::Cold,
        MADV_PAGEOUT => Advice::PageOut,
        MADV_HUGEPAGE => Advice::HugePage,
        MADV_NOHUGEPAGE => Advice::NoHugePage,
        MADV_DONTDUMP => Advice::DontDump,
        MADV_DODUMP => Advice::DoDump,
        MADV_MERGEABLE => Advice::Mergeable,
        MADV_UNMERGEABLE => Advice::Unmergeable,
        _ => return None,
    })
}
