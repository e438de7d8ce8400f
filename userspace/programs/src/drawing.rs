//! Areas, drawn: twelve pages with a hole at each end, a letter for each area, a dot for a hole.
//!
//! Borders are found by asking for growth that can't be had: within one area there is no room for it (ENOMEM), across a
//! border it makes no sense (EFAULT). So nothing is touched by looking.

use rt::memory::{
    MAP_FIXED, MREMAP_FIXED, MREMAP_MAYMOVE, Mapping, PAGE, PROT_NONE, PROT_READ, PROT_WRITE,
    madvise, mincore, mmap, mremap, munmap,
};
use rt::{Errno, println, probe};

/// Pages of a drawing.
pub const PAGES: usize = 12;
/// More than any program may have.
const TOO_LONG: usize = 1 << 46;
const RW: u32 = PROT_READ | PROT_WRITE;

/// Twelve pages with holes around them.
pub struct Drawing(Mapping);

impl Drawing {
    /// Twelve pages of nothing.
    pub fn empty() -> Self {
        let around = Mapping::with(PAGES + 2, PROT_NONE, 0);
        around.unmap();
        Self(Mapping::at(around.page(1), PAGES))
    }

    /// Twelve pages of one area.
    pub fn full() -> Self {
        let it = Self::empty();
        it.map(0, PAGES, RW, 0);
        it
    }

    /// Stores to page `index`.
    pub fn write(&self, index: usize) {
        probe::store(self.0.page(index), 1);
    }

    /// Loads from page `index`.
    pub fn read(&self, index: usize) {
        probe::load(self.0.page(index));
    }

    /// Leaves twelve pages of nothing.
    pub fn clear(&self) {
        self.unmap(0, PAGES);
    }

    /// mremap of `count` pages from page `from` to page `to`, with more flags.
    pub fn carry_with(&self, from: usize, to: usize, count: usize, flags: u32) {
        let (length, target) = (count * PAGE, self.0.page(to));
        let flags = flags | MREMAP_MAYMOVE | MREMAP_FIXED;
        let got = mremap(self.0.page(from), length, length, flags, target);
        assert_eq!(got, Ok(target));
    }

    /// mprotect of `count` pages from `first`.
    pub fn protect(&self, first: usize, count: usize, rights: u32) {
        self.0.protect(first, count, rights).expect("mprotect");
    }

    /// munmap of `count` pages from `first`.
    pub fn unmap(&self, first: usize, count: usize) {
        munmap(self.0.page(first), count * PAGE).expect("munmap");
    }

    /// mmap of `count` fresh pages from `first`.
    pub fn map(&self, first: usize, count: usize, rights: u32, flags: u32) {
        let start = self.0.page(first);
        let got = mmap(start, count * PAGE, rights, flags | MAP_FIXED);
        assert_eq!(got, Ok(start));
    }

    /// madvise on `count` pages from `first`.
    pub fn advise(&self, first: usize, count: usize, advice: u32) {
        madvise(self.0.page(first), count * PAGE, advice).expect("madvise");
    }

    /// mremap of `old` pages from `first` to `new` pages, where they are.
    pub fn resize(&self, first: usize, old: usize, new: usize) {
        let start = self.0.page(first);
        assert_eq!(mremap(start, old * PAGE, new * PAGE, 0, 0), Ok(start));
    }

    /// mremap of `count` pages from page `from` to page `to`.
    pub fn carry(&self, from: usize, to: usize, count: usize) {
        self.carry_with(from, to, count, 0);
    }

    /// Prints the areas and what was done.
    pub fn draw(&self, what: &str) {
        let mut picture = [b'.'; PAGES];
        let mut letter = b'a';
        for index in 0..PAGES {
            if !self.is_mapped(index) {
                continue;
            }
            let continues = index > 0 && self.is_mapped(index - 1) && self.are_one(index - 1);
            if !continues && picture != [b'.'; PAGES] {
                letter += 1;
            }
            picture[index] = letter;
        }
        let picture = core::str::from_utf8(&picture).expect("letters");
        println!("{picture}  {what}");
    }

    fn is_mapped(&self, index: usize) -> bool {
        mincore(self.0.page(index), PAGE, &mut [0]).is_ok()
    }

    /// Whether page `index` and the next are of one area.
    fn are_one(&self, index: usize) -> bool {
        match mremap(self.0.page(index), 2 * PAGE, TOO_LONG, 0, 0) {
            Err(Errno::ENOMEM) => true,
            Err(Errno::EFAULT) => false,
            other => panic!("mremap without room: {other:?}"),
        }
    }
}
