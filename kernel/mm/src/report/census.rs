//! What all frames are used for: `meminfo`'s view of memory.
use crate::frame::Use;
use crate::machine::Machine;
use crate::memory::Memory;

/// How many uses a frame can have.
const USES: usize = Use::Zero as usize + 1;

/// Frames by use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    frames: [usize; USES],
    mapped: usize,
}

impl Census {
    /// How many frames are used for `usage`.
    pub fn used(&self, usage: Use) -> usize {
        self.frames[usage as usize]
    }

    /// How many frames of files some space shows.
    pub fn mapped(&self) -> usize {
        self.mapped
    }
}

impl<M: Machine> Memory<M> {
    /// Counts all frames, by one look at the first record of each block; others may change meanwhile.
    pub fn census(&self) -> Census {
        let records = self.machine.mem_map();
        let mut census = Census::default();
        let mut number = 0;
        while let Some(record) = records.get(number) {
            let usage = record.usage();
            let is_block = matches!(usage, Use::FreeBlock | Use::Kernel);
            let count = if is_block { 1 << record.order() } else { 1 };
            census.frames[usage as usize] += count;
            let is_file = matches!(usage, Use::File | Use::Shared);
            census.mapped += usize::from(is_file && record.mappings() > 0);
            number += count;
        }
        census
    }
}
