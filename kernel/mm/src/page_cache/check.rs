//! What always holds for the slots of a file.
use alloc::format;
use alloc::string::String;

use super::slot::{ABSENT, BACKED, DIRTY, PRESENT, READING, RESERVED, WRITEBACK};
use super::{CachedFile, Source};
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::PAGE_SIZE;
use crate::sync::atomic::Ordering::Acquire;

impl CachedFile {
    /// Checks the pages that are there; how many are dirty, and how many are being written.
    pub(crate) fn check_pages<M: Machine>(&self, memory: &Memory<M>) -> Result<(u64, u64), String> {
        self.check_end(memory)?;
        self.check_marks(memory)
    }

    /// No page stays behind the end of a file that can be cut short, but for those that were reserved there, and those that
    /// are on their way.
    fn check_end<M: Machine>(&self, memory: &Memory<M>) -> Result<(), String> {
        let behind = match self.source {
            Source::Archive => None,
            Source::Memory => self.next_page(memory, self.reach()),
            Source::Disk => self.first_kept(memory, self.reach()),
        };
        match behind {
            Some(page) => Err(format!(
                "file {} has page {page} in memory, but only {} bytes",
                self.id(),
                self.size()
            )),
            None => Ok(()),
        }
    }

    /// Checks every slot's marks against each other, and their sums.
    fn check_marks<M: Machine>(&self, memory: &Memory<M>) -> Result<(u64, u64), String> {
        let (mut present, mut dirty, mut written) = (0, 0, 0);
        let mut from = Some(0);
        while let Some((index, slot)) = from.and_then(|from| self.pages.next(memory, from)) {
            let bits = slot.load(Acquire);
            self.check_slot(index, bits)?;
            self.check_tail(memory, index, bits)?;
            self.check_reserved(memory, index, bits)?;
            present += u64::from(bits & PRESENT != 0);
            dirty += u64::from(bits & DIRTY != 0);
            written += u64::from(bits & WRITEBACK != 0);
            from = index.checked_add(1);
        }
        let counted = (
            self.resident_pages(),
            self.dirty_pages(),
            self.pages_being_written(),
        );
        if (present, dirty, written) != counted {
            return Err(format!(
                "file {}: {present} pages are there, {dirty} dirty, {written} being written; the books say {counted:?}",
                self.id
            ));
        }
        Ok((dirty, written))
    }

    fn check_slot(&self, index: u64, bits: u64) -> Result<(), String> {
        let has = |mark| bits & mark != 0;
        let is_sound = has(PRESENT) != has(READING)
            && (has(PRESENT) || !has(DIRTY | WRITEBACK | BACKED))
            && (has(BACKED) || !has(DIRTY | WRITEBACK))
            && (self.source == Source::Disk || !has(BACKED))
            && (self.source != Source::Disk && has(PRESENT) || !has(RESERVED));
        if is_sound {
            return Ok(());
        }
        let marks = bits % PAGE_SIZE;
        Err(format!("page {index} of file {} is {marks:#b}", self.id))
    }

    /// Bytes behind the end are zeroes in every page that the disk has like that.
    fn check_tail<M: Machine>(
        &self,
        memory: &Memory<M>,
        index: u64,
        bits: u64,
    ) -> Result<(), String> {
        let in_tail = (self.size() % PAGE_SIZE) as usize;
        let is_clean = bits & (PRESENT | DIRTY) == PRESENT;
        let is_last = in_tail > 0 && index == self.size() / PAGE_SIZE;
        if self.source != Source::Disk || !is_last || !is_clean {
            return Ok(());
        }
        let mut stored = None;
        memory.machine.occupied(super::frame(bits), |number, word| {
            let inside = in_tail.saturating_sub(number * 8).min(8);
            if word.to_le_bytes()[inside..].iter().any(|&byte| byte != 0) {
                stored.get_or_insert((number, word));
            }
        });
        match stored {
            None => Ok(()),
            Some((number, word)) => Err(format!(
                "page {index} of file {} is clean, but word {number} is {word:#x} and the end at {in_tail}",
                self.id
            )),
        }
    }

    /// What is reserved is zeroes, which nobody but its slot leads to.
    fn check_reserved<M: Machine>(
        &self,
        memory: &Memory<M>,
        index: u64,
        bits: u64,
    ) -> Result<(), String> {
        if bits & RESERVED == 0 {
            return Ok(());
        }
        let frame = super::frame(bits);
        let record = memory.record(frame);
        let holders = (record.references(), record.mappings());
        let mut stored = None;
        memory.machine.occupied(frame, |number, word| {
            stored.get_or_insert((number, word));
        });
        if holders == (1, 0) && stored.is_none() {
            return Ok(());
        }
        Err(format!(
            "page {index} of file {} is reserved, but has (holders, entries) {holders:?} and {stored:x?}",
            self.id
        ))
    }

    /// The first page from `index` on that is in memory and not on its way anywhere.
    fn first_kept<M: Machine>(&self, memory: &Memory<M>, index: u64) -> Option<u64> {
        let mut next = self.pages.next(memory, index);
        while let Some((index, slot)) = next {
            let bits = slot.load(Acquire);
            if bits != ABSENT && bits & (READING | WRITEBACK) == 0 {
                return Some(index);
            }
            next = self.pages.next(memory, index.checked_add(1)?);
        }
        None
    }
}
