//! The process table's storage: entries by number, in chunks that exist only while one of their numbers is taken.
use alloc::boxed::Box;

use mm::OutOfMemory;

use super::table::Entry;

/// Entries in a chunk, which then fits into a frame.
const CHUNK: usize = 64;

/// Entries for numbers below `CHUNKS * CHUNK`.
const CHUNKS: usize = super::table::PID_MAX as usize / CHUNK;

struct Chunk {
    entries: [Entry; CHUNK],
    /// Numbers that are taken.
    taken: usize,
}

/// An array with holes.
pub(super) struct Entries {
    chunks: [Option<Box<Chunk>>; CHUNKS],
}

impl Entries {
    pub(super) const fn new() -> Self {
        Self {
            chunks: [const { None }; CHUNKS],
        }
    }

    /// The entry of a number that may be taken.
    pub(super) fn get(&self, pid: u32) -> Option<&Entry> {
        let chunk = self.chunks.get(pid as usize / CHUNK)?.as_ref()?;
        Some(&chunk.entries[pid as usize % CHUNK])
    }

    /// The entry of a number that is taken, or whose neighbour is.
    pub(super) fn get_mut(&mut self, pid: u32) -> Option<&mut Entry> {
        let chunk = self.chunks.get_mut(pid as usize / CHUNK)?.as_mut()?;
        Some(&mut chunk.entries[pid as usize % CHUNK])
    }

    /// Takes a number that is free.
    pub(super) fn take(&mut self, pid: u32) -> Result<&mut Entry, OutOfMemory> {
        let place = &mut self.chunks[pid as usize / CHUNK];
        if place.is_none() {
            let new = || Chunk {
                entries: [const { Entry::new() }; CHUNK],
                taken: 0,
            };
            *place = Some(Box::try_new(new()).map_err(|_| OutOfMemory)?);
        }
        let chunk = place.as_mut().ok_or(OutOfMemory)?;
        chunk.taken += 1;
        Ok(&mut chunk.entries[pid as usize % CHUNK])
    }

    /// Frees a number that was taken and returns what its entry held.
    pub(super) fn free(&mut self, pid: u32) -> Entry {
        let place = &mut self.chunks[pid as usize / CHUNK];
        let Some(chunk) = place else {
            return Entry::new();
        };
        let entry = core::mem::replace(&mut chunk.entries[pid as usize % CHUNK], Entry::new());
        chunk.taken -= 1;
        if chunk.taken == 0 {
            *place = None;
        }
        entry
    }
}
