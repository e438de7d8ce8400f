//! The disk under the files that are written back: what it holds, which blocks of a file have a place on it, and the writes
//! that are on their way there.
//!
//! A new place holds rubbish, and so do the bytes behind a file's end when they are read: what another file left there. A
//! write takes half of its words when it begins and half when it ends; one that fails has taken the first half of them.
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use mm::page_cache::Write;

use crate::files::{BLOCK, Files, Page, has_place};
use crate::random::mix;

/// Blocks of a page.
const BLOCKS: u64 = 4096 / BLOCK;

/// Which page of which file.
pub(crate) type Place = (usize, u64);

/// The disk.
pub(crate) struct Disk {
    contents: Files,
    /// Blocks of pages that have a place, a bit each; of others as they began.
    places: BTreeMap<Place, u8>,
    /// Pages of which the last write failed: what is there is anything.
    pub(crate) torn: BTreeSet<Place>,
    /// Files of which a write failed, which nobody was told yet.
    pub(crate) failed: BTreeSet<usize>,
    pub(crate) writes: VecDeque<Flying>,
}

/// A write that has begun.
pub(crate) struct Flying {
    pub(crate) write: Write,
    pub(crate) early: Box<Page>,
}

impl Disk {
    /// The disk as files begin.
    pub(crate) fn new(files: Files) -> Self {
        Self {
            contents: files,
            places: BTreeMap::new(),
            torn: BTreeSet::new(),
            failed: BTreeSet::new(),
            writes: VecDeque::new(),
        }
    }

    fn places(&self, (file, page): Place) -> u8 {
        let as_begun = || {
            let blocks = (0..BLOCKS).filter(|block| has_place(file, page * BLOCKS + block));
            blocks.map(|block| 1 << block).sum()
        };
        let behind = page * 4096 >= self.contents.begun(file);
        let known = self.places.get(&(file, page)).copied();
        known.unwrap_or_else(|| if behind { 0 } else { as_begun() })
    }

    /// Whether every block of the page that a file of `size` bytes reaches to has a place.
    pub(crate) fn has_all(&self, place: Place, size: u64) -> bool {
        let reached = size
            .saturating_sub(place.1 * 4096)
            .min(4096)
            .div_ceil(BLOCK);
        let needed = (1_u16 << reached) - 1;
        u16::from(self.places(place)) & needed == needed
    }

    /// Whether any has.
    pub(crate) fn has_any(&self, place: Place) -> bool {
        self.places(place) != 0
    }

    /// Finds places for all blocks of a page.
    pub(crate) fn find_place(&mut self, (file, page): Place) {
        let places = self.places((file, page));
        for block in (0..BLOCKS).filter(|block| places & (1 << block) == 0) {
            let words = (BLOCK / 8) as usize;
            let first = block as usize * words;
            for index in first..first + words {
                let rubbish = mix((page << 20) | index as u64) | 1;
                self.contents.store((file, page, index), rubbish);
            }
        }
        self.places.insert((file, page), (1 << BLOCKS) - 1);
    }

    /// What a read brings: behind byte `size` of the file rubbish.
    pub(crate) fn read(&self, (file, page): Place, size: u64) -> Page {
        let mut words = self.page((file, page));
        for (index, word) in words.iter_mut().enumerate() {
            let inside = size.saturating_sub(page * 4096 + index as u64 * 8).min(8);
            if inside < 8 {
                *word |= u64::MAX << (8 * inside);
            }
        }
        words
    }

    /// What a page holds once it was read.
    pub(crate) fn read_back(&self, (file, page): Place, size: u64) -> Page {
        let mut words = self.page((file, page));
        for (index, word) in words.iter_mut().enumerate() {
            let inside = size.saturating_sub(page * 4096 + index as u64 * 8).min(8);
            if inside < 8 {
                *word &= !(u64::MAX << (8 * inside));
            }
        }
        words
    }

    /// What it holds of a page; zeroes where it has no place.
    pub(crate) fn page(&self, (file, page): Place) -> Page {
        self.contents.page(file, page)
    }

    pub(crate) fn is_untouched(&self, (file, page): Place) -> bool {
        self.contents.is_untouched(file, page)
    }

    /// The page arrives.
    pub(crate) fn write(&mut self, place: Place, words: &Page) {
        self.contents.store_page(place.0, place.1, words);
        self.torn.remove(&place);
    }

    /// The page arrives in part. Behind byte `size`, where the file ends, it does: what would come to light there, should
    /// the file grow and the page have left memory, no kernel could know of.
    pub(crate) fn tear(&mut self, place: Place, words: &Page, size: u64) {
        let mut left = self.read_back(place, size);
        left[..256].copy_from_slice(&words[..256]);
        self.contents.store_page(place.0, place.1, &left);
        self.torn.insert(place);
        self.failed.insert(place.0);
    }

    /// The places of all pages from byte `size` of the file on are others' again.
    pub(crate) fn cut(&mut self, file: usize, size: u64) {
        let end = size.next_multiple_of(4096);
        self.contents
            .resize(file, self.contents.file(file).size.max(end));
        self.contents.resize(file, end);
        let lost = |&(other, page): &Place| other == file && page * 4096 >= end;
        self.torn.retain(|place| !lost(place));
        self.places.retain(|place, _| !lost(place));
    }
}
