//! What all frames are used for: `meminfo`'s view of memory.
use crate::frame::{FrameRecord, Use};
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::PAGE_SIZE;

/// Binary logarithm of the frames in a block that would hold a huge page.
const LARGE_ORDER: u32 = 9;

/// How many uses a frame can have.
const USES: usize = Use::Zero as usize + 1;

/// Frames by use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    frames: [usize; USES],
    mapped: usize,
    in_large_blocks: usize,
    records: usize,
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

    /// How many free frames lie in free blocks of 2 MiB and more.
    pub fn in_large_blocks(&self) -> usize {
        self.in_large_blocks
    }

    /// How many pages the records of all frames take.
    pub fn record_pages(&self) -> usize {
        let bytes = self.records * size_of::<FrameRecord>();
        bytes.div_ceil(PAGE_SIZE as usize)
    }
}

impl<M: Machine> Memory<M> {
    /// Counts all frames, by one look at the first record of each block; others may change meanwhile.
    pub fn census(&self) -> Census {
        let records = self.machine.mem_map();
        let mut census = Census {
            records: records.len(),
            ..Census::default()
        };
        let mut number = 0;
        while let Some(record) = records.get(number) {
            let usage = record.usage();
            let is_block = matches!(usage, Use::FreeBlock | Use::Kernel);
            let count = if is_block { 1 << record.order() } else { 1 };
            census.frames[usage as usize] += count;
            if usage == Use::FreeBlock && record.order() >= LARGE_ORDER {
                census.in_large_blocks += count;
            }
            let is_file = matches!(usage, Use::File | Use::Shared);
            census.mapped += usize::from(is_file && record.mappings() > 0);
            number += count;
        }
        census
    }
}
