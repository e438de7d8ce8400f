//! What the pages of an area are: in memory, shared, changed, used; counted by a walk of the page tables.
//!
//! A page is changed where its entry says so, or, as on Linux, where it is known of the page: it was written by a call, or
//! through an entry that said so once.
//!
//! A page that several entries map is the space's in part: its proportional share (PSS) is the page divided by their
//! number. Shares are summed in 4096ths of a byte, as on Linux, so that sums round as they do there.
use crate::frame::{FrameRecord, Use};
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::PAGE_SIZE;
use crate::pte::{Leaf, Pte, PteFlags};
use crate::space::AddressSpace;
use crate::sync::atomic::Ordering::Acquire;
use crate::vma::{VmFlags, Vma};

/// Binary logarithm of the parts that a byte is divided into.
const SHARE_SHIFT: u32 = 12;

/// A sum of shares of pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shares(u64);

impl Shares {
    /// In KiB.
    pub fn kib(self) -> u64 {
        self.0 >> (SHARE_SHIFT + 10)
    }

    fn add(&mut self, share: u64) {
        self.0 += share;
    }
}

/// Sums over pages that are in memory; in bytes where not said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All of them.
    pub resident: u64,
    /// The space's share of them.
    pub share: Shares,
    /// ... of those that were written.
    pub share_dirty: Shares,
    /// ... of private memory.
    pub share_anonymous: Shares,
    /// ... of pages of files.
    pub share_file: Shares,
    /// ... of files that live in memory alone.
    pub share_shared: Shares,
    /// ... of locked areas.
    pub share_locked: Shares,
    /// Those that others map too: unchanged and written.
    pub shared: [u64; 2],
    /// Those that nobody else maps: unchanged and written.
    pub private: [u64; 2],
    /// Those that were used since somebody last asked.
    pub referenced: u64,
    /// Private memory.
    pub anonymous: u64,
    /// What MADV_FREE gave up and nobody wrote since.
    pub lazy: u64,
    /// Pages that are in a swap area instead.
    pub swapped: u64,
}

/// Whether a page is as it came: the order of [`Usage::shared`] and [`Usage::private`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Contents {
    Unchanged,
    Written,
}

impl Usage {
    /// Adds the pages of `vma`, an area of `space`.
    pub fn add<M: Machine>(&mut self, space: &AddressSpace, memory: &Memory<M>, vma: &Vma) {
        if vma.flags.contains(VmFlags::RAW) {
            return;
        }
        let file = vma.file().filter(|file| file.dirty_pages() > 0);
        space
            .table()
            .each_entry(memory, vma.pages(), |page, entry| {
                let is_dirty = || {
                    let place = file.zip(vma.file_index(page));
                    place.is_some_and(|(file, index)| file.is_dirty(memory, index))
                };
                let entry = Pte::decode(entry.load(Acquire));
                self.add_entry(memory, entry, vma.flags, is_dirty);
            });
    }

    /// `is_dirty` says whether the page that the area's file has there differs from its disk.
    fn add_entry<M: Machine>(
        &mut self,
        memory: &Memory<M>,
        entry: Pte,
        flags: VmFlags,
        is_dirty: impl FnOnce() -> bool,
    ) {
        match entry {
            Pte::Empty => {}
            Pte::Swapped(_) => self.swapped += PAGE_SIZE,
            Pte::Mapped(leaf) | Pte::Protected(leaf) => {
                if leaf.frame != memory.zero_frame() {
                    let record = memory.record(leaf.frame);
                    let is_dirty = leaf.flags.contains(PteFlags::DIRTY)
                        || record.was_written()
                        || record.usage() == Use::File && is_dirty();
                    let contents = if is_dirty {
                        Contents::Written
                    } else {
                        Contents::Unchanged
                    };
                    self.add_leaf(record, leaf, flags, contents);
                }
            }
        }
    }

    fn add_leaf(&mut self, record: &FrameRecord, leaf: Leaf, flags: VmFlags, contents: Contents) {
        // Another CPU may be taking the frame away just now.
        let mappings = u64::from(record.mappings().max(1));
        let share = (PAGE_SIZE << SHARE_SHIFT) / mappings;
        self.resident += PAGE_SIZE;
        self.share.add(share);
        if contents == Contents::Written {
            self.share_dirty.add(share);
        }
        if flags.contains(VmFlags::LOCKED) {
            self.share_locked.add(share);
        }
        if leaf.flags.contains(PteFlags::ACCESSED) {
            self.referenced += PAGE_SIZE;
        }
        let sums = if mappings > 1 {
            &mut self.shared
        } else {
            &mut self.private
        };
        sums[contents as usize] += PAGE_SIZE;
        self.add_to_kind(record.usage(), share);
        if leaf.flags.contains(PteFlags::LAZY) && contents == Contents::Unchanged {
            self.lazy += PAGE_SIZE;
        }
    }

    fn add_to_kind(&mut self, usage: Use, share: u64) {
        match usage {
            Use::File => self.share_file.add(share),
            Use::Shared => self.share_shared.add(share),
            _ => {
                self.anonymous += PAGE_SIZE;
                self.share_anonymous.add(share);
            }
        }
    }
}
