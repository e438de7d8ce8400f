//! A translation lookaside buffer that remembers until it is told to forget, and a cache of last-level tables beside it.
//!
//! A real processor may drop an entry whenever it likes; this one never does, so a missing flush always shows. It keeps
//! what Intel's manual (3A, 4.10) allows to be kept: frame, rights and the dirty bit of a page, and, for the walk of its
//! neighbours, which table holds their entries.
use std::collections::BTreeMap;
use std::ops::Range;

/// What all levels of a walk allow together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Ring 3 may use it.
    pub user: bool,
    /// Stores may go through it.
    pub write: bool,
    /// Instructions may be fetched through it.
    pub fetch: bool,
}

impl Allowed {
    /// Where every walk begins.
    pub const ALL: Self = Self {
        user: true,
        write: true,
        fetch: true,
    };

    /// What both allow.
    pub fn and(self, other: Self) -> Self {
        Self {
            user: self.user && other.user,
            write: self.write && other.write,
            fetch: self.fetch && other.fetch,
        }
    }

    /// Whether everything that `self` allows is allowed by `other`.
    pub fn within(self, other: Self) -> bool {
        self.and(other) == self
    }
}

/// A remembered translation of a page, or of 512 in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The first frame's number.
    pub frame: u64,
    /// The rights at the time of the walk.
    pub allowed: Allowed,
    /// Whether the dirty bit was set: if not, a store must walk again to set it.
    pub dirty: bool,
    /// Whether the leaf is of every space: a load of CR3 does not forget it.
    pub global: bool,
}

/// A remembered last-level table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its frame's number.
    pub frame: u64,
    /// What the levels above allow.
    pub allowed: Allowed,
}

impl Table {
    /// Where a walk begins: the top-level table, before anything forbade anything.
    pub fn top(root: u64) -> Self {
        Self {
            frame: root,
            allowed: Allowed::ALL,
        }
    }
}

/// Pages of 4 KiB in one of 2 MiB.
const LARGE: u64 = 512;

/// In place of a top-level table: a global entry's.
const EVERY: u64 = u64::MAX;

/// The memory of one CPU's walker. Keys are the top-level table and the number of a page, or of 512 pages.
#[derive(Debug, Default)]
pub struct Tlb {
    pages: BTreeMap<(u64, u64), Entry>,
    large: BTreeMap<(u64, u64), Entry>,
    tables: BTreeMap<(u64, u64), Table>,
}

impl Tlb {
    /// The entry for `page`; that of a large page is cut to it.
    pub fn find(&self, root: u64, page: u64) -> Option<Entry> {
        self.find_under(root, page)
            .or_else(|| self.find_under(EVERY, page))
    }

    fn find_under(&self, key: u64, page: u64) -> Option<Entry> {
        let small = self.pages.get(&(key, page)).copied();
        small.or_else(|| {
            let large = self.large.get(&(key, page / LARGE))?;
            Some(Entry {
                frame: large.frame + page % LARGE,
                ..*large
            })
        })
    }

    /// The table that held the entries around `page`.
    pub fn find_table(&self, root: u64, page: u64) -> Option<Table> {
        self.tables.get(&(root, page / LARGE)).copied()
    }

    /// Remembers a page.
    pub fn fill(&mut self, root: u64, page: u64, entry: Entry) {
        self.pages.insert((key(root, entry), page), entry);
    }

    /// Remembers the 512 pages around `page`; `entry` names the first one's frame.
    pub fn fill_large(&mut self, root: u64, page: u64, entry: Entry) {
        self.large.insert((key(root, entry), page / LARGE), entry);
    }

    /// Remembers the table that holds the entries around `page`.
    pub fn fill_table(&mut self, root: u64, page: u64, table: Table) {
        self.tables.insert((root, page / LARGE), table);
    }

    /// What a page fault forgets of its own accord: all that led to the faulting page.
    pub fn forget_faulting(&mut self, root: u64, page: u64) {
        for key in [root, EVERY] {
            self.pages.remove(&(key, page));
            self.large.remove(&(key, page / LARGE));
        }
        self.tables.remove(&(root, page / LARGE));
    }

    /// `invlpg` of each of `pages`: those pages' entries, global ones too, large ones that touch them, and every table.
    pub fn forget_pages(&mut self, root: u64, pages: Range<u64>) {
        if pages.is_empty() {
            return;
        }
        let large = pages.start / LARGE..(pages.end - 1) / LARGE + 1;
        self.pages
            .retain(|&(at, page), _| !is_of(at, root) || !pages.contains(&page));
        self.large
            .retain(|&(at, page), _| !is_of(at, root) || !large.contains(&page));
        self.tables.retain(|&(at, _), _| at != root);
    }

    /// A load of CR3: global entries stay.
    pub fn forget_all(&mut self) {
        self.pages.retain(|&(at, _), _| at == EVERY);
        self.large.retain(|&(at, _), _| at == EVERY);
        self.tables.clear();
    }

    /// All pages that are remembered, large ones by their first.
    pub fn entries(&self) -> impl Iterator<Item = (u64, u64, Entry)> {
        let small = self
            .pages
            .iter()
            .map(|(&(root, page), &entry)| (root, page, entry));
        let large = self
            .large
            .iter()
            .map(|(&(root, page), &entry)| (root, page * LARGE, entry));
        small.chain(large)
    }

    /// All tables that are remembered, each with the first page that it serves.
    pub fn tables(&self) -> impl Iterator<Item = (u64, u64, Table)> {
        self.tables
            .iter()
            .map(|(&(root, page), &table)| (root, page * LARGE, table))
    }
}

fn key(root: u64, entry: Entry) -> u64 {
    if entry.global { EVERY } else { root }
}

/// Whether an entry with this key is used while `root` is active.
fn is_of(key: u64, root: u64) -> bool {
    key == root || key == EVERY
}
