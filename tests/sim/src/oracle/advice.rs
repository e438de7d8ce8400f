//! mlock(2), madvise(2) and their kin.
use std::collections::BTreeSet;

use super::{Area, Oracle, Refusal, Stores};
use crate::op::{Advice, Call, Lock, Nature, Rights, Sharing, Source, Span};

/// Advice that areas remember.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// MADV_RANDOM or MADV_SEQUENTIAL.
    pub order: Option<Advice>,
    /// MADV_DONTFORK.
    pub fork: Option<Advice>,
    /// MADV_WIPEONFORK.
    pub wipe: Option<Advice>,
    /// MADV_HUGEPAGE or MADV_NOHUGEPAGE.
    pub huge: Option<Advice>,
    /// MADV_DONTDUMP.
    pub dump: Option<Advice>,
    /// MADV_MERGEABLE.
    pub merge: Option<Advice>,
}

impl Oracle {
    /// One of the calls that came with the whole address space; mremap's address.
    pub fn call(&mut self, call: &Call) -> Result<u64, Refusal> {
        match *call {
            Call::Lock(span, lock) => self.lock(span, lock),
            Call::Unlock(span) => self.set_lock(span, None),
            Call::LockAll(now, future) => self.lock_all(now, future),
            Call::UnlockAll => {
                self.future = None;
                self.lock_areas(None);
                Ok(0)
            }
            Call::Resident(span) => self.resident(span),
            Call::Advise(span, advice) => self.advise(span, advice),
            Call::Sync(span, bits) => self.sync(span, bits),
            Call::Remap(remap) => self.remap(&remap),
            Call::Reclaim | Call::Expel(_) => Ok(0),
        }
    }

    fn lock(&mut self, span: Span, lock: Lock) -> Result<u64, Refusal> {
        if self.rules.locked == 0 {
            return Err(Refusal::EPERM);
        }
        let (start, end) = pages(span);
        let locked = |area: &Area| if area.lock.is_some() { area.pages() } else { 0 };
        let all: u64 = self.areas.iter().map(locked).sum();
        let inside: u64 = self.parts(start, end).map(|part| locked(&part)).sum();
        if all - inside + (end - start) > self.rules.locked / 4096 {
            return Err(Refusal::ENOMEM);
        }
        self.set_lock(span, Some(lock))
    }

    fn set_lock(&mut self, span: Span, lock: Option<Lock>) -> Result<u64, Refusal> {
        let (mut at, end) = pages(span);
        if end > u64::MAX >> 12 {
            return Err(Refusal::EINVAL);
        }
        while at < end {
            let area = *self.area_at(at).ok_or(Refusal::ENOMEM)?;
            let piece = area.part(at, area.end.min(end));
            let lock = piece.lock_of(lock);
            self.change(piece, Area { lock, ..piece });
            at = piece.end;
        }
        Ok(0)
    }

    fn lock_all(&mut self, now: Option<Lock>, future: Option<Lock>) -> Result<u64, Refusal> {
        if self.rules.locked == 0 {
            return Err(Refusal::EPERM);
        }
        if now.is_some() && self.pages() > self.rules.locked / 4096 {
            return Err(Refusal::ENOMEM);
        }
        self.future = future;
        if now.is_some() {
            self.lock_areas(now);
        }
        Ok(0)
    }

    fn lock_areas(&mut self, lock: Option<Lock>) {
        for area in self.areas.clone() {
            let lock = area.lock_of(lock);
            self.change(area, Area { lock, ..area });
        }
    }

    /// Whether `pages` more that are locked keep the limit.
    pub(super) fn may_add_locked(&self, pages: u64, lock: Option<Lock>) -> bool {
        let locked = self.areas.iter().filter(|area| area.lock.is_some());
        let all: u64 = locked.map(Area::pages).sum();
        lock.is_none() || all + pages <= self.rules.locked / 4096
    }

    fn resident(&self, span: Span) -> Result<u64, Refusal> {
        if !span.address.is_multiple_of(4096) {
            return Err(Refusal::EINVAL);
        }
        let (start, end) = (span.address / 4096, span.length.div_ceil(4096));
        let there = self.pages_in(start, start.saturating_add(end));
        if there == end {
            Ok(0)
        } else {
            Err(Refusal::ENOMEM)
        }
    }

    fn advise(&mut self, span: Span, advice: Advice) -> Result<u64, Refusal> {
        match advice {
            Advice::PopulateRead => return self.populate(span, Rights::R),
            Advice::PopulateWrite => return self.populate(span, Rights::W),
            _ => {}
        }
        let (mut at, end) = advised(span)?;
        let mut answer = Ok(0);
        while at < end {
            let next = self.areas.iter().find(|area| area.end > at).copied();
            let area = next.ok_or(Refusal::ENOMEM)?;
            if area.start > at {
                answer = Err(Refusal::ENOMEM);
            }
            if area.start >= end {
                break;
            }
            let piece = area.part(area.start.max(at), area.end.min(end));
            self.advise_piece(piece, advice)?;
            at = area.end;
        }
        answer
    }

    fn advise_piece(&mut self, piece: Area, advice: Advice) -> Result<(), Refusal> {
        if is_refused_by(piece.nature, advice) {
            return Err(Refusal::EINVAL);
        }
        let is_locked = piece.lock.is_some();
        let is_own = piece.nature == Nature::Own;
        let is_file = piece.source != Source::Zero;
        let is_kept = is_locked || !piece.is_anonymous();
        let mut notes = piece.notes;
        match advice {
            Advice::DontNeed | Advice::Cold | Advice::PageOut if is_locked => {
                return Err(Refusal::EINVAL);
            }
            Advice::Free if is_kept => return Err(Refusal::EINVAL),
            Advice::WipeOnFork if is_file && is_own => return Err(Refusal::EINVAL),
            Advice::Remove if is_locked || !is_file => return Err(Refusal::EINVAL),
            Advice::Remove => self.remove(&piece)?,
            Advice::Normal => notes.order = None,
            Advice::Random | Advice::Sequential => notes.order = Some(advice),
            Advice::DontFork => notes.fork = Some(advice),
            Advice::DoFork => notes.fork = None,
            Advice::WipeOnFork => notes.wipe = Some(advice),
            Advice::KeepOnFork => notes.wipe = None,
            Advice::HugePage | Advice::NoHugePage => notes.huge = Some(advice),
            Advice::DontDump => notes.dump = Some(advice),
            Advice::DoDump => notes.dump = None,
            // Linux says nothing of it.
            Advice::Mergeable if piece.sharing == Sharing::Shared || !is_own => {}
            Advice::Mergeable => notes.merge = Some(advice),
            Advice::Unmergeable => notes.merge = None,
            Advice::DontNeed | Advice::DontNeedLocked => {
                (piece.start..piece.end).for_each(|page| self.forget(page));
            }
            Advice::Free => self.lazy.extend(piece.start..piece.end),
            Advice::Cold | Advice::PageOut | Advice::WillNeed => {}
            Advice::PopulateRead | Advice::PopulateWrite => {}
        }
        self.change(piece, Area { notes, ..piece });
        Ok(())
    }

    /// MADV_REMOVE: the file has a hole where the area shows it.
    fn remove(&self, piece: &Area) -> Result<(), Refusal> {
        if piece.sharing == Sharing::Private || piece.stores == Stores::Never {
            return Err(Refusal::EACCES);
        }
        let (file, first) = piece.file_page(piece.start).ok_or(Refusal::EINVAL)?;
        if !self.is_in_memory(file) {
            return Err(Refusal::EINVAL);
        }
        self.files.may_punch(file)?;
        let byte = |page: u64| page.saturating_mul(4096);
        let bytes = byte(first)..byte(first.saturating_add(piece.pages()));
        self.files.clear(file, bytes);
        Ok(())
    }

    /// MADV_POPULATE_READ and MADV_POPULATE_WRITE, where there is memory enough: up to the first page that can't be had.
    fn populate(&self, span: Span, right: Rights) -> Result<u64, Refusal> {
        let (start, end) = advised(span)?;
        for page in start..end {
            let area = self.area_at(page).ok_or(Refusal::ENOMEM)?;
            if !area.rights.has(right) || area.nature == Nature::Raw {
                return Err(Refusal::EINVAL);
            }
            if self.is_past_end(area, page) {
                return Err(Refusal::EFAULT);
            }
        }
        Ok(0)
    }

    /// The pages on the disk that areas in a span show, by file and index.
    pub fn pages_on_disk(&self, span: Span) -> Vec<(usize, u64)> {
        let (start, end) = advised(span).unwrap_or((0, 0));
        let areas = self.parts(start, end);
        let shown = areas.flat_map(|area| (area.start..area.end).map(move |page| (area, page)));
        shown
            .filter(|(area, page)| !self.is_past_end(area, *page))
            .filter_map(|(area, page)| area.file_page(page))
            .filter(|&(file, _)| !self.is_in_memory(file))
            .collect()
    }

    /// Pages that may be lost at any time.
    pub fn lazy_pages(&self) -> impl Iterator<Item = u64> {
        self.lazy.iter().copied()
    }

    /// Private pages that were written.
    pub fn written_pages(&self) -> BTreeSet<u64> {
        self.words.keys().map(|&(page, _)| page).collect()
    }

    /// The page's own contents are gone: it is again what its source says.
    pub fn forget(&mut self, page: u64) {
        self.lazy.remove(&page);
        self.words.retain(|&(at, _), _| at != page);
    }

    /// What a child gets; see fork(2) and madvise(2).
    pub fn child(&self) -> Self {
        let mut child = self.clone();
        child.future = None;
        for area in &self.areas {
            if area.notes.fork.is_some() {
                child.erase(area.start, area.end);
            }
            if area.notes.wipe.is_some() {
                (area.start..area.end).for_each(|page| child.forget(page));
            }
        }
        for area in &mut child.areas {
            area.lock = None;
        }
        child.inherit();
        child
    }

    /// How many areas a span touches.
    pub fn areas_in(&self, span: Span) -> usize {
        let end = span.address.saturating_add(span.length).div_ceil(4096);
        self.parts(span.address / 4096, end).count()
    }

    /// The files that areas in a span show.
    pub fn files_in(&self, span: Span) -> impl Iterator<Item = usize> {
        let end = span.address.saturating_add(span.length).div_ceil(4096);
        let parts = self.parts(span.address / 4096, end);
        parts.filter_map(|part| part.file_page(part.start).map(|(file, _)| file))
    }

    /// Whether the page can't but be in memory: it was written, and never given up.
    pub fn is_surely_there(&self, page: u64) -> bool {
        self.has_stores(page, page + 1) && !self.lazy.contains(&page)
    }
}

/// Whether what the kernel put there can't take the advice.
fn is_refused_by(nature: Nature, advice: Advice) -> bool {
    let is_about_pages = matches!(
        advice,
        Advice::DontNeed | Advice::DontNeedLocked | Advice::Cold | Advice::PageOut | Advice::DoFork
    );
    match nature {
        Nature::Own => false,
        Nature::Raw if is_about_pages => true,
        _ => matches!(advice, Advice::Remove | Advice::DoDump),
    }
}

/// The pages that advice on a span is for.
fn advised(span: Span) -> Result<(u64, u64), Refusal> {
    let Span { address, length } = span;
    let length = length.checked_next_multiple_of(4096);
    let end = length.and_then(|length| address.checked_add(length));
    let end = end.filter(|_| address.is_multiple_of(4096));
    Ok((address / 4096, end.ok_or(Refusal::EINVAL)? / 4096))
}

/// The pages that a span touches. As on Linux its length may wrap around.
fn pages(span: Span) -> (u64, u64) {
    let length = span
        .length
        .wrapping_add(span.address % 4096)
        .wrapping_add(4095);
    let start = span.address / 4096;
    (start, start + length / 4096)
}
