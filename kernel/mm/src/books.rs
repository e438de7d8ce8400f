//! What the areas of a space add up to, kept as they come and go, so that no limit has to be checked by counting.
use crate::vma::VmFlags;

/// Sums over a space's areas, in pages.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Books {
    /// All of them.
    pub(crate) mapped: u64,
    /// Those that count against RLIMIT_DATA.
    pub(crate) data: u64,
    /// Those that are locked.
    pub(crate) locked: u64,
    /// Those that are part of what the machine promised.
    pub(crate) promised: u64,
    /// The most that `mapped` ever was. No sum over areas: equal books may differ in it.
    pub(crate) peak: u64,
}

impl PartialEq for Books {
    fn eq(&self, other: &Self) -> bool {
        let sums = |books: &Self| [books.mapped, books.data, books.locked, books.promised];
        sums(self) == sums(other)
    }
}

impl Books {
    /// `pages` more of an area with `flags`.
    pub(crate) fn add(&mut self, pages: u64, flags: VmFlags) {
        for sum in self.sums_of(flags).into_iter().flatten() {
            *sum += pages;
        }
        self.peak = self.peak.max(self.mapped);
    }

    /// `pages` less of an area with `flags`.
    pub(crate) fn remove(&mut self, pages: u64, flags: VmFlags) {
        for sum in self.sums_of(flags).into_iter().flatten() {
            *sum -= pages;
        }
    }

    fn sums_of(&mut self, flags: VmFlags) -> [Option<&mut u64>; 4] {
        let is_locked = flags.contains(VmFlags::LOCKED);
        let is_promised = flags.contains(VmFlags::ACCOUNTED);
        [
            Some(&mut self.mapped),
            flags.is_data().then_some(&mut self.data),
            is_locked.then_some(&mut self.locked),
            is_promised.then_some(&mut self.promised),
        ]
    }
}
