//! What is in the simulated files: in an archive and on the disk bytes that follow from file and place, so that nobody has
//! to remember them; in memory zeroes; and in all of them what was stored.
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
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
    /// In memory: it begins as zeroes.
    Memory,
    /// In memory for as long as somebody maps it: shared anonymous memory, which is promised as a whole. It begins as
    /// zeroes.
    Object,
    /// In an archive, which is never written to.
    Archive,
    /// On the disk. Where that has no place for a block it begins as zeroes, too.
    Disk,
}

/// A word of a file: which file, which page, which word of the page.
type Place = (usize, u64, usize);

/// Words of a page.
const WORDS: usize = 512;

/// All words of a page.
pub(crate) type Page = [u64; WORDS];

/// The files as they are now; all processes see the same.
#[derive(Clone, Debug)]
pub struct Files(Rc<RefCell<Contents>>);

#[derive(Clone, Debug)]
struct Contents {
    files: Vec<File>,
    /// What must not happen to them any more.
    seals: Vec<u32>,
    /// The objects that somebody maps.
    mapped: BTreeSet<usize>,
    /// So many bytes are as they began, where nothing was stored.
    begun: Vec<u64>,
    /// The pages in which something was stored, by file and number. Whoever keeps the files as they were shares them.
    stored: BTreeMap<(usize, u64), Rc<Page>>,
    /// The pages that are reserved, and nothing else yet.
    reserved: BTreeSet<(usize, u64)>,
    /// Those that somebody has come for in this step.
    wanted: BTreeSet<(usize, u64)>,
}

impl Files {
    /// The files as they begin.
    pub fn new(files: &[File]) -> Self {
        let contents = Contents {
            files: files.to_vec(),
            begun: files.iter().map(|file| file.size).collect(),
            seals: vec![0; files.len()],
            mapped: BTreeSet::new(),
            stored: BTreeMap::new(),
            reserved: BTreeSet::new(),
            wanted: BTreeSet::new(),
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

    /// The seals of the file.
    pub(crate) fn seals(&self, file: usize) -> u32 {
        self.0.borrow().seals[file]
    }

    /// The file has these seals too.
    pub(crate) fn seal(&self, file: usize, bits: u32) {
        self.0.borrow_mut().seals[file] |= bits;
    }

    /// Pages that the file was promised when it was mapped, and is until nobody maps it.
    pub(crate) fn promised(&self, file: usize) -> u64 {
        let is_mapped = self.0.borrow().mapped.contains(&file);
        if is_mapped { self.whole(file) } else { 0 }
    }

    /// Pages that the file will be promised by the next mapping.
    pub(crate) fn unpromised(&self, file: usize) -> u64 {
        match self.file(file).store {
            Store::Object => self.whole(file) - self.promised(file),
            Store::Memory | Store::Archive | Store::Disk => 0,
        }
    }

    fn whole(&self, file: usize) -> u64 {
        self.file(file).size.div_ceil(4096)
    }

    /// Somebody maps the object.
    pub(crate) fn map(&self, file: usize) {
        self.0.borrow_mut().mapped.insert(file);
    }

    /// The file in memory is gone; another of the same length has its number.
    pub(crate) fn renew(&self, file: usize) {
        let contents = &mut *self.0.borrow_mut();
        contents.mapped.remove(&file);
        contents.seals[file] = 0;
        contents.clear(file, &(0..u64::MAX));
    }

    /// The word at `place`.
    pub(crate) fn word(&self, place: Place) -> u64 {
        let (file, page, index) = place;
        let contents = self.0.borrow();
        let stored = contents.stored.get(&(file, page));
        stored.map_or_else(|| contents.original(place), |words| words[index])
    }

    /// All words of page `page`.
    pub(crate) fn page(&self, file: usize, page: u64) -> Page {
        self.0.borrow().page(file, page)
    }

    /// How many of the file's bytes are as they began, where nothing was stored.
    pub(crate) fn begun(&self, file: usize) -> u64 {
        self.0.borrow().begun[file]
    }

    /// Whether page `page` is as it began: then nobody need look.
    pub(crate) fn is_untouched(&self, file: usize, page: u64) -> bool {
        !self.0.borrow().stored.contains_key(&(file, page))
    }

    /// Page `page` is `words` from here on.
    pub(crate) fn store_page(&self, file: usize, page: u64, words: &Page) {
        let stored = &mut self.0.borrow_mut().stored;
        stored.insert((file, page), Rc::new(*words));
    }

    /// Stores a word.
    pub(crate) fn store(&self, (file, page, index): Place, word: u64) {
        self.0.borrow_mut().touch(file, page)[index] = word;
    }

    /// The bytes of a file from `start` on, as many as asked for but none behind its end.
    pub(crate) fn read(&self, file: usize, start: u64, length: u64) -> Vec<u8> {
        let end = (start + length).min(self.file(file).size);
        let byte = |at: u64| {
            let word = self.word((file, at / 4096, (at % 4096 / 8) as usize));
            word.to_le_bytes()[(at % 8) as usize]
        };
        (start..end).map(byte).collect()
    }

    /// Stores bytes in a file, which reaches at least so far then.
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

    /// Page `page` of a file in memory is reserved, a hole to all who look.
    pub(crate) fn reserve(&self, file: usize, page: u64) {
        self.0.borrow_mut().reserved.insert((file, page));
    }

    /// Whether page `page` is reserved, and nothing else yet.
    pub(crate) fn is_reserved(&self, file: usize, page: u64) -> bool {
        self.0.borrow().reserved.contains(&(file, page))
    }

    /// Somebody has come for page `page`, with or without success: if it was reserved, it may be there now.
    pub(crate) fn want(&self, file: usize, page: u64) {
        let contents = &mut *self.0.borrow_mut();
        if contents.reserved.contains(&(file, page)) {
            contents.wanted.insert((file, page));
        }
    }

    /// The step is over: `is_reserved` says which pages still are. Returns one of which that should not be so.
    pub(crate) fn settle_reserved(
        &self,
        is_reserved: impl Fn(usize, u64) -> bool,
    ) -> Option<(usize, u64)> {
        let contents = &mut *self.0.borrow_mut();
        let wanted = std::mem::take(&mut contents.wanted);
        let gone = |&(file, page): &(usize, u64)| !is_reserved(file, page);
        let gone: BTreeSet<_> = contents.reserved.iter().copied().filter(gone).collect();
        contents.reserved.retain(|place| !gone.contains(place));
        gone.difference(&wanted).next().copied()
    }

    /// The pages of a file in memory that hold anything.
    pub(crate) fn stored_pages(&self, file: usize) -> Vec<u64> {
        let contents = self.0.borrow();
        let stored = contents.stored.range((file, 0)..(file + 1, 0));
        let holding = stored.filter(|(_, words)| words.iter().any(|&word| word != 0));
        holding.map(|(&(_, page), _)| page).collect()
    }

    /// The file is `size` bytes long. Unless it grows, what lies behind that is gone.
    pub(crate) fn resize(&self, file: usize, size: u64) {
        let before = self.file(file).size;
        let contents = &mut *self.0.borrow_mut();
        contents.files[file].size = size;
        contents.begun[file] = contents.begun[file].min(size);
        if size <= before {
            contents.clear(file, &(size..u64::MAX));
        }
    }

    /// `bytes` of the file, in which nothing is left of how it began, are zeroes.
    pub(crate) fn clear(&self, file: usize, bytes: Range<u64>) {
        self.0.borrow_mut().clear(file, &bytes);
    }

    /// What programs stored behind the end of the file, in its last page, is gone.
    pub(crate) fn clear_tail(&self, file: usize) {
        let size = self.file(file).size;
        self.clear(file, size..size.next_multiple_of(4096));
    }
}

impl Contents {
    /// The word at `place` as it began.
    fn original(&self, place: Place) -> u64 {
        let (file, page, index) = place;
        let offset = page * 4096 + index as u64 * 8;
        match self.files[file].store {
            Store::Memory | Store::Object => 0,
            Store::Disk if !has_place(file, offset / BLOCK) => 0,
            Store::Archive | Store::Disk => word(file, self.begun[file], offset),
        }
    }

    fn page(&self, file: usize, page: u64) -> Page {
        match self.stored.get(&(file, page)) {
            Some(words) => **words,
            None => std::array::from_fn(|index| self.original((file, page, index))),
        }
    }

    /// The words of a page, to be changed.
    fn touch(&mut self, file: usize, page: u64) -> &mut Page {
        if !self.stored.contains_key(&(file, page)) {
            let words = Rc::new(self.page(file, page));
            self.stored.insert((file, page), words);
        }
        let words = self.stored.get_mut(&(file, page));
        Rc::make_mut(words.expect("it was put there"))
    }

    fn clear(&mut self, file: usize, bytes: &Range<u64>) {
        let whole = bytes.start.div_ceil(4096)..bytes.end / 4096;
        self.reserved
            .retain(|(other, page)| *other != file || !whole.contains(page));
        let pages = (file, bytes.start / 4096)..(file, bytes.end.div_ceil(4096));
        for (&(_, page), words) in self.stored.range_mut(pages) {
            for (index, word) in Rc::make_mut(words).iter_mut().enumerate() {
                *word = without(*word, page * 4096 + index as u64 * 8, bytes);
            }
        }
    }
}

/// Bytes of a block: the least that a file on the disk has a place for.
pub(crate) const BLOCK: u64 = 1024;

/// Whether the disk has a place for block number `block` of file number `file` from the start: one page in five is a hole,
/// and one has holes.
pub(crate) fn has_place(file: usize, block: u64) -> bool {
    match mix(((file as u64) << 32) | (block / 4)) % 5 {
        0 => false,
        1 => mix(((file as u64) << 40) | block).is_multiple_of(2),
        _ => true,
    }
}

/// `word`, which begins at byte `first`, with zeroes in place of `bytes`.
fn without(word: u64, first: u64, bytes: &Range<u64>) -> u64 {
    if word == 0 || first >= bytes.end || first + 8 <= bytes.start {
        return word;
    }
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
