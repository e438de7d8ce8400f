//! Physical memory before there is an allocator: sorted ranges of frames that can be added, taken out and counted.
//!
//! The loader's map has dozens of regions under UEFI, which don't come sorted and may touch or overlap; here they are one
//! sorted list without overlaps, in fixed room, since nothing can be allocated yet.
use core::ops::Range;

/// More pieces than any firmware's map was seen to have.
const CAPACITY: usize = 512;

/// Disjoint ranges of frame numbers in ascending order.
pub(super) struct Memblock {
    ranges: [Range<u32>; CAPACITY],
    len: usize,
}

impl Memblock {
    pub(super) const fn new() -> Self {
        Self {
            ranges: [const { 0..0 }; CAPACITY],
            len: 0,
        }
    }

    /// The ranges, ascending.
    pub(super) fn ranges(&self) -> &[Range<u32>] {
        &self.ranges[..self.len]
    }

    /// How many frames all ranges hold.
    pub(super) fn frames(&self) -> u64 {
        self.ranges().iter().map(|range| range.len() as u64).sum()
    }

    /// One above the highest frame.
    pub(super) fn end(&self) -> u32 {
        self.ranges().last().map_or(0, |range| range.end)
    }

    /// Whether all of `range` is here.
    pub(super) fn contains(&self, range: &Range<u32>) -> bool {
        self.ranges()
            .iter()
            .any(|have| have.start <= range.start && range.end <= have.end)
    }

    /// Whether any of `range` is here.
    pub(super) fn touches(&self, range: &Range<u32>) -> bool {
        self.ranges()
            .iter()
            .any(|have| have.start < range.end && range.start < have.end)
    }

    /// Takes `range` in; what was there already stays, neighbours join.
    pub(super) fn add(&mut self, range: Range<u32>) {
        if range.is_empty() {
            return;
        }
        let first = self.ranges().partition_point(|have| have.end < range.start);
        let after = self
            .ranges()
            .partition_point(|have| have.start <= range.end);
        let joined = self.ranges[first..after]
            .iter()
            .fold(range, |a, b| a.start.min(b.start)..a.end.max(b.end));
        self.replace(first, after, &[joined]);
    }

    /// Takes `range` out, whatever of it is here.
    pub(super) fn remove(&mut self, range: Range<u32>) {
        if range.is_empty() {
            return;
        }
        let first = self
            .ranges()
            .partition_point(|have| have.end <= range.start);
        let after = self.ranges().partition_point(|have| have.start < range.end);
        if first == after {
            return;
        }
        let left = self.ranges[first].start..range.start;
        let right = range.end..self.ranges[after - 1].end;
        match (left.is_empty(), right.is_empty()) {
            (true, true) => self.replace(first, after, &[]),
            (true, false) => self.replace(first, after, &[right]),
            (false, true) => self.replace(first, after, &[left]),
            (false, false) => self.replace(first, after, &[left, right]),
        }
    }

    /// Takes `count` frames in a row out of the upper end of the largest range.
    pub(super) fn take(&mut self, count: u32) -> Option<Range<u32>> {
        let largest = self.ranges().iter().max_by_key(|range| range.len())?;
        let taken = largest.end.checked_sub(count)?..largest.end;
        if taken.start < largest.start {
            return None;
        }
        self.remove(taken.clone());
        Some(taken)
    }

    /// Puts `new` where the ranges `first..after` were.
    fn replace(&mut self, first: usize, after: usize, new: &[Range<u32>]) {
        let len = self.len - (after - first) + new.len();
        assert!(
            len <= CAPACITY,
            "the memory map has more than {CAPACITY} pieces"
        );
        if new.len() <= after - first {
            self.ranges[first + new.len()..self.len].rotate_left(after - first - new.len());
        } else {
            let grow = new.len() - (after - first);
            self.ranges[after..self.len + grow].rotate_right(grow);
        }
        self.ranges[first..first + new.len()].clone_from_slice(new);
        self.len = len;
    }
}
