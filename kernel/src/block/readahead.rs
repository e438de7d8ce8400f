//! How far to read ahead, as Linux does: a window that doubles while pages are asked for in order; around a fault, which
//! says nothing of order, a window of the largest size.
//!
//! A window ends in a part that is read before anybody asked for it. Whoever comes to the first page of that part, the
//! mark, has the next window begun, so that a reader in order never waits. Pages out of order are read as asked.
use core::ops::Range;

use mm::page_cache::Pattern;

/// Pages of the largest window of who has said nothing of himself: Linux's 128 KiB.
const MOST: u64 = 32;

/// Pages of the largest window there is: of who said that he reads in order.
pub(crate) const LARGEST: u64 = 2 * MOST;

/// Faults that find nothing, one after the other without one that comes to a mark, before nobody reads around them any
/// more.
const PATIENCE: u32 = 100;

/// What is known of one reader.
#[derive(Debug)]
pub(crate) struct Window {
    start: u64,
    size: u64,
    /// How many of them nobody had asked for.
    ahead: u64,
    /// The page behind the last that was asked for.
    next: u64,
    /// A page that is to be read alone.
    alone: Option<u64>,
    /// What the reader said of himself.
    pattern: Pattern,
    /// Faults since one came to a mark.
    misses: u32,
}

/// What is to be read.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) pages: Range<u64>,
    /// Who comes to this one has more read.
    pub(crate) mark: Option<u64>,
}

impl Plan {
    /// These, and nothing follows from it.
    pub(crate) fn just(pages: Range<u64>) -> Self {
        Self { pages, mark: None }
    }

    fn alone(index: u64) -> Self {
        Self::just(index..index + 1)
    }
}

impl Window {
    /// A reader that has not read yet.
    pub(crate) const fn new() -> Self {
        Self {
            start: 0,
            size: 0,
            ahead: 0,
            next: 0,
            alone: None,
            pattern: Pattern::Unknown,
            misses: 0,
        }
    }

    /// The reader says in which order he will ask.
    pub(crate) fn expect(&mut self, pattern: Pattern) {
        self.pattern = pattern;
    }

    /// A fault came to page `index`, which is not in memory, of an area with this pattern.
    pub(crate) fn fault(&mut self, index: u64, pattern: Pattern) -> Plan {
        match pattern {
            Pattern::Random => Plan::alone(index),
            Pattern::Rising => self.miss(index, MOST),
            Pattern::Unknown if self.alone.take() == Some(index) => Plan::alone(index),
            Pattern::Unknown => self.around(index),
        }
    }

    fn around(&mut self, index: u64) -> Plan {
        if self.misses == PATIENCE {
            return Plan::alone(index);
        }
        self.misses += 1;
        self.next = index + 1;
        self.start = index.saturating_sub(MOST / 2);
        self.size = MOST;
        self.ahead = MOST / 4;
        self.plan()
    }

    /// Page `index` is asked for, `wanted` pages from there on are, and it is not in memory.
    pub(crate) fn miss(&mut self, index: u64, wanted: u64) -> Plan {
        let wanted = wanted.clamp(1, self.most());
        let end = self.start + self.size;
        let was_next = self.next;
        self.next = index + 1;
        if self.alone.take() == Some(index) {
            return Plan::alone(index);
        }
        if self.pattern == Pattern::Random {
            return Plan::just(index..index + wanted);
        }
        if self.size > 0 && index == end {
            self.move_on();
        } else if index == 0 || index == was_next || index + 1 == was_next {
            self.start = index;
            self.size = self.first_size(wanted);
            self.ahead = self.size.saturating_sub(wanted).max(1);
        } else {
            // Out of order: no window.
            return Plan::just(index..index + wanted);
        }
        self.plan()
    }

    /// Page `index` is asked for and in memory: what is to be read in the background, if it is time for that.
    pub(crate) fn hit(&mut self, index: u64) -> Option<Plan> {
        self.next = index + 1;
        let end = self.start + self.size;
        if self.size == 0 || self.ahead == 0 || index != end - self.ahead {
            return None;
        }
        self.misses = 0;
        self.move_on();
        Some(self.plan())
    }

    /// A window that began with page `index` could not be read, perhaps for another page's sake: it is to be tried alone.
    pub(crate) fn failed(&mut self, index: u64) {
        self.size = 0;
        self.alone = Some(index);
    }

    fn plan(&self) -> Plan {
        let end = self.start + self.size;
        Plan {
            pages: self.start..end,
            mark: Some(end - self.ahead),
        }
    }

    fn move_on(&mut self) {
        self.start += self.size;
        self.size = self.next_size();
        self.ahead = self.size;
    }

    /// Pages of the largest window.
    fn most(&self) -> u64 {
        match self.pattern {
            Pattern::Rising => LARGEST,
            Pattern::Unknown | Pattern::Random => MOST,
        }
    }

    /// How large the first window is for a request of `wanted` pages.
    fn first_size(&self, wanted: u64) -> u64 {
        let (size, most) = (wanted.next_power_of_two(), self.most());
        if size <= most / 32 {
            size * 4
        } else if size <= most / 4 {
            size * 2
        } else {
            most
        }
    }

    /// How large a window is behind this one.
    fn next_size(&self) -> u64 {
        let most = self.most();
        if self.size < most / 16 {
            self.size * 4
        } else {
            (self.size * 2).min(most)
        }
    }
}
