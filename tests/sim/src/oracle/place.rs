//! Where new areas go: every gap is looked at, in order, the plain way.
use super::{Oracle, Refusal, TASK_END, TASK_START};
use crate::op::{Place, Request};

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
        let is_low = request.place == Place::Low;
        let ceiling = if is_low { LOW.1 } else { TASK_END };
        let hint = request.span.address >> 12;
        let raised = hint.max(TASK_START);
        if hint != 0 && raised <= ceiling.saturating_sub(len) && len <= ceiling {
            let hint = raised;
            let room = (hint, hint + len);
            if self.gaps().any(|gap| gap.0 <= room.0 && room.1 <= gap.1) {
                return Some(hint);
            }
        }
        if is_low {
            return self.gaps_within(LOW, len).next().map(|gap| gap.0);
        }
        let below = (TASK_START, self.rules.mmap_base);
        let above = (self.rules.bottom_up_base, TASK_END);
        let highest = self.gaps_within(below, len).last().map(|gap| gap.1 - len);
        highest.or_else(|| self.gaps_within(above, len).next().map(|gap| gap.0))
    }

    /// The gaps of at least `len` pages between areas, as far as they lie in `bounds`.
    fn gaps_within(&self, bounds: (u64, u64), len: u64) -> impl Iterator<Item = (u64, u64)> {
        self.gaps()
            .map(move |gap| (gap.0.max(bounds.0), gap.1.min(bounds.1)))
            .filter(move |gap| gap.0 + len <= gap.1)
    }

    /// All gaps, from the lowest; the guard gap of the area above is not part of one.
    fn gaps(&self) -> impl Iterator<Item = (u64, u64)> {
        let starts = std::iter::once(0).chain(self.areas.iter().map(|area| area.end));
        let ends = self.areas.iter().map(|area| area.guarded_start());
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
