//! The walk from a private page to its entries, and what it is for.
use super::Home;
use crate::frame::{Frame, Use};
use crate::gather::Gather;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::Page;
use crate::page_table;
use crate::pte::Pte;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering::{Acquire, SeqCst};

impl<M: Machine> Memory<M> {
    /// Empties every entry that maps the private page in frame `number`, and returns how many those were. 0 where it is
    /// none.
    ///
    /// Entries that come to be meanwhile, by `fork`, may stay; who must know asks how often the frame is mapped.
    pub fn expel(&self, number: u32) -> u32 {
        let frame = Frame::from_number(number);
        let record = self.machine.mem_map().get(number as usize);
        let is_private = || record.is_some_and(|record| record.usage() == Use::Anonymous);
        if !is_private() || !self.hold_if(frame, is_private) {
            return 0;
        }
        let mut emptied = 0;
        self.walk(frame, |root, page, entry| {
            let maps = |bits| Pte::decode(bits).leaf().filter(|leaf| leaf.frame == frame);
            if let Ok(before) = entry.fetch_update(SeqCst, Acquire, |bits| maps(bits).map(|_| 0))
                && let Some(leaf) = maps(before)
            {
                Gather::new(self, root).emptied(leaf, page);
                emptied += 1;
            }
        });
        self.put(frame);
        emptied
    }

    /// Shows every entry that maps the private page in `frame`, which the caller holds.
    fn walk(&self, frame: Frame, mut see: impl FnMut(Frame, Page, &AtomicU64)) {
        let registry = self.families.0.lock();
        let record = self.record(frame);
        let (home, hint) = Home::of(record);
        let mut left = record.mappings();
        for member in registry.members_of(home, hint) {
            for page in member.places(home.place) {
                if left == 0 {
                    return;
                }
                let Some(entry) = page_table::entry(self, member.root, page) else {
                    continue;
                };
                let leaf = Pte::decode(entry.load(Acquire)).leaf();
                if leaf.is_some_and(|leaf| leaf.frame == frame) {
                    left -= 1;
                    see(member.root, page, entry);
                }
            }
        }
    }
}
