//! mremap(2), as the manual page has it, in the order of Linux's checks.
use super::{Area, Kin, Oracle, Refusal, TASK_END, TASK_START};
use crate::op::{Growth, Nature, Place, Populate, Remap, Request, Sharing, Span, Way};

impl Oracle {
    pub(super) fn remap(&mut self, remap: &Remap) -> Result<u64, Refusal> {
        let (address, way) = (remap.old.address, remap.way);
        let [old_len, len] =
            [remap.old.length, remap.length].map(|length| length.wrapping_add(4095) / 4096);
        let has_target = way.is_fixed() || way.keeps();
        if !address.is_multiple_of(4096) || len == 0 || len > TASK_END {
            return Err(Refusal::EINVAL);
        }
        let start = address / 4096;
        let target = remap.target / 4096;
        if has_target {
            let overlaps = start < target + len && target < start + old_len;
            let is_aligned = remap.target.is_multiple_of(4096);
            let fits = target + len <= TASK_END;
            if !is_aligned || !fits || overlaps || (way.keeps() && old_len != len) {
                return Err(Refusal::EINVAL);
            }
        }
        let whole = (start, start + old_len);
        let moved = if way.is_fixed() && old_len == len {
            self.move_all(whole, target, way)
        } else if has_target {
            self.move_to(whole, len, target, way)
        } else if len <= old_len {
            self.shrink(whole, len)
        } else {
            self.grow_or_move(whole, len, way)
        };
        moved.map(|page| page * 4096)
    }

    fn shrink(&mut self, (start, end): (u64, u64), len: u64) -> Result<u64, Refusal> {
        self.area_at(start).ok_or(Refusal::EFAULT)?;
        let tail = Span {
            address: (start + len) * 4096,
            length: (end - start - len) * 4096,
        };
        if tail.length > 0 {
            self.unmap(tail)?;
        }
        Ok(start)
    }

    fn grow_or_move(
        &mut self,
        (start, end): (u64, u64),
        len: u64,
        way: Way,
    ) -> Result<u64, Refusal> {
        let area = self.movable((start, end), len, way)?;
        let new_end = start + len;
        let is_free = self.pages_in(end, new_end) == 0 && new_end <= TASK_END;
        if area.end == end && is_free {
            self.may_remap_promise(&area, new_end - end)?;
            self.add(area.part(end, new_end));
            self.join_grown(new_end);
            return Ok(start);
        }
        if way == Way::Stay {
            return Err(Refusal::ENOMEM);
        }
        let target = self.any_place(&area, 0, len)?;
        self.may_remap_promise(&area, len - (end - start))?;
        self.carry((start, end), target, len, way);
        Ok(target)
    }

    fn move_to(
        &mut self,
        (start, end): (u64, u64),
        len: u64,
        target: u64,
        way: Way,
    ) -> Result<u64, Refusal> {
        // The end that is given up may be parts of several areas, or of none.
        let kept = end.min(start + len);
        let area = self.movable((start, kept), len, way)?;
        let target = match way {
            Way::Keep => self.any_place(&area, target, len)?,
            _ => fixed(target)?,
        };
        if target <= start && start < target + len {
            // Pages of no length overlap nothing, but their area went with what was at the target.
            self.erase(target, target + len);
            return Err(Refusal::EFAULT);
        }
        self.may_keep((start, end), target, way)?;
        self.may_remap_promise(&area, len.saturating_sub(end - start))?;
        self.promise_kept((start, end), way)?;
        if end > TASK_END && kept < end {
            self.erase(target, target + len);
            return Err(Refusal::EINVAL);
        }
        self.carry((start, kept), target, len, way);
        if kept < end {
            self.erase(kept, end);
        }
        Ok(target)
    }

    fn move_all(
        &mut self,
        (start, end): (u64, u64),
        target: u64,
        way: Way,
    ) -> Result<u64, Refusal> {
        self.area_at(start).ok_or(Refusal::EFAULT)?;
        let (target, end) = (fixed(target)?, end.min(TASK_END));
        let parts: Vec<Area> = self.parts(start, end).collect();
        for part in parts {
            if way.keeps() && part.nature != Nature::Own {
                return Err(Refusal::EINVAL);
            }
            let to = target + (part.start - start);
            self.may_keep((part.start, part.end), to, way)?;
            self.promise_kept((part.start, part.end), way)?;
            self.carry((part.start, part.end), to, part.pages(), way);
        }
        Ok(target)
    }

    fn movable(&self, (start, end): (u64, u64), len: u64, way: Way) -> Result<Area, Refusal> {
        let area = *self.area_at(start).ok_or(Refusal::EFAULT)?;
        if start == end && area.sharing == Sharing::Private {
            return Err(Refusal::EINVAL);
        }
        if way.keeps() && area.nature != Nature::Own {
            return Err(Refusal::EINVAL);
        }
        if end > area.end {
            return Err(Refusal::EFAULT);
        }
        let delta = len.saturating_sub(end - start);
        if delta == 0 {
            return Ok(area);
        }
        let index = area.file_page(start).map_or(0, |(_, at)| at);
        index.checked_add(len).ok_or(Refusal::EINVAL)?;
        if area.nature != Nature::Own {
            return Err(Refusal::EFAULT);
        }
        if !self.may_add_locked(delta, area.lock) {
            return Err(Refusal::EAGAIN);
        }
        let is_too_much = self.pages() + delta > self.rules.address_space / 4096;
        if is_too_much || (area.is_data() && !self.may_add_data(delta)) {
            return Err(Refusal::ENOMEM);
        }
        Ok(area)
    }

    /// With MREMAP_DONTUNMAP there are two areas afterwards. Where that is too much, the target was emptied all the same.
    fn may_keep(&mut self, (start, end): (u64, u64), target: u64, way: Way) -> Result<(), Refusal> {
        if !way.keeps() {
            return Ok(());
        }
        let to = target + (end - start);
        let data = |part: Area| if part.is_data() { part.pages() } else { 0 };
        let data_in = |start, end| self.parts(start, end).map(data).sum::<u64>();
        let added = self
            .pages_in(start, end)
            .saturating_sub(self.pages_in(target, to));
        let (data, replaced_data) = (data_in(start, end), data_in(target, to));
        let fits = self.pages() + added <= self.rules.address_space / 4096;
        if fits && (data == 0 || self.may_add_data(data.saturating_sub(replaced_data))) {
            return Ok(());
        }
        self.erase(target, to);
        Err(Refusal::ENOMEM)
    }

    fn promise_kept(&self, (start, end): (u64, u64), way: Way) -> Result<(), Refusal> {
        if !way.keeps() {
            return Ok(());
        }
        self.may_promise(self.parts(start, end).map(|part| part.promised()).sum())
    }

    fn may_remap_promise(&self, area: &Area, pages: u64) -> Result<(), Refusal> {
        if area.promised() == 0 {
            return Ok(());
        }
        self.may_promise(pages)
    }

    fn any_place(&self, area: &Area, hint: u64, len: u64) -> Result<u64, Refusal> {
        let request = Request {
            span: Span {
                address: hint * 4096,
                length: len * 4096,
            },
            place: Place::Hint,
            rights: area.rights,
            growth: Growth::Fixed,
            reserve: area.reserve,
            sharing: area.sharing,
            source: area.source,
            populate: Populate::Lazy,
            nature: area.nature,
        };
        self.place(&request, len)
    }

    /// Moves areas and contents of `start..end`, which lie in one area, to `target`, where there will be `len` pages.
    fn carry(&mut self, (start, end): (u64, u64), target: u64, len: u64, way: Way) {
        self.erase(target, target + len);
        let Some(area) = self.area_at(start).copied() else {
            return;
        };
        let mut moved = self.resettled(area.part(start, area.end), target);
        (moved.start, moved.end) = (target, target + len);
        let inside = |page: u64| start <= page && page < end;
        let words: Vec<_> = self
            .words
            .extract_if(.., |&(page, _), _| inside(page))
            .collect();
        let lazy: Vec<_> = self.lazy.extract_if(.., |&page| inside(page)).collect();
        // The new area comes first, as on Linux: where it makes one of its neighbours, the old place is of them.
        self.add(moved);
        if !way.keeps() && start < end {
            self.erase(start, end);
        }
        let to = |page: u64| page - start + target;
        let words = words.into_iter();
        self.words
            .extend(words.map(|((page, index), word)| ((to(page), index), word)));
        self.lazy.extend(lazy.into_iter().map(to));
        if way.keeps() {
            self.leave_behind(start, end);
        }
    }

    /// What MREMAP_DONTUNMAP leaves is not locked, and without private pages where all of an area moved, and did not become
    /// one with it again. It stays apart from neighbours that it could now be one with.
    fn leave_behind(&mut self, start: u64, end: u64) {
        let holds = |area: &&mut Area| area.start <= start && start < area.end;
        if let Some(left) = self.areas.iter_mut().find(holds) {
            left.lock = None;
            if (left.start, left.end) == (start, end) {
                left.kin = Kin::None;
            }
        }
    }
}

fn fixed(target: u64) -> Result<u64, Refusal> {
    if target < TASK_START {
        return Err(Refusal::EPERM);
    }
    Ok(target)
}
