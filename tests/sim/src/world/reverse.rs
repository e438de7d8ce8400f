//! The reverse map of private pages: a frame is taken from all who map it, and they lose just that.
use std::sync::atomic::Ordering::Relaxed;

use mm::Page;
use mm::machine::PhysMem;

use super::{Answer, Process, World};
use crate::broken::{Sound, demand};
use crate::failing_heap::in_mm;
use crate::op::Pid;

impl World {
    /// Takes the frame of one of `pid`'s pages away, wherever it is mapped.
    pub(super) fn expel(&mut self, pid: Pid, choice: u64) -> Sound<Answer> {
        let kernel = self.kernel.clone();
        let Some(root) = self.process(pid).map(|process| process.root()) else {
            return Ok(Answer::Nothing);
        };
        let leaves = kernel.mmu().leaves(root);
        let choice = (choice as usize).checked_rem(leaves.len());
        let Some((_, entry)) = choice.map(|choice| leaves[choice]) else {
            return Ok(Answer::Nothing);
        };
        let record = &kernel.machine().mem_map()[entry.frame as usize];
        let is_private = record.usage() == mm::frame::Use::Anonymous;
        let mappings = record.mappings();
        let mut before: Vec<Vec<u64>> = Vec::new();
        for process in self.spaces.iter().flatten() {
            before.push(self.held_pages(process));
        }
        let emptied = in_mm(|| kernel.memory.expel(entry.frame as u32));
        let expected = if is_private { mappings } else { 0 };
        demand!(
            emptied == expected,
            "frame {} lost {emptied} entries of {expected}",
            entry.frame
        );
        let is_free = record.references() == 0;
        demand!(is_free == is_private, "who holds frame {}?", entry.frame);
        let mut lost = before;
        for (process, lost) in self.spaces.iter().flatten().zip(&mut lost) {
            let left = self.held_pages(process);
            lost.retain(|page| !left.contains(page));
        }
        for (process, lost) in self.spaces.iter_mut().flatten().zip(&lost) {
            lost.iter().for_each(|&page| process.oracle.forget(page));
        }
        let total: usize = lost.iter().map(Vec::len).sum();
        demand!(
            total == emptied as usize,
            "{emptied} entries went, {total} pages of the oracle with them"
        );
        Ok(Answer::Done)
    }

    /// The pages that were written and have a frame.
    fn held_pages(&self, process: &Process) -> Vec<u64> {
        let space = process.space.borrow();
        let has = |&page: &u64| {
            let entry = space.table().entry(&self.kernel.memory, Page::new(page));
            entry.is_some_and(|entry| entry.load(Relaxed) != 0)
        };
        let written = process.oracle.written_pages();
        written.into_iter().filter(has).collect()
    }
}
