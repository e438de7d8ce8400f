//! The pages of a file that are in memory, found by their place in the file.
//!
//! A page is absent, being read, or ready, in memory also reserved, and on a disk dirty or on its way there; one slot of
//! the [`Index`] holds the state and changes by compare-and-set (`slot.rs`). What an absent page means is the file's
//! [`Source`]: whoever finds one absent that is read in may begin the read and gets a [`Read`] that must be completed,
//! until then others wait; in a file that lives in memory alone it is a page of zeroes that the first access makes. Shared
//! anonymous memory is such a file without a name, as on Linux.
mod ahead;
mod check;
mod create;
mod dirty;
mod evict;
mod failures;
mod owner;
mod promise;
mod read;
mod slot;
mod writeback;

use alloc::sync::Arc;

use crate::frame::Frame;
use crate::index::Index;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::PAGE_SIZE;
use crate::rmap::Mappings;
use crate::seal::Seals;
use crate::sync::Mutex;
use crate::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use crate::sync::atomic::{AtomicU64, Ordering::SeqCst};
use failures::Failures;
use owner::Identity;
use slot::{ABSENT, PRESENT, READING, RESERVED, WRITEBACK, frame, look, shows};

pub use ahead::{Pattern, Reached};
pub use dirty::Room;
pub(crate) use dirty::{Dirtied, Marked};
pub use failures::Seen;
pub use owner::Owner;
pub use promise::Reserve;
pub use read::{Read, ReadResult};
pub use writeback::{Write, WriteResult};

/// What stands behind the pages of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nothing: an absent page is zeroes, and what was written lives here alone.
    Memory,
    /// What can only be read: an absent page is read, and what was written since lives here alone.
    Archive,
    /// A disk: an absent page is read, what was written goes back there, and what is the same there may leave memory.
    Disk,
}

/// A file as the page cache knows it.
///
/// Its pages are frames of [`Memory`], so it can't free them by being dropped: the last holder lets go through
/// [`CachedFile::release`].
#[derive(Debug)]
pub struct CachedFile {
    id: u64,
    identity: Identity,
    source: Source,
    /// In bytes.
    size: AtomicU64,
    /// Pages before this one may be there although the file ends earlier: a call reserved them.
    reserved: AtomicU64,
    pages: Index,
    resident: AtomicU64,
    /// Those of them that are dirty, and those that are on their way to the disk.
    marked: Marked,
    /// Writes that failed.
    failures: Failures,
    /// The page at which giving back goes on.
    hand: AtomicU64,
    /// Bytes before this one may be some call's that is filling a page, although the file ends earlier; 0 for none.
    pub(crate) lent_end: AtomicU64,
    reserve: Reserve,
    /// Pages promised at once.
    promised: AtomicU64,
    /// What must not happen to it; held by calls that change length or contents (`seal.rs`).
    pub(crate) seals: Mutex<Seals>,
    /// The areas that show it.
    pub(crate) mappings: Mutex<Mappings>,
}

/// What the cache knows of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// In memory; the caller got a reference.
    Ready(Frame),
    /// Someone is reading it.
    Reading,
    /// Its frame was taken for it, and is zeroes, but nobody has wanted it yet: to all who look it is absent.
    Reserved,
    /// Not in memory.
    Absent,
    /// The file has no such page.
    PastEnd,
}

impl CachedFile {
    /// A file of `size` bytes, none of which are in memory. `id` is for whoever reads it.
    pub const fn new(id: u64, source: Source, size: u64) -> Self {
        Self {
            id,
            identity: Identity::NONE,
            source,
            size: AtomicU64::new(size),
            reserved: AtomicU64::new(0),
            pages: Index::new(),
            resident: AtomicU64::new(0),
            marked: Marked::new(),
            failures: Failures::new(),
            hand: AtomicU64::new(0),
            lent_end: AtomicU64::new(0),
            reserve: Reserve::ByPage,
            promised: AtomicU64::new(0),
            seals: Mutex::new(Seals::empty()),
            mappings: Mutex::new(Mappings::new()),
        }
    }

    /// Whatever the reader named the file.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What stands behind its pages.
    pub fn source(&self) -> Source {
        self.source
    }

    /// Whether a page that is absent has to be read.
    pub fn is_read_in(&self) -> bool {
        self.source != Source::Memory
    }

    /// Length in bytes.
    pub fn size(&self) -> u64 {
        self.size.load(SeqCst)
    }

    /// Gives the file another length in bytes. The pages are seen to in `truncate.rs`, under the lock of the seals.
    pub(crate) fn change_size(&self, size: u64) {
        self.size.store(size, SeqCst);
    }

    /// The file reaches at least to byte `end`. The caller holds the lock of the seals.
    pub(crate) fn extend(&self, end: u64) {
        self.size.fetch_max(end, SeqCst);
    }

    /// Pages before `end` are reserved, whatever the file's length; 0 for none. The caller holds the lock of the seals.
    pub(crate) fn set_reserved(&self, end: u64) {
        self.reserved.store(end, SeqCst);
    }

    /// The page behind all that may be there: the file's, and those reserved behind its end.
    pub(crate) fn reach(&self) -> u64 {
        self.pages().max(self.reserved.load(SeqCst))
    }

    /// Length in pages, the last of which may be the file's in part.
    pub fn pages(&self) -> u64 {
        self.size().div_ceil(PAGE_SIZE)
    }

    /// Whether page `index` begins before the end of the file.
    fn has_page(&self, index: u64) -> bool {
        index < self.pages()
    }

    /// Whether `frame` is what page `index` shows: the cache's own, or a copy of a page that the file still has.
    pub(crate) fn still_shows<M: Machine>(
        &self,
        memory: &Memory<M>,
        index: u64,
        frame: Frame,
    ) -> bool {
        let is_copy = !memory.record(frame).usage().is_cached();
        let is_cached = || {
            let slot = self.pages.slot(memory, index);
            slot.is_some_and(|slot| shows(slot.load(SeqCst), frame))
        };
        self.has_page(index) && (is_copy || is_cached())
    }

    /// The state of page `index`. A ready page's frame comes with a reference.
    pub fn lookup<M: Machine>(&self, memory: &Memory<M>, index: u64) -> Lookup {
        if !self.has_page(index) {
            return Lookup::PastEnd;
        }
        match self.pages.slot(memory, index) {
            Some(slot) => look(memory, slot),
            None => Lookup::Absent,
        }
    }

    /// Whether page `index` is in memory for all to see.
    pub fn is_ready<M: Machine>(&self, memory: &Memory<M>, index: u64) -> bool {
        slot::is_ready(self.bits(memory, index))
    }

    /// Whether page `index` is reserved, and nothing else yet.
    pub fn is_reserved<M: Machine>(&self, memory: &Memory<M>, index: u64) -> bool {
        self.bits(memory, index) & RESERVED != 0
    }

    /// Whether someone is reading page `index`.
    pub fn is_being_read<M: Machine>(&self, memory: &Memory<M>, index: u64) -> bool {
        self.bits(memory, index) & READING != 0
    }

    fn bits<M: Machine>(&self, memory: &Memory<M>, index: u64) -> u64 {
        let slot = self.pages.slot(memory, index);
        slot.map_or(ABSENT, |slot| slot.load(Acquire))
    }

    /// The first page from `index` on that is in memory or on its way there.
    pub(crate) fn next_page<M: Machine>(&self, memory: &Memory<M>, index: u64) -> Option<u64> {
        self.pages.next(memory, index).map(|(index, _)| index)
    }

    /// Takes page `index` out of the cache, whatever was stored in it, unless it is on its way from the disk or to it.
    pub(crate) fn drop_page<M: Machine>(&self, memory: &Memory<M>, index: u64) {
        self.drop_if(memory, index, |bits| {
            bits & (PRESENT | WRITEBACK) == PRESENT
        });
    }

    /// Takes page `index` out of the cache, if `may_go` says of its slot that it may.
    fn drop_if<M: Machine>(&self, memory: &Memory<M>, index: u64, may_go: impl Fn(u64) -> bool) {
        let Some(slot) = self.pages.slot(memory, index) else {
            return;
        };
        let ready = |bits| may_go(bits).then_some(ABSENT);
        if let Ok(before) = slot.fetch_update(SeqCst, Relaxed, ready) {
            self.resident.fetch_sub(1, Relaxed);
            self.forget_mark(memory, before);
            self.take_back(memory, 1);
            memory.put(frame(before));
        }
    }

    /// How many of the file's pages are in memory, or reserved there.
    pub fn resident_pages(&self) -> u64 {
        self.resident.load(Relaxed)
    }

    /// The frames that the cache holds, ready or being filled, with the index of each.
    pub(crate) fn frames<M: Machine>(
        &self,
        memory: &Memory<M>,
    ) -> impl Iterator<Item = (u64, Frame)> {
        let mut from = Some(0);
        core::iter::from_fn(move || {
            let (index, slot) = self.pages.next(memory, from?)?;
            from = index.checked_add(1);
            Some((index, frame(slot.load(Acquire))))
        })
    }

    /// The frames that hold the index together.
    pub(crate) fn nodes<M: Machine>(&self, memory: &Memory<M>, mut see: impl FnMut(Frame)) {
        self.pages.survey(memory, &mut see);
    }

    /// One holder less. The last one gives every page back.
    pub fn release<M: Machine>(self: Arc<Self>, memory: &Memory<M>) {
        if let Some(mut file) = Arc::into_inner(self) {
            file.evict_all(memory);
            file.take_back_whole(memory);
        }
    }

    /// Drops every page that is in memory, dirty or not. Nobody may map the file or read from it any more.
    pub fn evict_all<M: Machine>(&mut self, memory: &Memory<M>) {
        let mut from = 0;
        while let Some((index, slot)) = self.pages.next(memory, from) {
            memory.put(frame(slot.swap(ABSENT, AcqRel)));
            from = index + 1;
        }
        self.take_back(memory, self.resident.swap(0, Relaxed));
        self.forget_all_marks(memory);
        self.pages.destroy(memory);
    }
}

impl Drop for CachedFile {
    fn drop(&mut self) {
        debug_assert!(
            self.pages.is_empty(),
            "file {} was dropped with its pages, not released",
            self.id
        );
    }
}

#[cfg(test)]
mod tests;
