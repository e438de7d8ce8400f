//! The system calls, each as its manual page has it.
use super::{Area, Kin, Notes, Oracle, Overcommit, Promise, Refusal, Stores, TASK_END};
use crate::op::{Extent, Growth, Lock, Nature, Request, Reserve, Rights, Sharing, Source, Span};

impl Oracle {
    /// mmap(2): the address of the first byte.
    pub fn map(&mut self, request: &Request) -> Result<u64, Refusal> {
        let length = request.span.length;
        if length == 0 {
            return Err(Refusal::EINVAL);
        }
        let len = length.checked_add(4095).ok_or(Refusal::ENOMEM)? / 4096;
        if let Source::File { offset, .. } = request.source {
            offset.checked_add(len).ok_or(Refusal::EOVERFLOW)?;
        }
        if len > TASK_END {
            return Err(Refusal::ENOMEM);
        }
        let start = self.place(request, len)?;
        let lock = self.future.filter(|_| request.nature == Nature::Own);
        if !self.may_add_locked(len, lock) {
            return Err(Refusal::EAGAIN);
        }
        if request.source != Source::Zero && request.growth == Growth::Down {
            return Err(Refusal::EINVAL);
        }
        let area = Area {
            start,
            end: start + len,
            rights: request.rights,
            growth: request.growth,
            reserve: request.reserve,
            sharing: request.sharing,
            promise: Promise::None,
            stores: self.stores(request)?,
            lock,
            notes: Notes::default(),
            nature: request.nature,
            source: request.source,
            home: start,
            kin: Kin::None,
        };
        let area = self.promise(area)?;
        self.erase(area.start, area.end);
        self.add(area);
        Ok(start * 4096)
    }

    /// The limits, as Linux counts: pages that the new area replaces are not counted twice.
    fn promise(&self, mut area: Area) -> Result<Area, Refusal> {
        let grown = area.pages() - self.pages_in(area.start, area.end);
        let is_too_much = self.pages() + grown > self.rules.address_space / 4096;
        let is_too_much_data = area.is_data() && !self.may_add_data(grown);
        if is_too_much || is_too_much_data {
            return Err(Refusal::ENOMEM);
        }
        if self.rules.overcommit == Overcommit::Never {
            area.reserve = Reserve::Accounted;
        }
        if let Some((file, _)) = area.file_page(area.start) {
            self.may_promise(self.files.unpromised(file))?;
        }
        if area.is_promise() {
            let replaced = self.parts(area.start, area.end).map(|part| part.promised());
            let charged = area.pages() - replaced.sum::<u64>();
            self.may_promise(charged)?;
            area.promise = Promise::Made;
        }
        Ok(area)
    }

    /// munmap(2).
    pub fn unmap(&mut self, span: Span) -> Result<(), Refusal> {
        let Span { address, length } = span;
        let end = TASK_END * 4096;
        if !address.is_multiple_of(4096) || address > end || length > end - address || length == 0 {
            return Err(Refusal::EINVAL);
        }
        self.erase(address / 4096, (address + length).div_ceil(4096));
        Ok(())
    }

    /// mprotect(2). What lies below the first hole has changed by the time that the hole is noticed.
    pub fn protect(&mut self, span: Span, rights: Rights, extent: Extent) -> Result<(), Refusal> {
        let Span { address, length } = span;
        if !address.is_multiple_of(4096) {
            return Err(Refusal::EINVAL);
        }
        if length == 0 {
            return Ok(());
        }
        let end = address.checked_add(length).ok_or(Refusal::ENOMEM)?;
        let end = end.checked_add(4095).ok_or(Refusal::ENOMEM)? / 4096;
        let start = self.first_protected(address / 4096, end, extent)?;
        let mut at = start;
        while at < end {
            let area = *self.area_at(at).ok_or(Refusal::ENOMEM)?;
            let piece = area.part(at, area.end.min(end));
            self.protect_piece(piece, rights)?;
            let was_private = piece.sharing == Sharing::Private && !piece.rights.has(Rights::W);
            if was_private && piece.lock == Some(Lock::Now) && rights.has(Rights::W) {
                self.touch(piece.start);
                self.fetched.push((piece.start, piece.end));
            }
            at = piece.end;
        }
        Ok(())
    }

    /// The pages that the last `protect` found locked, and made writable.
    pub fn take_fetched(&mut self) -> Vec<(u64, u64)> {
        std::mem::take(&mut self.fetched)
    }

    fn first_protected(&self, start: u64, end: u64, extent: Extent) -> Result<u64, Refusal> {
        let first = self.areas.iter().find(|area| area.end > start);
        let area = first.ok_or(Refusal::ENOMEM)?;
        match extent {
            Extent::Named if area.start > start => Err(Refusal::ENOMEM),
            Extent::Named => Ok(start),
            Extent::GrowsDown if area.start >= end => Err(Refusal::ENOMEM),
            Extent::GrowsDown if area.growth == Growth::Fixed => Err(Refusal::EINVAL),
            Extent::GrowsDown => Ok(area.start),
        }
    }

    fn protect_piece(&mut self, piece: Area, rights: Rights) -> Result<(), Refusal> {
        let is_too_much = piece.nature == Nature::Raw && rights.has(Rights::X);
        if is_too_much || rights.has(Rights::W) && piece.stores == Stores::Never {
            return Err(Refusal::EACCES);
        }
        if piece.rights == rights {
            return Ok(());
        }
        let mut changed = Area { rights, ..piece };
        let is_new_data = changed.is_data() && !piece.is_data();
        let fits = self.pages() + piece.pages() <= self.rules.address_space / 4096;
        if is_new_data && !self.may_add_data(piece.pages()) && fits {
            return Err(Refusal::ENOMEM);
        }
        if !rights.has(Rights::W) {
            if piece.is_anonymous() && piece.kin == Kin::None {
                changed.promise = Promise::None;
            }
        } else if changed.is_promise() && piece.promise == Promise::None {
            self.may_promise(piece.pages())?;
            changed.promise = Promise::Made;
        }
        self.change(piece, changed);
        Ok(())
    }

    /// Puts `changed` in place of `piece`, which lies inside one area.
    pub(super) fn change(&mut self, piece: Area, changed: Area) {
        if piece == changed {
            return;
        }
        self.cut(piece.start);
        self.cut(piece.end);
        self.areas.retain(|area| area.start != piece.start);
        self.add(changed);
    }

    /// brk(2): the new end of the heap; where that can't be had, it stays as it was.
    pub fn brk(&mut self, address: u64) -> Result<u64, Refusal> {
        self.move_brk(address).ok_or(Refusal::ENOMEM)?;
        self.brk = address;
        Ok(address)
    }

    fn move_brk(&mut self, address: u64) -> Option<()> {
        if address > TASK_END * 4096
            || address.checked_sub(self.rules.heap_start)? + self.rules.data_size > self.rules.data
        {
            return None;
        }
        let (old, new) = (self.brk.div_ceil(4096), address.div_ceil(4096));
        if new < old {
            // Linux looks for the heap there; where all of it was unmapped, nothing moves.
            let is_there = self.pages_in(new, old) > 0;
            is_there.then(|| self.erase(new, old))
        } else if old < new {
            self.grow_heap(old, new)
        } else {
            Some(())
        }
    }

    fn grow_heap(&mut self, old: u64, new: u64) -> Option<()> {
        let len = new - old;
        let above = self.areas.iter().find(|area| area.end > old);
        let fits = above.is_none_or(|above| new < above.guarded_start());
        let is_allowed =
            self.pages() + len <= self.rules.address_space / 4096 && self.may_add_data(len);
        let may_lock = self.may_add_locked(len, self.future);
        (fits && is_allowed && may_lock && self.may_promise(len).is_ok()).then(|| {
            self.add(Area {
                start: old,
                end: new,
                rights: Rights::RW,
                growth: Growth::Fixed,
                reserve: Reserve::Accounted,
                sharing: Sharing::Private,
                promise: Promise::Made,
                stores: Stores::Possible,
                lock: self.future,
                notes: Notes::default(),
                nature: Nature::Own,
                source: Source::Zero,
                home: old,
                kin: Kin::None,
            });
        })
    }

    pub(super) fn may_add_data(&self, pages: u64) -> bool {
        let data = self.areas.iter().filter(|area| area.is_data());
        let used: u64 = data.map(Area::pages).sum();
        let limit = if self.rules.data == 0 {
            self.rules.data_hard
        } else {
            self.rules.data
        };
        limit == u64::MAX || used + pages <= limit / 4096
    }

    /// Pages of areas in `start..end`.
    pub(super) fn pages_in(&self, start: u64, end: u64) -> u64 {
        self.parts(start, end).map(|part| part.pages()).sum()
    }

    /// What the areas have of pages `start..end`.
    pub(super) fn parts(&self, start: u64, end: u64) -> impl Iterator<Item = Area> {
        let inside = self
            .areas
            .iter()
            .filter(move |area| area.start < end && start < area.end);
        inside.map(move |area| area.part(area.start.max(start), area.end.min(end)))
    }

    /// Whether something was stored in pages `start..end`.
    pub(super) fn has_stores(&self, start: u64, end: u64) -> bool {
        self.words.range((start, 0)..(end, 0)).next().is_some()
    }

    /// Takes areas and contents of pages `start..end` away.
    pub(super) fn erase(&mut self, start: u64, end: u64) {
        self.cut(start);
        self.cut(end);
        self.areas
            .retain(|area| area.end <= start || end <= area.start);
        self.words
            .retain(|&(page, _), _| page < start || end <= page);
        self.lazy.retain(|&page| page < start || end <= page);
    }

    /// Adds an area where none is, and joins it with its neighbours where they continue each other.
    pub(super) fn add(&mut self, area: Area) {
        let at = self.areas.partition_point(|other| other.start < area.start);
        self.areas.insert(at, area);
        // The one below comes first: with both its neighbours an area can be one that these could not be with each other.
        let before = self.areas.len();
        self.join(at);
        self.join(at + 1 - (before - self.areas.len()));
    }

    /// Joins areas number `at - 1` and `at`.
    fn join(&mut self, at: usize) {
        let Some(below) = at.checked_sub(1) else {
            return;
        };
        let Some(above) = self.areas.get(at) else {
            return;
        };
        if let Some(whole) = self.areas[below].joined(above) {
            self.areas[below] = whole;
            self.areas.remove(at);
        }
    }

    /// Makes sure that no area reaches across the start of `page`.
    fn cut(&mut self, page: u64) {
        let across = |area: &Area| area.start < page && page < area.end;
        if let Some(at) = self.areas.iter().position(across) {
            let area = self.areas[at];
            self.areas[at] = area.part(area.start, page);
            self.areas.insert(at + 1, area.part(page, area.end));
        }
    }
}
