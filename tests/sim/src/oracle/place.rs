//! Where new areas go: every gap is looked at, in order, the plain way.
use super::{Area, Oracle, Refusal, TASK_END, TASK_START};
use crate::op::{Place, Request, Source};

/// Pages in a huge page.
const HUGE: u64 = 512;

/// The pages in which MAP_32BIT places.
const LOW: (u64, u64) = (0x4_0000, 0x8_0000);

impl Oracle {
    /// The first page that `request`, for `len` pages, gets.
    pub(super) fn place(&self, request: &Request, len: u64) -> Result<u64, Refusal> {
        let address = request.span.address;
        match request.place {
            Place::Hint | Place::Low => self.place_freely(request, len).ok_or(Refusal::ENOMEM),
            Place::Fixed => fixed(address, len),
            Place::NoReplace => {
                let start = fixed(address, len)?;
                let taken = self
                    .areas
                    .iter()
                    .any(|area| area.start < start + len && start < area.end);
                if taken {
                    Err(Refusal::EEXIST)
                } else {
                    Ok(start)
                }
            }
        }
    }

    fn place_freely(&self, request: &Request, len: u64) -> Option<u64> {
        let ceiling = match request.place {
            Place::Low => LOW.1,
            _ => TASK_END,
        };
        let hint = request.span.address >> 12;
        let raised = hint.max(TASK_START);
        if hint != 0 && raised <= ceiling.saturating_sub(len) && len <= ceiling {
            let end = raised + len;
            let above = self.areas.iter().find(|area| area.end > raised);
            if above.is_none_or(|above| end <= above.guarded_start()) {
                return Some(raised);
            }
        }
        // Large anonymous areas begin where a huge page could.
        let padded = len + HUGE;
        let is_of_file = matches!(request.source, Source::File { .. });
        if hint == 0 && !is_of_file && len.is_multiple_of(HUGE) {
            let room = self.search(request.place, padded);
            room.map(|room| (room / HUGE + 1) * HUGE)
                .or_else(|| self.search(request.place, len))
        } else {
            self.search(request.place, len)
        }
    }

    fn search(&self, place: Place, len: u64) -> Option<u64> {
        if place == Place::Low {
            return self.search_up(LOW, len);
        }
        let below = (TASK_START, self.rules.mmap_base);
        let above = (self.rules.bottom_up_base, TASK_END);
        self.search_down(below, len)
            .or_else(|| self.search_up(above, len))
    }

    /// The top of the highest gap; where the guard gap of the area above it reaches there, all begins anew below that.
    fn search_down(&self, (low, mut high): (u64, u64), len: u64) -> Option<u64> {
        loop {
            let gap = self.gaps_within((low, high), len).last()?;
            match self.next_area(gap.1) {
                Some(next) if next.guarded_start() < gap.1 => high = next.guarded_start(),
                _ => return Some(gap.1 - len),
            }
        }
    }

    /// The bottom of the lowest gap; where the guard gap of the area above it reaches there, all begins anew above that.
    fn search_up(&self, (mut low, high): (u64, u64), len: u64) -> Option<u64> {
        loop {
            let gap = self.gaps_within((low, high), len).next()?;
            match self.next_area(gap.1) {
                Some(next) if next.guarded_start() < gap.0 + len => low = next.end,
                _ => return Some(gap.0),
            }
        }
    }

    fn next_area(&self, page: u64) -> Option<&Area> {
        self.areas.iter().find(|area| area.end > page)
    }

    /// The gaps of at least `len` pages between areas, as far as they lie in `bounds`.
    fn gaps_within(&self, bounds: (u64, u64), len: u64) -> impl Iterator<Item = (u64, u64)> {
        self.gaps()
            .map(move |gap| (gap.0.max(bounds.0), gap.1.min(bounds.1)))
            .filter(move |gap| gap.0 + len <= gap.1)
    }

    /// All gaps, from the lowest.
    fn gaps(&self) -> impl Iterator<Item = (u64, u64)> {
        let starts = std::iter::once(0).chain(self.areas.iter().map(|area| area.end));
        let ends = self.areas.iter().map(|area| area.start);
        starts.zip(ends.chain(std::iter::once(u64::MAX)))
    }
}

/// Exactly at `address`.
fn fixed(address: u64, len: u64) -> Result<u64, Refusal> {
    let end = address.checked_add(len * 4096).ok_or(Refusal::ENOMEM)?;
    match () {
        () if end > TASK_END * 4096 => Err(Refusal::ENOMEM),
        () if !address.is_multiple_of(4096) => Err(Refusal::EINVAL),
        () if address < TASK_START * 4096 => Err(Refusal::EPERM),
        () => Ok(address / 4096),
    }
}
