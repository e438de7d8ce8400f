//! What is in the simulated files: on the disk bytes that follow from file and place, so that nobody has to remember
//! them; in memory zeroes, but for what was stored.
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
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

/// The files as they are now; all processes see the same.
#[derive(Clone, Debug)]
pub struct Files(Rc<RefCell<Contents>>);

#[derive(Clone, Debug)]
struct Contents {
    files: Vec<File>,
    /// What was stored in files that live in memory.
    stored: BTreeMap<Place, u64>,
}

impl Files {
    /// The files as they begin.
    pub fn new(files: &[File]) -> Self {
        let contents = Contents {
            files: files.to_vec(),
            stored: BTreeMap::new(),
        };
        Self(Rc::new(RefCell::new(contents)))
    }

    /// The same contents, which nobody shares.
    pub(crate) fn apart(&self) -> Self {
        Self(Rc::new(RefCell::new(self.0.borrow().clone())))
    }

    /// File number `file`.
    pub(crate) fn file(&self, file: usize) -> File {
        self.0.borrow().files[file]
    }

    /// The word at `place`.
    pub(crate) fn word(&self, place: Place) -> u64 {
        let (file, page, index) = place;
        let contents = self.0.borrow();
        match contents.files[file] {
            File {
                store: Store::Memory,
                ..
            } => contents.stored.get(&place).copied().unwrap_or(0),
            File { size, .. } => word(file, size, page * 4096 + index as u64 * 8),
        }
    }

    /// Stores a word.
    pub(crate) fn store(&self, place: Place, word: u64) {
        self.0.borrow_mut().stored.insert(place, word);
    }

    /// The bytes of a file in memory from `start` on, as many as asked for but none behind its end.
    pub(crate) fn read(&self, file: usize, start: u64, length: u64) -> Vec<u8> {
        let end = (start + length).min(self.file(file).size);
        let byte = |at: u64| {
            let word = self.word((file, at / 4096, (at % 4096 / 8) as usize));
            word.to_le_bytes()[(at % 8) as usize]
        };
        (start..end).map(byte).collect()
    }

    /// Stores bytes in a file in memory, which reaches at least so far then.
    pub(crate) fn write(&self, file: usize, start: u64, bytes: &[u8]) {
        for (at, &byte) in (start..).zip(bytes) {
            let place = (file, at / 4096, (at % 4096 / 8) as usize);
            let mut word = self.word(place).to_le_bytes();
            word[(at % 8) as usize] = byte;
            self.store(place, u64::from_le_bytes(word));
        }
        let end = start + bytes.len() as u64;
        let size = &mut self.0.borrow_mut().files[file].size;
        if !bytes.is_empty() {
            *size = end.max(*size);
        }
    }

    /// The file is at least `size` bytes long.
    pub(crate) fn extend(&self, file: usize, size: u64) {
        let before = &mut self.0.borrow_mut().files[file].size;
        *before = size.max(*before);
    }

    /// The pages of a file in memory that hold anything.
    pub(crate) fn stored_pages(&self, file: usize) -> Vec<u64> {
        let contents = self.0.borrow();
        let stored = contents.stored.range((file, 0, 0)..(file + 1, 0, 0));
        let words = stored.filter(|&(_, &word)| word != 0);
        words.map(|(&(_, page, _), _)| page).collect()
    }

    /// The file is `size` bytes long. Unless it grows, what lies behind that is gone.
    pub(crate) fn resize(&self, file: usize, size: u64) {
        let before = self.file(file).size;
        self.0.borrow_mut().files[file].size = size;
        if size <= before {
            self.clear(file, size..u64::MAX);
        }
    }

    /// `bytes` of the file are zeroes.
    pub(crate) fn clear(&self, file: usize, bytes: Range<u64>) {
        let mut contents = self.0.borrow_mut();
        for (&(other, page, index), word) in &mut contents.stored {
            let first = page * 4096 + index as u64 * 8;
            if other == file {
                *word = without(*word, first, &bytes);
            }
        }
    }
}

/// `word`, which begins at byte `first`, with zeroes in place of `bytes`.
fn without(word: u64, first: u64, bytes: &Range<u64>) -> u64 {
    let mut left = word.to_le_bytes();
    for (at, byte) in (first..).zip(&mut left) {
        if bytes.contains(&at) {
            *byte = 0;
        }
    }
    u64::from_le_bytes(left)
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
