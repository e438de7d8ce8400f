//! Shows how areas split and merge: a change of some pages cuts them out, and what touches and is alike is one again.
//!
//! After each step the program draws the areas: a letter for each, a dot for a hole. It finds their borders by asking
//! for growth that can't be had: within one area there is no room for it (ENOMEM), across a border it makes no sense
//! (EFAULT). No page is ever touched, so that nothing but areas counts.
#![no_std]
#![forbid(unsafe_code)]

use rt::abi::general::{
    MADV_DODUMP, MADV_DOFORK, MADV_DONTDUMP, MADV_DONTFORK, MADV_NORMAL, MADV_RANDOM,
    MADV_SEQUENTIAL,
};
use rt::memory::{
    MAP_FIXED, MAP_NORESERVE, MREMAP_FIXED, MREMAP_MAYMOVE, Mapping, PAGE, PROT_EXEC, PROT_NONE,
    PROT_READ, PROT_WRITE, madvise, mincore, mmap, mremap, munmap,
};
use rt::{Errno, println};

const PAGES: usize = 12;
const RW: u32 = PROT_READ | PROT_WRITE;
/// More than any program may have.
const TOO_LONG: usize = 1 << 46;

/// Twelve pages with holes around them.
struct Drawing(Mapping);

fn main() {
    let around = Mapping::with(PAGES + 2, PROT_NONE, 0);
    munmap(around.page(0), around.length()).expect("munmap");
    let start = mmap(around.page(1), PAGES * PAGE, RW, MAP_FIXED).expect("mmap");
    let it = Drawing(Mapping::at(start, PAGES));
    it.draw("twelve pages");
    rights(&it);
    holes(&it);
    notes(&it);
    moves(&it);
}

fn rights(it: &Drawing) {
    it.protect(4, 4, PROT_READ);
    it.draw("the middle read-only");
    it.protect(0, 4, PROT_READ);
    it.draw("what is below it too");
    it.protect(8, 4, PROT_READ);
    it.draw("and what is above it");
    it.protect(0, 3, RW);
    it.protect(9, 3, RW);
    it.draw("both ends writable");
    it.protect(3, 6, RW);
    it.draw("and what is between");
    it.protect(2, 2, PROT_NONE);
    it.protect(4, 2, PROT_READ);
    it.protect(6, 2, PROT_READ | PROT_EXEC);
    it.draw("three kinds in the middle");
    it.protect(3, 4, PROT_READ);
    it.draw("a change across two borders");
    it.protect(1, 10, RW);
    it.draw("a change of all");
}

fn holes(it: &Drawing) {
    it.unmap(5, 2);
    it.draw("a hole");
    it.map(5, 2, RW, 0);
    it.draw("filled with the same");
    it.unmap(5, 2);
    it.map(5, 2, PROT_READ, 0);
    it.draw("filled with something else");
    it.map(4, 4, RW, 0);
    it.draw("mapped over");
    it.map(4, 4, RW, MAP_NORESERVE);
    it.draw("mapped over without reserve");
    it.map(3, 6, RW, 0);
    it.draw("and with");
    it.unmap(0, 3);
    it.unmap(9, 3);
    it.draw("cut at both ends");
    it.map(0, 3, RW, 0);
    it.draw("joined below");
    it.map(9, 3, RW, 0);
    it.draw("joined above");
}

fn notes(it: &Drawing) {
    it.advise(2, 4, MADV_RANDOM);
    it.advise(6, 4, MADV_SEQUENTIAL);
    it.draw("random, sequential");
    it.advise(4, 4, MADV_RANDOM);
    it.draw("more of it random");
    it.advise(0, PAGES, MADV_NORMAL);
    it.draw("all as ever");
    it.advise(1, 2, MADV_DONTFORK);
    it.advise(2, 2, MADV_DONTDUMP);
    it.draw("not for children; not for dumps");
    it.advise(0, PAGES, MADV_DOFORK);
    it.draw("for children again");
    it.advise(0, PAGES, MADV_DODUMP);
    it.draw("and for dumps");
}

fn moves(it: &Drawing) {
    it.resize(0, PAGES, 6);
    it.draw("half of it");
    it.map(9, 3, RW, 0);
    it.draw("an area farther up");
    it.resize(0, 6, 9);
    it.draw("grown until they touch");
    it.protect(2, 2, PROT_READ);
    it.unmap(6, 2);
    it.draw("a piece and a hole");
    it.carry(2, 6, 2);
    it.draw("the piece is moved into the hole");
    it.carry(0, 2, 2);
    it.draw("and its neighbour after it");
    it.protect(6, 2, RW);
    it.draw("made alike");
}

impl Drawing {
    fn protect(&self, first: usize, count: usize, rights: u32) {
        self.0.protect(first, count, rights).expect("mprotect");
    }

    fn unmap(&self, first: usize, count: usize) {
        munmap(self.0.page(first), count * PAGE).expect("munmap");
    }

    fn map(&self, first: usize, count: usize, rights: u32, flags: u32) {
        let start = self.0.page(first);
        let got = mmap(start, count * PAGE, rights, flags | MAP_FIXED);
        assert_eq!(got, Ok(start));
    }

    fn advise(&self, first: usize, count: usize, advice: u32) {
        madvise(self.0.page(first), count * PAGE, advice).expect("madvise");
    }

    fn resize(&self, first: usize, old: usize, new: usize) {
        let start = self.0.page(first);
        assert_eq!(mremap(start, old * PAGE, new * PAGE, 0, 0), Ok(start));
    }

    fn carry(&self, from: usize, to: usize, count: usize) {
        let (length, target) = (count * PAGE, self.0.page(to));
        let flags = MREMAP_MAYMOVE | MREMAP_FIXED;
        let got = mremap(self.0.page(from), length, length, flags, target);
        assert_eq!(got, Ok(target));
    }

    fn draw(&self, what: &str) {
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
