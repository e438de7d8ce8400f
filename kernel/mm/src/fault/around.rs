//! Fault-around: who reads a page of a file soon reads its neighbours, so those in memory are shown at once.
//!
//! Sixteen pages, the aligned 64 KiB around the fault as far as they lie in its area and its table, as Linux takes them.
//! Nothing is read and nothing is made for a neighbour's sake, and what its entry holds already stays: a neighbour that
//! can't be shown just like that faults for itself; so does one that has to tell when it is reached. None counts as a
//! fault.
use core::ops::Range;

use super::{Fault, file};
use crate::machine::{Machine, WORDS};
use crate::page::Page;
use crate::page_cache::{CachedFile, Lookup};
use crate::page_table::exchange;
use crate::pte::Pte;
use crate::space::AddressSpace;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering::Acquire;
use crate::vma::Vma;

/// Pages that one fault shows at most: Linux's `fault_around_bytes`.
const AROUND: u64 = 16;

impl AddressSpace {
    /// Shows the pages of `file` around the fault's, which was served.
    pub(super) fn map_around<M: Machine>(&self, fault: &Fault<'_, M>, file: &CachedFile) {
        let pages = window(fault.vma, fault.page);
        self.table.each_entry(fault.memory, pages, |page, entry| {
            if entry.load(Acquire) == 0 {
                let neighbour = Fault {
                    memory: fault.memory,
                    vma: fault.vma,
                    page,
                    access: fault.access,
                };
                self.show(&neighbour, entry, file);
            }
        });
    }

    /// Has `entry`, which is empty, lead to the page of `file` that belongs there, if that is in memory.
    fn show<M: Machine>(&self, fault: &Fault<'_, M>, entry: &AtomicU64, file: &CachedFile) {
        let Fault {
            memory, vma, page, ..
        } = *fault;
        let Some(index) = vma.file_index(page) else {
            return;
        };
        let Lookup::Ready(frame) = file.lookup(memory, index) else {
            return;
        };
        if memory.record(frame).is_ahead() {
            memory.put(frame);
            return;
        }
        let leaf = file::shown(vma, file, frame);
        self.count(fault, frame);
        if exchange(entry, 0, Pte::Mapped(leaf).encode()) {
            self.look_again(fault, entry, file);
        } else {
            self.let_go(memory, leaf);
        }
    }
}

/// The pages around `page` in `vma`. An area that begins inside the aligned block begins the window, which then ends
/// behind the block: Linux's way.
fn window(vma: &Vma, page: Page) -> Range<Page> {
    let table = page.number() & !(WORDS as u64 - 1);
    let block = page.number() & !(AROUND - 1);
    let start = block.max(vma.start.number());
    let end = (start + AROUND)
        .min(table + WORDS as u64)
        .min(vma.end.number());
    Page::new(start)..Page::new(end)
}
