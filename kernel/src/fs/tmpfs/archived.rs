//! What the boot image's archive still holds of a file.
//!
//! The archive stays where the loader put it; a page is copied into a frame of its own when it is first needed. Cutting a
//! file short lowers the mark behind which the archive counts for nothing, and the mark never rises: what was cut off
//! reads as zeroes when the file grows again.
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use mm::page_cache::{Read, ReadResult};
use mm::{PAGE_SIZE, remote};

use crate::arch::memory::memory;
use crate::fs::gate::Gate;

/// A file's bytes in the archive.
pub(crate) struct Archived {
    data: &'static [u8],
    /// As many of them still count.
    mark: AtomicU64,
    /// Held while a page is filled, and while the mark changes.
    gate: Gate<()>,
}

impl Archived {
    pub(super) fn new(data: &'static [u8]) -> Self {
        Self {
            data,
            mark: AtomicU64::new(data.len() as u64),
            gate: Gate::new(()),
        }
    }

    /// How many bytes still count.
    pub(super) fn mark(&self) -> u64 {
        self.mark.load(Relaxed)
    }

    /// What counts from `offset` on.
    pub(super) fn rest(&self, offset: u64) -> &'static [u8] {
        let rest = offset as usize..self.mark() as usize;
        self.data.get(rest).unwrap_or_default()
    }

    /// Copies bytes from `offset` on, then zeroes.
    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) {
        let rest = self.rest(offset);
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        buffer[count..].fill(0);
    }

    /// Only the first `size` bytes count from here on, while `change` makes the file so short.
    pub(super) fn cut<R>(&self, size: u64, change: impl FnOnce() -> R) -> R {
        let _filling = self.gate.enter();
        self.mark.fetch_min(size, Relaxed);
        change()
    }

    fn fill(&self, read: Read) {
        let _cutting = self.gate.enter();
        let rest = self.rest(read.index() * PAGE_SIZE);
        let count = rest.len().min(PAGE_SIZE as usize);
        let words = mm::machine::PhysMem::words(&memory().machine, read.frame());
        remote::write_bytes(words, 0, &rest[..count]);
        read.complete(memory(), ReadResult::Filled);
    }
}

/// Performs a read that a fault asked for. Only files of the archive are read.
pub(crate) fn complete(read: Read) {
    let file = read.file().clone();
    match super::of_cached(&file).and_then(|card| card.archived.as_ref()) {
        Some(archived) => archived.fill(read),
        None => read.complete(memory(), ReadResult::Failed),
    }
    file.release(memory());
}
