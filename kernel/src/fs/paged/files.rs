//! All files whose pages lie on a disk, by device and inode.
//!
//! A file stays here while anybody has it, and while a page of it is dirty: what was stored through a mapping reaches the
//! disk though nobody has the file any more. It goes with [`close`]; or when a read ends that was on its way then; or the
//! flusher takes it out.
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::ControlFlow;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use abi::Errno;
use mm::page_cache::{CachedFile, Source};

use super::{Owner, Paged, of};
use crate::arch::memory::memory;
use crate::block::Window;
use crate::lock::{IrqLock, Rank};

/// Device and inode.
pub(super) type Key = (u64, u64);

struct Entry {
    key: Key,
    file: Arc<CachedFile>,
}

/// Somebody closed a file that may still have others: a read, perhaps, that will be its last holder.
static IS_LEFT_OVER: AtomicBool = AtomicBool::new(false);

/// In the order of their keys.
static FILES: IrqLock<Vec<Entry>> = IrqLock::new(Rank::Files, Vec::new());

fn place(files: &[Entry], key: Key) -> Result<usize, usize> {
    files.binary_search_by_key(&key, |entry| entry.key)
}

/// The pages of `owner`'s file: those that are there already, or those of a new one of `size` bytes, none of which are in
/// memory. To be given back with [`close`].
pub(crate) fn open(owner: Arc<dyn Owner>, size: u64) -> Result<Arc<CachedFile>, Errno> {
    let key = owner.identity();
    let paged = Paged {
        owner,
        faults: IrqLock::new(Rank::Files, Window::new()),
        dirty_since: IrqLock::new(Rank::Files, None),
        is_closed: AtomicBool::new(false),
    };
    let paged = Arc::try_new(paged).map_err(|_| Errno::ENOMEM)?;
    let file = CachedFile::new(key.1, Source::Disk, size).with_owner(paged);
    let file = Arc::try_new(file).map_err(|_| Errno::ENOMEM)?;
    let mut files = FILES.lock();
    match place(&files, key) {
        Ok(there) => {
            let there = files[there].file.clone();
            if let Some(paged) = of(&there) {
                paged.is_closed.store(false, Relaxed);
            }
            drop(files);
            Ok(there)
        }
        Err(place) => {
            files.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            let entry = Entry {
                key,
                file: file.clone(),
            };
            files.insert(place, entry);
            Ok(file)
        }
    }
}

/// One who had a file lets go of it. With the last one it leaves memory, unless some of it must be written first.
pub(crate) fn close(file: Arc<CachedFile>) {
    if let Some(paged) = of(&file) {
        paged.is_closed.store(true, Relaxed);
        IS_LEFT_OVER.store(true, Relaxed);
    }
    file.release(memory());
    collect_left_over();
}

/// Has those leave memory that nobody needs any more.
pub(crate) fn collect() {
    collect_if(|_| true);
}

/// The same where somebody closed a file. One that was removed is not for whoever closes another or sees a disk's answer:
/// with it its places are given back, which may take waiting.
pub(crate) fn collect_left_over() {
    if IS_LEFT_OVER.load(Relaxed) {
        collect_if(|paged| paged.owner.is_wanted());
    }
}

fn collect_if(may_go: fn(&Paged) -> bool) {
    while let Some(idle) = take_idle(may_go) {
        idle.release(memory());
    }
}

/// Takes a file out that nobody else has, and whose pages are nobody's concern.
fn take_idle(may_go: fn(&Paged) -> bool) -> Option<Arc<CachedFile>> {
    let mut files = FILES.lock();
    let mut is_left_over = false;
    let is_idle = |entry: &Entry| {
        let Some(paged) = of(&entry.file) else {
            return false;
        };
        let is_closed = paged.is_closed.load(Relaxed);
        is_left_over |= is_closed;
        is_closed && may_go(paged) && is_unused(&entry.file, paged)
    };
    let place = files.iter().position(is_idle);
    IS_LEFT_OVER.store(is_left_over, Relaxed);
    let idle = place.map(|place| files.remove(place).file);
    if files.is_empty() {
        *files = Vec::new();
    }
    idle
}

fn is_unused(file: &Arc<CachedFile>, paged: &Paged) -> bool {
    let is_clean = file.dirty_pages() == 0 && file.pages_being_written() == 0;
    Arc::strong_count(file) == 1 && (is_clean || !paged.owner.is_wanted())
}

/// Shows each file to `see`, in the order of their keys. No lock is held meanwhile.
pub(super) fn each(mut see: impl FnMut(&Arc<CachedFile>)) {
    each_from((0, 0), |_, file| {
        see(file);
        ControlFlow::Continue(())
    });
}

/// Shows files to `see` from `from` on, until it says that it has seen enough.
pub(super) fn each_from(from: Key, mut see: impl FnMut(Key, &Arc<CachedFile>) -> ControlFlow<()>) {
    let mut from = Some(from);
    while let Some((key, file)) = from.and_then(next) {
        let seen = see(key, &file);
        file.release(memory());
        from = behind(key).filter(|_| seen.is_continue());
    }
}

/// The key after `key`.
fn behind((device, inode): Key) -> Option<Key> {
    let device = if inode == u64::MAX {
        device.checked_add(1)?
    } else {
        device
    };
    Some((device, inode.wrapping_add(1)))
}

/// The first file from `from` on.
fn next(from: Key) -> Option<(Key, Arc<CachedFile>)> {
    let files = FILES.lock();
    let place = place(&files, from).unwrap_or_else(|place| place);
    let entry = files.get(place)?;
    Some((entry.key, entry.file.clone()))
}
