//! Blocks, taken and given back: the bitmap first, so that no block ever has two owners, then the counts.
use core::ops::Range;

use crate::bitmap;
use crate::disk::Disk;
use crate::error::Error;
use crate::group::Group;
use crate::superblock::Count;
use crate::volume::Volume;

/// Bytes of a bitmap that are changed in one go when blocks are given back, which must not need memory.
const STRETCH: u64 = 64;

impl<D: Disk> Volume<D> {
    /// Takes free blocks, at least one and at most `want`, side by side: at `goal` if possible, else in its group, else
    /// wherever there are some.
    pub(crate) fn take_blocks(&self, goal: u64, want: u64) -> Result<Range<u64>, Error> {
        let mut bits = self.block_buffer()?;
        match self.take_anywhere(goal, want, &mut bits) {
            Err(Error::NoSpace) if self.disk.settle()? => self.take_anywhere(goal, want, &mut bits),
            taken => taken,
        }
    }

    fn take_anywhere(&self, goal: u64, want: u64, bits: &mut [u8]) -> Result<Range<u64>, Error> {
        let first = self.geometry.group_of(goal);
        for group in self.groups_from(first) {
            let start = self.geometry.start_of(group);
            let bit = if group == first {
                goal.saturating_sub(start)
            } else {
                0
            };
            if let Some(taken) = self.take_in(group, bit, want, bits)? {
                return Ok(start + taken.start..start + taken.end);
            }
        }
        Err(Error::NoSpace)
    }

    /// The same in one group; counted from its first block.
    fn take_in(
        &self,
        group: u64,
        goal: u64,
        want: u64,
        bits: &mut [u8],
    ) -> Result<Option<Range<u64>>, Error> {
        let mut descriptor = self.group(group)?;
        if descriptor.free_blocks == 0 {
            return Ok(None);
        }
        let bitmap_at = self.byte_of(descriptor.block_bitmap);
        let start = self.geometry.start_of(group);
        self.disk.read(bitmap_at, bits)?;
        self.disk.withhold(start, bits);
        let Some(taken) = bitmap::search(bits, goal, self.geometry.blocks_in(group), want) else {
            return Ok(None);
        };
        if self.is_owned(group, &descriptor, start + taken.start..start + taken.end) {
            return Err(self.corrupt());
        }
        let changed = taken.start / 8..taken.end.div_ceil(8);
        let bytes = &mut bits[changed.start as usize..changed.end as usize];
        // What is withheld is free on the disk.
        self.disk.read(bitmap_at + changed.start, bytes)?;
        bitmap::set(
            bytes,
            taken.start % 8..taken.start % 8 + (taken.end - taken.start),
        );
        self.disk.write(bitmap_at + changed.start, bytes)?;
        let count = (taken.end - taken.start) as u16;
        descriptor.free_blocks = descriptor.free_blocks.saturating_sub(count);
        self.write_counts(group, &descriptor)?;
        self.change_count(Count::FreeBlocks, -i64::from(count))?;
        Ok(Some(taken))
    }

    /// Whether some of `blocks` of `group` are the file system's own.
    fn is_owned(&self, group: u64, descriptor: &Group, blocks: Range<u64>) -> bool {
        let start = self.geometry.start_of(group);
        let copies = start..start + self.geometry.copies_in(group);
        let overlaps = |other: &Range<u64>| blocks.start < other.end && other.start < blocks.end;
        overlaps(&copies) || self.owned(descriptor).iter().any(overlaps)
    }

    /// Gives `blocks` back. [`Error::Corrupt`] where they could not be anybody's, or were free.
    pub(crate) fn give_back(&self, blocks: Range<u64>) -> Result<(), Error> {
        let mut left = blocks;
        while left.start < left.end {
            let group = self.geometry.group_of(left.start);
            let start = self.geometry.start_of(group);
            let end = left.end.min(start + self.geometry.blocks_per_group);
            self.give_back_in(group, left.start - start..end - start)?;
            left.start = end;
        }
        Ok(())
    }

    fn give_back_in(&self, group: u64, blocks: Range<u64>) -> Result<(), Error> {
        let mut descriptor = self.group(group)?;
        let start = self.geometry.start_of(group);
        if self.is_owned(group, &descriptor, start + blocks.start..start + blocks.end) {
            return Err(self.corrupt());
        }
        let count = blocks.end - blocks.start;
        let cleared = self.clear_bits(self.byte_of(descriptor.block_bitmap), blocks.clone())?;
        descriptor.free_blocks = descriptor.free_blocks.saturating_add(cleared as u16);
        self.write_counts(group, &descriptor)?;
        self.change_count(Count::FreeBlocks, cleared as i64)?;
        self.disk.freed(start + blocks.start..start + blocks.end)?;
        if cleared == count {
            Ok(())
        } else {
            Err(self.corrupt())
        }
    }

    /// Clears bits of the bitmap at byte `at`, and returns how many of them were set.
    pub(crate) fn clear_bits(&self, at: u64, which: Range<u64>) -> Result<u64, Error> {
        let mut bytes = [0; STRETCH as usize];
        let (mut cleared, mut next) = (0, which.start);
        while next < which.end {
            let first = next / 8;
            let end = which.end.min((first + STRETCH) * 8);
            let bytes = &mut bytes[..(end.div_ceil(8) - first) as usize];
            self.disk.read(at + first, bytes)?;
            cleared += bitmap::clear(bytes, next - first * 8..end - first * 8);
            self.disk.write(at + first, bytes)?;
            next = end;
        }
        Ok(cleared)
    }
}
