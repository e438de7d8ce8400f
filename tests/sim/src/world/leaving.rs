//! Pages of files on the disk that leave memory, because it has them: none is lost, and none goes that has to stay.
use super::{Answer, World};
use crate::broken::{Sound, demand};
use crate::failing_heap::in_mm;
use crate::op::Span;

impl World {
    /// `pages` were in memory, and come from the disk the next time: what a failed write left there is what they hold.
    pub(super) fn come_back(&mut self, file: usize, pages: Vec<u64>) -> Sound {
        for page in pages {
            self.is_on_disk(file, page)?;
            let disk = &mut *self.kernel.disk.borrow_mut();
            if disk.torn.remove(&(file, page)) {
                let words = disk.read_back((file, page), self.contents.file(file).size);
                self.contents.store_page(file, page, &words);
            }
        }
        Ok(())
    }

    /// Gives pages back: clean ones that nobody has locked.
    pub(super) fn give_back(&mut self, file: usize, most: u64) -> Sound<Answer> {
        let Some(cached) = self.disk_file(file) else {
            return Ok(Answer::Nothing);
        };
        let memory = &self.kernel.memory;
        let before = self.pages_there(file);
        let kept: Vec<u64> = before
            .iter()
            .copied()
            .filter(|&page| {
                let is_dirty =
                    cached.is_dirty(memory, page) || cached.is_being_written(memory, page);
                is_dirty || self.is_locked(file, page)
            })
            .collect();
        let given = in_mm(|| cached.give_back(memory, most));
        let gone: Vec<u64> = before
            .into_iter()
            .filter(|&page| !cached.is_ready(memory, page))
            .collect();
        demand!(
            given == gone.len() as u64 && given <= most,
            "{given} pages of {most} were given back, {gone:?} are gone"
        );
        let lost = gone.iter().find(|page| kept.contains(page));
        demand!(lost.is_none(), "page {lost:?} had to stay");
        self.come_back(file, gone)?;
        Ok(super::did(given > 0))
    }

    fn is_locked(&self, file: usize, page: u64) -> bool {
        let mut areas = self
            .spaces
            .iter()
            .flatten()
            .flat_map(|process| process.oracle.areas());
        areas.any(|area| {
            let first = area.file_page(area.start);
            let shown = first.is_some_and(|(other, first)| {
                other == file && first <= page && page - first < area.pages()
            });
            area.lock.is_some() && shown
        })
    }

    /// Drops pages for the sake of a write past the cache.
    pub(super) fn invalidate(&mut self, file: usize, span: Span) -> Sound<Answer> {
        let Some(cached) = self.disk_file(file) else {
            return Ok(Answer::Nothing);
        };
        let memory = &self.kernel.memory;
        let pages = span.address / 4096..(span.address + span.length).div_ceil(4096);
        let before = self.pages_there(file);
        let stays = in_mm(|| cached.invalidate(memory, pages.clone()));
        let is_busy = |page: &u64| {
            cached.is_dirty(memory, *page)
                || cached.is_being_written(memory, *page)
                || cached.is_being_read(memory, *page)
        };
        let expected = pages.clone().find(is_busy);
        demand!(
            stays == expected,
            "page {stays:?} could not be dropped, the oracle says {expected:?}"
        );
        let gone: Vec<u64> = before
            .into_iter()
            .filter(|&page| !cached.is_ready(memory, page))
            .collect();
        let is_asked = gone.iter().all(|page| pages.contains(page));
        demand!(is_asked, "{gone:?} are gone, {pages:?} were to go");
        self.come_back(file, gone)?;
        Ok(Answer::Done)
    }

    /// Drops pages of which somebody said that nobody will need them: those that are clean and that nobody maps.
    pub(super) fn drop_unused(&mut self, file: usize, span: Span) -> Sound<Answer> {
        let Some(cached) = self.disk_file(file) else {
            return Ok(Answer::Nothing);
        };
        let memory = &self.kernel.memory;
        let pages = span.address / 4096..(span.address + span.length).div_ceil(4096);
        let before = self.pages_there(file);
        let may_go = |page: &u64| {
            let is_clean =
                !cached.is_dirty(memory, *page) && !cached.is_being_written(memory, *page);
            is_clean && pages.contains(page) && self.entries_of(file, *page) == 0
        };
        let (gone, kept): (Vec<u64>, Vec<u64>) = before.into_iter().partition(may_go);
        in_mm(|| cached.drop_unused(memory, pages));
        let wrong = gone.iter().find(|&&page| cached.is_ready(memory, page));
        demand!(wrong.is_none(), "page {wrong:?} was nobody's, and stays");
        let lost = kept.iter().find(|&&page| !cached.is_ready(memory, page));
        demand!(lost.is_none(), "page {lost:?} had to stay");
        let any = !gone.is_empty();
        self.come_back(file, gone)?;
        Ok(super::did(any))
    }

    /// How many entries lead to page `page`, which is in memory.
    fn entries_of(&self, file: usize, page: u64) -> u32 {
        let (cached, memory) = (&self.files[file], &self.kernel.memory);
        let Some(frame) = cached.hold(memory, page) else {
            return 0;
        };
        let entries = memory.record(frame).mappings();
        cached.let_go(memory, frame);
        entries
    }
}
