//! Pages that were read before anybody asked for them.
use super::Drawing;
use crate::fault::{Access, Outcome, Path};
use crate::madvise::Advice;
use crate::page::PAGE_SIZE;
use crate::page_cache::{Pattern, ReadResult};
use crate::testing::FIRST;

impl Drawing {
    /// Reads page `index`, marked.
    fn read_ahead(&self, index: u64) {
        let read = self.begin_read(index);
        read.mark_ahead(&self.memory);
        read.complete(&self.memory, ReadResult::Filled);
    }

    fn advise(&mut self, page: u64, advice: Advice) {
        let (memory, address) = (&self.memory, (FIRST + page).address());
        let advised = self.space.madvise(memory, address, PAGE_SIZE, advice);
        advised.expect("the area is there");
    }
}

#[test]
fn nobody_passes_a_mark_unseen_and_only_one_sees_it() {
    let drawing = Drawing::of("c...");
    (1..4).for_each(|page| drawing.read_ahead(page));
    drawing.takes(0, Access::Read, Path::FileRead);
    drawing.is_mapped("r...");
    for (page, access, path) in [
        (1, Access::Read, Path::FileRead),
        (2, Access::Write, Path::FileStore),
        (3, Access::Read, Path::FileRead),
    ] {
        let Outcome::ReadAhead(reached) = drawing.fault(page, access) else {
            panic!("page {page} was passed");
        };
        assert_eq!(reached.index(), page);
        reached.release(&drawing.memory);
        drawing.takes(page, access, path);
        drawing.is_mapped(["rr..", "rrw.", "rrwr"][page as usize - 1]);
    }
    drawing.close();
}

#[test]
fn nothing_is_read_ahead_of_who_goes_about_in_no_order() {
    let mut drawing = Drawing::of("..");
    drawing.advise(1, Advice::Random);
    drawing.read_ahead(1);
    drawing.takes(1, Access::Read, Path::FileRead);
    drawing.close();
}

#[test]
fn no_advice_about_order_is_kept_from_who_reads() {
    let mut drawing = Drawing::of("...");
    drawing.advise(1, Advice::Random);
    drawing.advise(2, Advice::Sequential);
    for (page, expected) in [
        (0, Pattern::Unknown),
        (1, Pattern::Random),
        (2, Pattern::Rising),
    ] {
        let Outcome::NeedsRead(read) = drawing.fault(page, Access::Read) else {
            panic!("page {page} was there");
        };
        assert_eq!(read.pattern(), expected);
        read.complete(&drawing.memory, ReadResult::Failed);
    }
    drawing.close();
}
