//! The pages of a file that are in memory, found by their place in the file.
//!
//! A page is absent, being read, or ready; one slot of the [`Index`] holds the state and changes by compare-and-set. What
//! an absent page means is the file's [`Source`]: behind a device whoever finds it absent may begin the read and gets a
//! [`Read`] that must be completed, until then others wait; in a file that lives in memory alone it is a page of zeroes
//! that the first access makes. Shared anonymous memory is such a file without a name, as on Linux.
mod owner;
mod promise;
mod read;

use alloc::sync::Arc;

use crate::error::{NoPage, OutOfMemory};
use crate::frame::{Frame, Use};
use crate::index::Index;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::{PAGE_SHIFT, PAGE_SIZE};
use crate::rmap::Mappings;
use crate::seal::Seals;
use crate::sync::Mutex;
use crate::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use crate::sync::atomic::{AtomicU64, Ordering::SeqCst, fence};
use owner::Identity;
pub use owner::Owner;

pub use promise::Reserve;
pub use read::{Read, ReadResult};

/// A slot of the index: absent, or the address of the page's frame with [`PRESENT`], marked while it is being read.
const ABSENT: u64 = 0;
const PRESENT: u64 = 1 << 0;
const READING: u64 = 1 << 1;

/// What stands behind the pages of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A device, or an archive: an absent page is read.
    Device,
    /// Nothing: an absent page is zeroes, and what was written lives here alone.
    Memory,
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
        let ready = frame.address() | PRESENT;
        let is_cached = || {
            let slot = self.pages.slot(memory, index);
            slot.is_some_and(|slot| slot.load(SeqCst) == ready)
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

    /// The state of page `index`, which a file in memory makes where it is absent.
    pub fn find_or_create<M: Machine>(
        &self,
        memory: &Memory<M>,
        index: u64,
    ) -> Result<Lookup, NoPage> {
        let mut found = self.lookup(memory, index);
        while found == Lookup::Absent && self.source == Source::Memory {
            found = self.create(memory, index)?;
        }
        Ok(found)
    }

    /// The new page `index`; or what another made of it meanwhile.
    fn create<M: Machine>(&self, memory: &Memory<M>, index: u64) -> Result<Lookup, NoPage> {
        let slot = self.pages.slot_or_create(memory, index)?;
        let Some(frame) = self.fill(memory, slot)? else {
            return Ok(look(memory, slot));
        };
        fence(SeqCst);
        if !self.has_page(index) && self.drop_behind_end(memory, index) {
            memory.put(frame);
            return Ok(Lookup::PastEnd);
        }
        Ok(Lookup::Ready(frame))
    }

    /// Puts a page of zeroes into `slot`, with a reference for the caller; `None` where another was first.
    fn fill<M: Machine>(
        &self,
        memory: &Memory<M>,
        slot: &AtomicU64,
    ) -> Result<Option<Frame>, NoPage> {
        let promise = self.promise_page(memory)?;
        let frame = memory.allocate_zeroed(Use::Shared)?;
        // The second reference is the caller's.
        memory.record(frame).get();
        let ready = frame.address() | PRESENT;
        if slot
            .compare_exchange(ABSENT, ready, AcqRel, Relaxed)
            .is_err()
        {
            memory.put(frame);
            memory.put(frame);
            return Ok(None);
        }
        self.resident.fetch_add(1, Relaxed);
        promise.keep();
        Ok(Some(frame))
    }

    /// Drops page `index`, which may have come behind the broom of whoever cut the file short; false where somebody's write
    /// has made the file reach so far again, with this page.
    fn drop_behind_end<M: Machine>(&self, memory: &Memory<M>, index: u64) -> bool {
        let _writers_wait = self.seals.lock();
        let is_behind = !self.has_page(index);
        if is_behind {
            self.drop_page(memory, index);
        }
        is_behind
    }

    /// Page `index`, with a reference for the caller, whether or not the file reaches so far yet. The caller holds the lock
    /// of the seals; what is absent is zeroes, in a file behind a device too.
    pub(crate) fn page_to_write<M: Machine>(
        &self,
        memory: &Memory<M>,
        index: u64,
    ) -> Result<Frame, NoPage> {
        let slot = self.pages.slot_or_create(memory, index)?;
        loop {
            if let Lookup::Ready(frame) = look(memory, slot) {
                return Ok(frame);
            }
            if let Some(frame) = self.fill(memory, slot)? {
                return Ok(frame);
            }
        }
    }

    /// Whether page `index` is in memory.
    pub fn is_ready<M: Machine>(&self, memory: &Memory<M>, index: u64) -> bool {
        let slot = self.pages.slot(memory, index);
        let state = slot.map_or(ABSENT, |slot| slot.load(Acquire));
        state & PRESENT != 0
    }

    /// Whether someone is reading page `index`.
    pub fn is_being_read<M: Machine>(&self, memory: &Memory<M>, index: u64) -> bool {
        let slot = self.pages.slot(memory, index);
        let state = slot.map_or(ABSENT, |slot| slot.load(Acquire));
        state & READING != 0
    }

    /// The first page from `index` on that is in memory or on its way there.
    pub(crate) fn next_page<M: Machine>(&self, memory: &Memory<M>, index: u64) -> Option<u64> {
        self.pages.next(memory, index).map(|(index, _)| index)
    }

    /// Takes page `index` out of the cache, unless it is being read.
    pub(crate) fn drop_page<M: Machine>(&self, memory: &Memory<M>, index: u64) {
        let Some(slot) = self.pages.slot(memory, index) else {
            return;
        };
        let ready = |bits| (bits & PRESENT != 0).then_some(ABSENT);
        if let Ok(before) = slot.fetch_update(SeqCst, Relaxed, ready) {
            self.resident.fetch_sub(1, Relaxed);
            self.take_back(memory, 1);
            memory.put(frame(before));
        }
    }

    /// Takes on the reading of page `index`; `None` where another was first.
    pub fn begin_read<M: Machine>(
        self: &Arc<Self>,
        memory: &Memory<M>,
        index: u64,
    ) -> Result<Option<Read>, OutOfMemory> {
        if !self.has_page(index) {
            return Ok(None);
        }
        let slot = self.pages.slot_or_create(memory, index)?;
        let frame = memory.allocate_zeroed(Use::File)?;
        let reading = frame.address() | READING;
        if slot
            .compare_exchange(ABSENT, reading, AcqRel, Relaxed)
            .is_err()
        {
            memory.put(frame);
            return Ok(None);
        }
        Ok(Some(Read {
            file: self.clone(),
            index,
            frame,
        }))
    }

    /// How many of the file's pages are in memory.
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

    /// Drops every page that is in memory. Nobody may map the file or read from it any more.
    pub fn evict_all<M: Machine>(&mut self, memory: &Memory<M>) {
        let mut from = 0;
        while let Some((index, slot)) = self.pages.next(memory, from) {
            memory.put(frame(slot.swap(ABSENT, AcqRel)));
            from = index + 1;
        }
        self.take_back(memory, self.resident.swap(0, Relaxed));
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

/// The state in `slot`.
fn look<M: Machine>(memory: &Memory<M>, slot: &AtomicU64) -> Lookup {
    loop {
        let bits = slot.load(Acquire);
        if bits == ABSENT {
            return Lookup::Absent;
        }
        if bits & READING != 0 {
            return Lookup::Reading;
        }
        // Whoever takes the page out of the cache may free the frame right now.
        let frame = frame(bits);
        if memory.hold_if(frame, || slot.load(Acquire) == bits) {
            return Lookup::Ready(frame);
        }
    }
}

fn frame(bits: u64) -> Frame {
    Frame::from_number((bits >> PAGE_SHIFT) as u32)
}
