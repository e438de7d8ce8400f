//! What is in the simulated files: on the disk bytes that follow from file and place, so that nobody has to remember
//! them; in memory zeroes, but for what was stored.
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::random::mix;

/// A file of the simulated machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// Its length in bytes.
    pub size: u64,
    /// Where it is.
    pub store: Store,
}

/// Where a file's contents are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// On the disk, which is never written to.
    Disk,
    /// In memory: it begins as zeroes.
    Memory,
}

/// A word of a file: which file, which page, which word of the page.
type Place = (usize, u64, usize);

/// What was stored in files that live in memory; all processes see the same.
#[derive(Clone, Debug, Default)]
pub struct Stored(Rc<RefCell<BTreeMap<Place, u64>>>);

impl Stored {
    /// The word at `place`.
    pub(crate) fn get(&self, place: Place) -> u64 {
        self.0.borrow().get(&place).copied().unwrap_or(0)
    }

    /// Stores a word.
    pub(crate) fn set(&self, place: Place, word: u64) {
        self.0.borrow_mut().insert(place, word);
    }

    /// The file is all zeroes again.
    pub(crate) fn forget(&self, file: usize) {
        self.0.borrow_mut().retain(|&(other, ..), _| other != file);
    }
}

/// The word at byte `offset` (a multiple of 8) of the file numbered `file`, which is `size` bytes long. Bytes behind
/// the end are zero, as in the last page of a mapping.
pub(crate) fn word(file: usize, size: u64, offset: u64) -> u64 {
    // Never zero inside the file, so that a page that was not read can't pass for one that was.
    let whole = mix(((file as u64) << 32) | (offset / 8)) | 0x0101_0101_0101_0101;
    match size.saturating_sub(offset) {
        0 => 0,
        left @ 1..8 => whole & ((1 << (8 * left)) - 1),
        _ => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::word;

    #[test]
    fn no_byte_behind_the_end_is_anything_but_zero() {
        assert_eq!(word(1, 13, 8) >> 40, 0);
        assert_ne!(word(1, 13, 8), 0);
        assert_eq!(word(1, 13, 16), 0);
    }
}
