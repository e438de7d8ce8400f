//! The tree's invariants: areas in order, and those of the tree.
use alloc::format;
use alloc::string::String;

use super::Areas;
use crate::vma::Vma;

impl Areas {
    /// Checks order, balance and summaries; the first contradiction, in words.
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut before: Option<&Vma> = None;
        let mut count = 0;
        for vma in self.iter() {
            if vma.start >= vma.end {
                return Err(format!(
                    "the area at page {:#x} is empty",
                    vma.start.number()
                ));
            }
            if before.is_some_and(|before| before.end > vma.start) {
                return Err(format!(
                    "the area at page {:#x} begins inside its neighbour",
                    vma.start.number()
                ));
            }
            before = Some(vma);
            count += 1;
        }
        if count != self.len() {
            return Err(format!(
                "{count} areas in the tree, {} on the books",
                self.len()
            ));
        }
        self.tree.check()
    }
}
