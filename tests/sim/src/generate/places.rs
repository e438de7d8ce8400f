//! Where things happen: a few crowded neighbourhoods of the address space, chosen where tables, limits and guards meet.
use std::collections::VecDeque;

use crate::op::Span;
use crate::oracle::{TASK_END, TASK_START};
use crate::plan::Config;
use crate::random::Random;

/// Requests whose places are remembered.
const MEMORY: usize = 12;

/// The neighbourhoods of a seed.
pub(super) struct Places {
    /// First page and number of pages of each.
    crowded: Vec<(u64, u64)>,
    /// Pages of recent requests.
    recent: VecDeque<(u64, u64)>,
}

impl Places {
    pub(super) fn new(random: &mut Random, config: &Config) -> Self {
        let rules = &config.rules;
        let stack = config.stack_top;
        let mut crowded = vec![
            (0x400, 8),
            (rules.heap_start / 4096, 12),
            (stack - 16, 16),
            (rules.mmap_base - 48, 48),
        ];
        let more = [
            // The guard gap of the stack, and what may lie beyond.
            (stack - 300, 300),
            // Last-level tables end at 2 MiB, the next at 1 GiB, the top at 512 GiB.
            (0x12_3e00 - 8, 16),
            (0x44_0000 - 8, 16),
            (0x800_0000 - 8, 16),
            // Where MAP_32BIT places.
            (0x4_0000, 24),
            // Both ends of the space.
            (TASK_START - 4, 12),
            (TASK_END - 8, 12),
        ];
        for _ in 0..random.below(4) {
            crowded.push(random.pick(&more));
        }
        Self {
            crowded,
            recent: VecDeque::new(),
        }
    }

    /// A page that is likely to matter.
    pub(super) fn page(&self, random: &mut Random) -> u64 {
        if !self.recent.is_empty() && random.chance(50) {
            let (start, len) = self.recent[random.below(self.recent.len() as u64) as usize];
            // One page to each side belongs to the neighbours.
            return (start + random.below(len + 2)).saturating_sub(1);
        }
        let at = random.below(self.crowded.len() as u64) as usize;
        let (start, len) = self.crowded[at];
        let page = start + random.below(len);
        match random.below(30) {
            0 => page.saturating_sub(random.between(254, 258)),
            1 => page + random.between(254, 258),
            _ => page,
        }
    }

    /// Notes where a request wants to be.
    pub(super) fn remember(&mut self, span: Span) {
        let len = span.length.div_ceil(4096);
        if span.address == 0 || len == 0 || len > 32 {
            return;
        }
        if self.recent.len() == MEMORY {
            self.recent.pop_front();
        }
        self.recent.push_back((span.address / 4096, len));
    }
}
