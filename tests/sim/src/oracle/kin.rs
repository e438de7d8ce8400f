//! Which areas hold whose private pages: what `anon_vma` is in Linux's mm/rmap.c, and what mm/vma.c makes of it.
use super::{Area, Kin, Oracle};
use crate::op::Sharing;

impl Oracle {
    /// `page` is about to become a page of the process's own, or would, had it not been refused.
    pub fn touch(&mut self, page: u64) {
        let holds = |area: &Area| area.start <= page && page < area.end;
        if let Some(at) = self.areas.iter().position(holds) {
            self.touch_area(at);
        }
    }

    /// A neighbour's number will do where the two might be one, were it not for their rights; the one above is asked first.
    pub(super) fn touch_area(&mut self, at: usize) {
        let (area, next) = (self.areas[at], self.kin + 1);
        if area.kin != Kin::None || area.sharing == Sharing::Shared {
            return;
        }
        let above = self.areas.get(at + 1);
        let above = above.filter(|above| area.may_be_kin(above));
        let below = at.checked_sub(1).map(|below| &self.areas[below]);
        let below = below.filter(|below| below.may_be_kin(&area));
        let kin = [above, below].map(|area| area.map(|area| area.kin));
        let lent = kin
            .into_iter()
            .flatten()
            .find(|kin| matches!(kin, Kin::Own(_)));
        self.areas[at].kin = lent.unwrap_or(Kin::Own(next));
        self.kin = next;
    }

    /// What fork(2) makes of the areas of a child.
    pub(super) fn inherit(&mut self) {
        for area in &mut self.areas {
            self.kin += 1;
            area.kin = match area.kin {
                _ if area.notes.wipe.is_some() => Kin::None,
                Kin::None => Kin::None,
                Kin::Own(_) | Kin::Inherited(_) => Kin::Inherited(self.kin),
            };
        }
    }

    /// The area that `area` will be at page `to`. One without private pages is as if it had been mapped there.
    pub(super) fn resettled(&self, area: Area, to: u64) -> Area {
        let home = match area.kin {
            Kin::None => to,
            _ => area.home,
        };
        Area { home, ..area }
    }

    /// After the area that ends at `end` has grown up to there: it takes in the one above even if what it has was
    /// inherited, where that one has nothing.
    pub(super) fn join_grown(&mut self, end: u64) {
        let Some(at) = self.areas.iter().position(|area| area.start == end) else {
            return;
        };
        let (grown, above) = (self.areas[at - 1], self.areas[at]);
        if above.kin == Kin::None && grown.is_alike(&above) {
            self.areas[at - 1].end = above.end;
            self.areas.remove(at);
        }
    }
}
