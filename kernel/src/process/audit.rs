//! The books at the end of a run: when init has ended, every frame that a process was given must be back.
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use mm::fault::Path;
use mm::frame::Use;
use mm::stats::Counter;

use super::vdso;
use crate::arch::memory::{memory, usable_frames};
use crate::arch::{boot, stack};
use crate::heap;

/// Frames of the kernel's own when init was ready to run.
static KERNEL_FRAMES: AtomicUsize = AtomicUsize::new(0);

/// Notes what the kernel holds. Call when init has been made, and nothing has run yet.
pub(super) fn open() {
    let kernel = memory().frames_used_for(Use::Kernel);
    KERNEL_FRAMES.store(kernel, Relaxed);
    let all = memory().managed_frames();
    log::info!(
        "{} of {all} frames are free, {kernel} are the kernel's own",
        memory().free_frames()
    );
    log::debug!("heap: {}", heap::usage());
    log::info!(
        "booted in {} cycles, {} KiB of kernel memory",
        boot::cycles(),
        own_frames() * 4
    );
}

/// Frames that ring 3 can't get, of all that firmware left: the image and the archive that came with it, records of
/// frames, tables, stacks, heap, and the low memory that is left alone. What processes hold, files' pages included, is
/// theirs.
fn own_frames() -> usize {
    let memory = memory();
    let theirs = [Use::Table, Use::Anonymous, Use::File].map(|usage| memory.frames_used_for(usage));
    usable_frames() - memory.free_frames() - theirs.iter().sum::<usize>()
}

/// Checks that only the kernel holds frames, no more than at the start. Processes and files are gone.
pub(super) fn verdict() -> Result<(), String> {
    let memory = memory();
    memory.check()?;
    let deepest =
        stack::deepest().map_err(|used| format!("{used} bytes of a kernel stack were in use"))?;
    log::debug!("kernel stacks: {deepest} bytes in use at the most");
    let used = |usage| memory.frames_used_for(usage);
    let (tables, anonymous) = (used(Use::Table), used(Use::Anonymous));
    // The vDSO's pages stay for good.
    let file = used(Use::File).abs_diff(vdso::PAGES);
    let shared = used(Use::Shared);
    let (kernel, start) = (used(Use::Kernel), KERNEL_FRAMES.load(Relaxed));
    if memory.committed_pages() != 0 {
        let left = memory.committed_pages();
        return Err(format!("{left} pages are promised to nobody"));
    }
    if tables + anonymous + file + shared == 0 && kernel <= start {
        return Ok(());
    }
    let heap = heap::usage();
    Err(format!(
        "frames were lost: {tables} tables, {anonymous} anonymous, {shared} shared and {file} file frames that nobody has, \
         {kernel} of the kernel's own where it had {start}; heap: {heap}"
    ))
}

/// What faults there were, by path.
pub(super) struct Faults;

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = &memory().stats;
        let (all, major) = (stats.get(Counter::pgfault), stats.get(Counter::pgmajfault));
        write!(f, "{all} faults, {major} of them major")?;
        for path in Path::ALL.into_iter().filter(|&path| stats.path(path) > 0) {
            write!(f, "; {} {}", stats.path(path), path.name())?;
        }
        Ok(())
    }
}
