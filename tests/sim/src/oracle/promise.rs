//! Overcommit as proc(5) has it: whether the system promises more memory.
use super::{Area, Oracle, Refusal};
use crate::files::Store;

/// `vm.overcommit_memory`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overcommit {
    /// 0: obvious overcommits are refused.
    Heuristic,
    /// 1: nothing is.
    Always,
    /// 2: never more than half of memory in all, and not all of it to one space.
    Never,
}

impl Oracle {
    /// Pages that the space is promised.
    pub fn promised(&self) -> u64 {
        self.areas.iter().map(Area::promised).sum()
    }

    /// Lays down how much all other spaces are promised.
    pub fn set_elsewhere(&mut self, pages: u64) {
        self.elsewhere = pages;
    }

    /// Whether fork(2) may promise a second space the same. Each area is a request of its own.
    pub fn may_fork(&self) -> bool {
        let mut child = 0;
        let mut copied = self.areas.iter().filter(|area| area.notes.fork.is_none());
        copied.all(|area| {
            let is_granted = self.is_granted(area.promised(), child);
            child += area.promised();
            is_granted
        })
    }

    /// Whether the page at `address` is a memory file's, and may be refused because no more is promised. What is kept back
    /// from a large space doesn't count: nobody knows whose page it is.
    pub fn may_lack_promise(&self, address: u64) -> bool {
        let file = self.file_page(address >> 12);
        let in_memory = file.is_some_and(|(file, _)| self.files.file(file).store == Store::Memory);
        let is_strict = self.rules.overcommit == Overcommit::Never;
        is_strict && in_memory && self.elsewhere + self.promised() + 1 >= self.promised_at_most()
    }

    /// Pages that strict mode promises in all.
    fn promised_at_most(&self) -> u64 {
        self.rules.memory * u64::from(self.rules.overcommit_ratio) / 100
    }

    /// sysctl(8): what vm.overcommit_memory and vm.overcommit_ratio are from now on.
    pub fn set_overcommit(&mut self, mode: Overcommit, ratio: u32) {
        (self.rules.overcommit, self.rules.overcommit_ratio) = (mode, ratio);
    }

    pub(super) fn may_promise(&self, pages: u64) -> Result<(), Refusal> {
        if self.is_granted(pages, 0) {
            Ok(())
        } else {
            Err(Refusal::ENOMEM)
        }
    }

    /// Whether `pages` are promised to the space when `more` were besides those on its books.
    fn is_granted(&self, pages: u64, more: u64) -> bool {
        let memory = self.rules.memory;
        match self.rules.overcommit {
            _ if pages == 0 => true,
            Overcommit::Always => true,
            Overcommit::Heuristic => pages <= memory,
            Overcommit::Never => {
                let kept_back = (memory / 32).min(self.pages() / 32);
                let sum = self.elsewhere + self.promised() + more + pages;
                sum < self.promised_at_most().saturating_sub(kept_back)
            }
        }
    }
}
