//! The tree's invariants: order, balance, fresh summaries.
use alloc::format;
use alloc::string::String;

use super::{Areas, NIL};
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
        self.check_below(self.root).map(|_| ())
    }

    fn check_below(&self, at: u32) -> Result<u32, String> {
        if at == NIL {
            return Ok(0);
        }
        let node = self.node(at);
        let (left, right) = (self.check_below(node.left)?, self.check_below(node.right)?);
        if node.summary != self.summary(at) || left.abs_diff(right) > 1 {
            return Err(format!(
                "the summary of the area at page {:#x} is stale",
                self.area(at).start.number()
            ));
        }
        Ok(1 + left.max(right))
    }
}
