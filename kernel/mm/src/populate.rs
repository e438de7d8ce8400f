//! Pages that are fetched before they are touched: which one comes next, and by which access.
//!
//! `mlock`, MAP_POPULATE and MADV_POPULATE_* differ in what they make of holes and missing rights. The fault itself is the
//! usual one; the caller lets go of the space between two pages.
use core::ops::Range;

use crate::error::Error;
use crate::fault::{Access, Outcome};
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::Page;
use crate::pte::Pte;
use crate::space::AddressSpace;
use crate::sync::atomic::Ordering::Acquire;
use crate::vma::{VmFlags, Vma};

/// Who wants pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Populate {
    /// The area itself (`mlock`): what can be written is written, holes and areas that are locked on fault are
    /// stepped over.
    Area,
    /// The same, where nobody hears of refusals (`mlockall`): an area that can't be fetched is stepped over too.
    Willing,
    /// MADV_POPULATE_READ.
    Read,
    /// MADV_POPULATE_WRITE.
    Write,
}

impl AddressSpace {
    /// The first page of `pages` that has to be touched, and how; `None` if none is left.
    pub fn next_to_populate(
        &self,
        pages: &Range<Page>,
        wish: Populate,
    ) -> Result<Option<(Page, Access)>, Error> {
        if pages.start >= pages.end {
            return Ok(None);
        }
        match wish {
            Populate::Area => self.next_of_area(pages),
            Populate::Willing => Ok(self.next_willing(pages)),
            Populate::Read => self.next_with(pages, VmFlags::READ, Access::Read),
            Populate::Write => self.next_with(pages, VmFlags::WRITE, Access::Write),
        }
    }

    /// Has `page`, which [`Self::next_to_populate`] named, come in; `None` where it is there already, which as on Linux
    /// is no fault.
    pub fn fetch<M: Machine>(
        &self,
        memory: &Memory<M>,
        page: Page,
        access: Access,
    ) -> Option<Outcome> {
        let entry = self.table.entry(memory, page);
        let is_there = entry.is_some_and(|entry| match Pte::decode(entry.load(Acquire)) {
            Pte::Mapped(leaf) => access != Access::Write || leaf.is_writable(),
            _ => false,
        });
        (!is_there).then(|| self.handle_fault(memory, page.address(), access))
    }

    fn next_of_area(&self, pages: &Range<Page>) -> Result<Option<(Page, Access)>, Error> {
        let Some(vma) = self.fetched_at_once(pages).next() else {
            return Ok(None);
        };
        if !vma.flags.allow(access_to(vma)) {
            return Err(Error::BadAddress);
        }
        Ok(Some((vma.start.max(pages.start), access_to(vma))))
    }

    fn next_willing(&self, pages: &Range<Page>) -> Option<(Page, Access)> {
        let mut areas = self.fetched_at_once(pages);
        let vma = areas.find(|vma| vma.flags.allow(access_to(vma)))?;
        Some((vma.start.max(pages.start), access_to(vma)))
    }

    fn fetched_at_once(&self, pages: &Range<Page>) -> impl Iterator<Item = &Vma> {
        let passed_over = VmFlags::RAW | (VmFlags::LOCK - VmFlags::LOCKED);
        let areas = self.areas.within(pages);
        areas.filter(move |vma| !vma.flags.intersects(passed_over))
    }

    fn next_with(
        &self,
        pages: &Range<Page>,
        right: VmFlags,
        access: Access,
    ) -> Result<Option<(Page, Access)>, Error> {
        let vma = self.areas.at(pages.start).ok_or(Error::OutOfMemory)?;
        if !vma.flags.contains(right) || vma.flags.contains(VmFlags::RAW) {
            return Err(Error::Invalid);
        }
        Ok(Some((pages.start, access)))
    }
}

/// The access that fetches the area's pages for good: what can be written and is nobody else's is written.
fn access_to(vma: &Vma) -> Access {
    match vma.flags & (VmFlags::WRITE | VmFlags::SHARED) {
        VmFlags::WRITE => Access::Write,
        _ => Access::Read,
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::Populate;
    use crate::error::Error;
    use crate::fault::{Access, Path};
    use crate::mmap::Place;
    use crate::testing::{Drawing, FIRST, mapping, path};
    use crate::vma::VmFlags;

    #[test]
    fn nothing_that_is_there_comes_in_again() {
        let drawing = Drawing::of("WwwRr");
        let (space, memory) = (&drawing.space, &drawing.memory);
        let fetch = |page: u64, access| {
            let outcome = space.fetch(memory, FIRST + page, access);
            outcome.map(path)
        };
        let next = space.next_to_populate(&(FIRST..FIRST + 5), Populate::Area);
        assert_eq!(next, Ok(Some((FIRST, Access::Write))));
        assert_eq!(fetch(0, Access::Read), Some(Path::ZeroRead));
        assert_eq!(fetch(0, Access::Read), None);
        // It can be read, but not written: the zero page is not its own.
        assert_eq!(fetch(0, Access::Write), Some(Path::CowZero));
        assert_eq!(fetch(0, Access::Write), None);
        assert_eq!(fetch(3, Access::Read), Some(Path::ZeroRead));
        assert_eq!(fetch(3, Access::Read), None);
    }

    /// Which pages of ten are fetched, `r` by reading and `w` by writing, and how that ends.
    fn fetched(drawing: &Drawing, wish: Populate) -> (String, Result<(), Error>) {
        let (mut seen, mut rest) = (String::new(), FIRST..FIRST + 10);
        loop {
            let next = drawing.space.next_to_populate(&rest, wish);
            let Ok(Some((page, access))) = next else {
                return (seen, next.map(drop));
            };
            assert!(page >= rest.start, "it goes back to {page:?}");
            (rest.start.number()..page.number()).for_each(|_| seen.push('.'));
            seen.push(if access == Access::Write { 'w' } else { 'r' });
            rest.start = page + 1;
        }
    }

    #[test]
    fn no_page_is_fetched_that_nobody_asked_for() {
        let ok = Ok(());
        let no_right = Err(Error::BadAddress);
        for (picture, by_area, willing) in [
            ("WwRr.XxW..", ("wwrr.rrw", ok), ("wwrr.rrw", ok)),
            ("LlOo.LlOo.", ("ww...ww", ok), ("ww...ww", ok)),
            ("WwNnWw....", ("ww", no_right), ("ww..ww", ok)),
            ("..........", ("", ok), ("", ok)),
        ] {
            let drawing = Drawing::of(picture);
            for (wish, (pages, end)) in [(Populate::Area, by_area), (Populate::Willing, willing)] {
                let got = fetched(&drawing, wish);
                assert_eq!(got, (pages.into(), end), "{wish:?} of {picture}");
            }
        }
    }

    #[test]
    fn what_is_shared_is_never_written_for_others_to_see() {
        let mut drawing = Drawing::of("Ww........");
        let flags = VmFlags::READ | VmFlags::WRITE | VmFlags::SHARED;
        let request = mapping(FIRST + 2..FIRST + 4, Place::Fixed, flags);
        let (space, memory) = (&mut drawing.space, &drawing.memory);
        space.mmap(memory, request).expect("free");
        assert_eq!(fetched(&drawing, Populate::Area), ("wwrr".into(), Ok(())));
    }

    #[test]
    fn no_hole_and_no_missing_right_is_stepped_over() {
        let hole = Err(Error::OutOfMemory);
        let no_right = Err(Error::Invalid);
        for (picture, by_reading, by_writing) in [
            ("WwOoWwWwWw", ("rrrrrrrrrr", Ok(())), ("wwwwwwwwww", Ok(()))),
            ("Ww.Ww.....", ("rr", hole), ("ww", hole)),
            ("WwRrNnWw..", ("rrrr", no_right), ("ww", no_right)),
        ] {
            let drawing = Drawing::of(picture);
            for (wish, (pages, end)) in
                [(Populate::Read, by_reading), (Populate::Write, by_writing)]
            {
                let got = fetched(&drawing, wish);
                assert_eq!(got, (pages.into(), end), "{wish:?} of {picture}");
            }
        }
    }
}
