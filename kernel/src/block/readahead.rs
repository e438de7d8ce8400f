//! How far to read ahead: a window that doubles while pages are asked for in order, as Linux's does.
//!
//! A window ends in a part that is read before anybody asked for it. Whoever comes to the first page of that part, the
//! mark, has the next window begun, so that a reader in order never waits. Pages out of order are read as asked.
use core::ops::Range;

/// Pages of the largest window: Linux's 128 KiB.
const MOST: u64 = 32;

/// What is known of one reader.
#[derive(Debug, Default)]
pub(crate) struct Window {
    start: u64,
    size: u64,
    /// How many of them nobody had asked for.
    ahead: u64,
    /// The page behind the last that was asked for.
    next: u64,
    /// A page that is to be read alone.
    alone: Option<u64>,
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
        }
    }

    /// Page `index` is asked for, `wanted` pages from there on are, and it is not in memory: what is to be read.
    pub(crate) fn miss(&mut self, index: u64, wanted: u64) -> Range<u64> {
        let wanted = wanted.clamp(1, MOST);
        let end = self.start + self.size;
        let was_next = self.next;
        self.next = index + 1;
        if self.alone.take() == Some(index) {
            return index..index + 1;
        }
        if self.size > 0 && index == end {
            self.move_on();
        } else if index == 0 || index == was_next || index + 1 == was_next {
            self.start = index;
            self.size = first_size(wanted);
            self.ahead = self.size.saturating_sub(wanted).max(1);
        } else {
            // Out of order: no window.
            return index..index + wanted;
        }
        self.start..self.start + self.size
    }

    /// Page `index` is asked for and in memory: what is to be read in the background, if it is time for that.
    pub(crate) fn hit(&mut self, index: u64) -> Option<Range<u64>> {
        self.next = index + 1;
        let end = self.start + self.size;
        if self.size == 0 || self.ahead == 0 || index != end - self.ahead {
            return None;
        }
        self.move_on();
        Some(self.start..self.start + self.size)
    }

    /// A window that began with page `index` could not be read, perhaps for another page's sake: it is to be tried alone.
    pub(crate) fn failed(&mut self, index: u64) {
        self.size = 0;
        self.alone = Some(index);
    }

    fn move_on(&mut self) {
        self.start += self.size;
        self.size = next_size(self.size);
        self.ahead = self.size;
    }
}

/// How large the first window is for a request of `wanted` pages.
fn first_size(wanted: u64) -> u64 {
    let size = wanted.next_power_of_two();
    if size <= MOST / 32 {
        size * 4
    } else if size <= MOST / 4 {
        size * 2
    } else {
        MOST
    }
}

/// How large a window is behind one of `size` pages.
fn next_size(size: u64) -> u64 {
    if size < MOST / 16 {
        size * 4
    } else {
        (size * 2).min(MOST)
    }
}
