//! Where things happen: a few crowded neighbourhoods of the address space, chosen where tables, limits and guards meet.
use std::collections::VecDeque;

use crate::oracle::{Area, TASK_END, TASK_START};
use crate::plan::Config;
use crate::random::Random;

/// Pages that are remembered as touched.
const MEMORY: usize = 12;

/// The neighbourhoods of a seed.
pub(super) struct Places {
    /// First page and number of pages of each.
    crowded: Vec<(u64, u64)>,
    /// Pages that were touched lately, perhaps by other processes.
    warm: VecDeque<u64>,
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
            warm: VecDeque::new(),
        }
    }

    /// A page to touch: often one that was touched before, so that copies are made and shared pages meet.
    pub(super) fn touched_page(&mut self, random: &mut Random, area: Option<Area>) -> u64 {
        if random.chance(45)
            && let Some(page) = self.warm_page(random)
        {
            return page;
        }
        let page = self.page(random, area);
        if self.warm.len() == MEMORY {
            self.warm.pop_front();
        }
        self.warm.push_back(page);
        page
    }

    fn warm_page(&self, random: &mut Random) -> Option<u64> {
        let at = random.below(self.warm.len().max(1) as u64);
        self.warm.get(at as usize).copied()
    }

    /// A page that is likely to matter, in or beside `area`, or anywhere in the neighbourhoods.
    pub(super) fn page(&self, random: &mut Random, area: Option<Area>) -> u64 {
        if let Some(area) = area
            && random.chance(70)
        {
            return page_near(random, &area);
        }
        if random.chance(40)
            && let Some(page) = self.warm_page(random)
        {
            return page;
        }
        let at = random.below(self.crowded.len() as u64) as usize;
        let (start, len) = self.crowded[at];
        near(random, start + random.clone().below(len))
    }
}

/// A page of `area`, most likely near one of its ends; one page to each side belongs to the neighbours.
fn page_near(random: &mut Random, area: &Area) -> u64 {
    let last = area.pages() + 1;
    let offset = match random.below(4) {
        0 => random.below(last.min(4) + 1),
        1 => last - random.below(last.min(4) + 1),
        _ => random.between(1, area.pages()),
    };
    near(random, (area.start + offset).saturating_sub(1))
}

/// Now and then a page as far away as a guard gap is wide.
fn near(random: &mut Random, page: u64) -> u64 {
    match random.below(60) {
        0 => page.saturating_sub(random.between(254, 258)),
        1 => page + random.between(254, 258),
        _ => page,
    }
}
