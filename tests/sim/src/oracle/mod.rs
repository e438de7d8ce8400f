//! The oracle: an address space as its program sees it, with no frames and no paging.
//!
//! It follows the manual pages and Linux's order of checks, in the plainest code there is: a list of areas, and the words
//! that differ from what the areas' sources hold. It predicts the result of every call and every access. What it can't
//! know is when memory runs out; the run asks the machine's side whether that excuse is true.
mod advice;
mod area;
mod calls;
mod kin;
mod place;
mod promise;
mod remap;
mod seal;
mod sync;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

pub use advice::Notes;
pub use area::{Area, Kin, Promise, Stores};
pub use promise::Overcommit;

use crate::files::{File, Files, Store};
use crate::op::{Kind, Limit, Lock, Nature, Reach, Rights, Sharing, Signal};

/// The page behind the last that a program may have.
pub const TASK_END: u64 = (1 << 35) - 1;

/// The first page that a program may have.
pub const TASK_START: u64 = 16;

/// Words in a page.
const WORDS: usize = 512;

/// Why a call was refused: errno, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "see errno(3)")]
pub enum Refusal {
    ENOMEM,
    EINVAL,
    EEXIST,
    EPERM,
    EOVERFLOW,
    EACCES,
    EFAULT,
    EAGAIN,
    EBUSY,
    ENOSPC,
}

/// What the world lays down for a space.
#[derive(Clone, Debug)]
pub struct Rules {
    /// mmap looks below this page first.
    pub mmap_base: u64,
    /// And from this page up next.
    pub bottom_up_base: u64,
    /// The heap's first byte.
    pub heap_start: u64,
    /// Bytes of data that the program brought along.
    pub data_size: u64,
    /// RLIMIT_AS, in bytes.
    pub address_space: u64,
    /// RLIMIT_DATA, in bytes.
    pub data: u64,
    /// Its hard limit, which counts where the other is 0.
    pub data_hard: u64,
    /// RLIMIT_STACK, in bytes.
    pub stack: u64,
    /// RLIMIT_MEMLOCK, in bytes.
    pub locked: u64,
    /// Frames in the machine.
    pub memory: u64,
    /// How readily they are promised.
    pub overcommit: Overcommit,
    /// How many percent of them where no more than that are promised.
    pub overcommit_ratio: u32,
    /// The files as they begin.
    pub files: Rc<[File]>,
}

/// One process's memory.
#[derive(Clone, Debug)]
pub struct Oracle {
    rules: Rules,
    /// In order of address.
    areas: Vec<Area>,
    brk: u64,
    /// Pages that other spaces are promised.
    elsewhere: u64,
    /// What `mprotect` made writable although it is locked: it is fetched next.
    fetched: Vec<(u64, u64)>,
    /// How areas to come are locked.
    future: Option<Lock>,
    /// Pages that were given up, but not yet for good.
    lazy: BTreeSet<u64>,
    /// Words of private pages, by page and index.
    words: BTreeMap<(u64, usize), u64>,
    /// The last number that was given to areas.
    kin: u64,
    /// The files as they are now.
    files: Files,
}

impl Oracle {
    /// An empty space in a world with `files`.
    pub fn new(rules: Rules, files: Files) -> Self {
        Self {
            areas: Vec::new(),
            brk: rules.heap_start,
            elsewhere: 0,
            fetched: Vec::new(),
            future: None,
            lazy: BTreeSet::new(),
            words: BTreeMap::new(),
            kin: 0,
            files,
            rules,
        }
    }

    /// The same space in a world of its own, to try a call on.
    pub fn apart(&self) -> Self {
        Self {
            files: self.files.apart(),
            ..self.clone()
        }
    }

    /// setrlimit(2).
    pub fn limit(&mut self, limit: Limit, bytes: u64) {
        let rules = &mut self.rules;
        *match limit {
            Limit::AddressSpace => &mut rules.address_space,
            Limit::Data => &mut rules.data,
            Limit::DataHard => &mut rules.data_hard,
            Limit::Stack => &mut rules.stack,
            Limit::Locked => &mut rules.locked,
        } = bytes;
    }

    /// The areas in order of address.
    pub fn areas(&self) -> &[Area] {
        &self.areas
    }

    /// Pages of all areas together.
    pub fn pages(&self) -> u64 {
        self.areas.iter().map(Area::pages).sum()
    }

    /// What becomes of an access to `address`. A stack grows by being touched.
    pub fn access(&mut self, address: u64, kind: Kind) -> Result<(), Signal> {
        let page = address >> 12;
        if self.area_at(page).is_none() {
            self.grow(page).ok_or(Signal::MapErr)?;
        }
        let area = self.area_at(page).ok_or(Signal::MapErr)?;
        let comes_in = match kind {
            // On x86 whatever can be written or executed can be read, and Linux looks whether a page may be executed
            // once it is there.
            Kind::Read | Kind::Execute => area.rights != Rights::NONE,
            Kind::Write(_) => area.rights.has(Rights::W),
        };
        match kind {
            _ if !comes_in => Err(Signal::AccErr),
            _ if self.is_past_end(area, page) => Err(Signal::Bus),
            Kind::Execute if !area.rights.has(Rights::X) => Err(Signal::AccErr),
            _ => Ok(()),
        }
    }

    /// What becomes of the kernel's own access to `address`. Only for the process itself a stack grows.
    pub fn access_for(&mut self, address: u64, kind: Kind, reach: Reach) -> Result<(), Signal> {
        if reach == Reach::Own {
            return self.access(address, kind);
        }
        let page = address >> 12;
        let area = self.area_at(page).ok_or(Signal::MapErr)?;
        let is_forced = reach == Reach::Forced;
        let may_copy = area.sharing == Sharing::Private && area.rights != Rights::NONE;
        let is_allowed = match kind {
            Kind::Read | Kind::Execute => is_forced || area.rights.has(Rights::R),
            Kind::Write(_) => area.rights.has(Rights::W) || is_forced && may_copy,
        };
        match kind {
            _ if !is_allowed || area.nature == Nature::Raw => Err(Signal::AccErr),
            _ if self.is_past_end(area, page) => Err(Signal::Bus),
            _ => Ok(()),
        }
    }

    /// Whether the file of `area` has nothing to show in `page`.
    fn is_past_end(&self, area: &Area, page: u64) -> bool {
        let shown = area.file_page(page);
        shown.is_some_and(|(file, at)| at >= self.files.file(file).size.div_ceil(4096))
    }

    /// The word at `address`, which an area holds.
    pub fn load(&self, address: u64) -> u64 {
        let (page, index) = (address >> 12, (address >> 3) as usize % WORDS);
        let stored = self.words.get(&(page, index)).copied();
        stored.unwrap_or_else(|| self.original(self.file_page(page), index))
    }

    /// Stores a word that `access` allowed.
    pub fn store(&mut self, address: u64, value: u64) {
        let (page, index) = (address >> 12, (address >> 3) as usize % WORDS);
        let area = self.area_at(page);
        if area.is_some_and(|area| area.sharing == Sharing::Shared) {
            if let Some((file, at)) = self.file_page(page) {
                self.files.store((file, at, index), value);
            }
            return;
        }
        self.touch(page);
        self.copy_on_write(page);
        self.lazy.remove(&page);
        self.words.insert((page, index), value);
    }

    /// A store to a private page of a file that may change ends its view of what others store there.
    pub fn copy_on_write(&mut self, page: u64) {
        let source = self
            .file_page(page)
            .filter(|&(file, _)| !self.is_archived(file));
        let is_private = self
            .area_at(page)
            .is_some_and(|area| area.sharing == Sharing::Private);
        if is_private && !self.is_written(page) {
            // Of other pages it is enough to know that they are written.
            let words = if source.is_some() { WORDS } else { 1 };
            for index in 0..words {
                self.words
                    .insert((page, index), self.original(self.file_page(page), index));
            }
        }
    }

    fn is_archived(&self, file: usize) -> bool {
        self.files.file(file).store == Store::Archive
    }

    fn is_in_memory(&self, file: usize) -> bool {
        matches!(self.files.file(file).store, Store::Memory | Store::Object)
    }

    /// Whether something was stored in `page`, which is private, and must not be forgotten.
    pub fn must_keep(&self, page: u64) -> bool {
        self.is_written(page) && !self.lazy.contains(&page)
    }

    /// Whether something was stored in `page`, which is private.
    fn is_written(&self, page: u64) -> bool {
        self.words.range((page, 0)..(page + 1, 0)).next().is_some()
    }

    /// All words of `page`.
    pub fn page(&self, page: u64) -> [u64; WORDS] {
        let source = self.file_page(page);
        let mut words = std::array::from_fn(|index| self.original(source, index));
        for (&(_, index), &word) in self.words.range((page, 0)..(page + 1, 0)) {
            words[index] = word;
        }
        words
    }

    /// Whether the page is a file's and was never written here: only then may it have to be read from the disk.
    pub fn may_need_disk(&self, address: u64) -> bool {
        let page = address >> 12;
        let is_on_disk = self
            .file_page(page)
            .is_some_and(|(file, _)| !self.is_in_memory(file));
        is_on_disk && !self.is_written(page)
    }

    /// The area that holds `page`.
    pub fn area_at(&self, page: u64) -> Option<&Area> {
        self.areas
            .iter()
            .find(|area| area.start <= page && page < area.end)
    }

    /// The file and the page of it that `page` begins as, if any.
    fn file_page(&self, page: u64) -> Option<(usize, u64)> {
        self.area_at(page)?.file_page(page)
    }

    /// Somebody comes for the byte at `address`, and so for the page of the file that it shows.
    pub fn want(&self, address: u64) {
        if let Some((file, page)) = self.file_page(address >> 12) {
            self.files.want(file, page);
        }
    }

    /// Whether `page` shows one of a file that is reserved, and nothing else yet.
    pub fn is_reserved(&self, page: u64) -> bool {
        let shown = self.file_page(page);
        let is_reserved = shown.is_some_and(|(file, at)| self.files.is_reserved(file, at));
        is_reserved && !self.is_written(page)
    }

    /// The word that a page from `source` begins with.
    fn original(&self, source: Option<(usize, u64)>, index: usize) -> u64 {
        source.map_or(0, |(file, at)| self.files.word((file, at, index)))
    }

    /// File number `file` was cut short: private copies of pages that it lost go with them.
    pub fn drop_copies(&mut self, file: usize) {
        let pages = self.files.file(file).size.div_ceil(4096);
        let areas = self.areas.clone();
        let is_lost = |page: u64| {
            let area = areas
                .iter()
                .find(|area| area.start <= page && page < area.end);
            let shown = area.and_then(|area| area.file_page(page));
            shown.is_some_and(|(other, at)| other == file && at >= pages)
        };
        self.words.retain(|&(page, _), _| !is_lost(page));
    }

    /// Extends the stack above `page` down to it, if it may grow that far.
    fn grow(&mut self, page: u64) -> Option<()> {
        let pages = self.pages();
        let at = self.areas.iter().position(|area| area.end > page)?;
        let below = at.checked_sub(1).map(|at| self.areas[at]);
        let stack = self.areas[at];
        let grown = stack.start - page;
        let too_near =
            below.is_some_and(|below| below.resists_growth() && page - below.end < Area::guard());
        let grows = stack.growth == crate::op::Growth::Down;
        if !grows || page < TASK_START || too_near {
            return None;
        }
        self.touch_area(at);
        let fits = (stack.end - page) * 4096 <= self.rules.stack
            && (pages + grown) <= self.rules.address_space / 4096
            && self.may_add_locked(grown, stack.lock)
            && (stack.promised() == 0 || self.may_promise(grown).is_ok());
        if !fits || stack.home < grown {
            return None;
        }
        self.areas[at].home -= grown;
        self.areas[at].start = page;
        Some(())
    }
}
