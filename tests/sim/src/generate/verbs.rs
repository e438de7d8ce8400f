//! Locks, advice and moves: mostly of areas that exist, now and then of nothing.
use super::Author;
use crate::op::{Advice, Call, Limit, Lock, Op, Pid, Remap, Way};

/// The longest range that gets advice, in bytes, but for those that wrap around.
const MOST_ADVISED: u64 = 1 << 24;

/// The longest range that is fetched at once, in bytes: of a small machine it is enough.
const MOST_FETCHED: u64 = 1 << 17;

impl Author<'_> {
    pub(super) fn lock(&mut self, pid: Pid) -> Call {
        let lock = self.random.pick(&[Lock::Now, Lock::Now, Lock::OnFault]);
        let maybe = [None, Some(Lock::Now), Some(Lock::OnFault)];
        match self.random.below(20) {
            0..8 => Call::Lock(self.span(pid), lock),
            8..14 => Call::Unlock(self.span(pid)),
            14..18 => Call::Resident(self.span(pid)),
            18 => Call::LockAll(self.random.pick(&maybe), self.random.pick(&maybe)),
            _ => Call::UnlockAll,
        }
    }

    pub(super) fn advise(&mut self, pid: Pid) -> Call {
        let mut span = self.span(pid);
        // The oracle remembers page by page what was given up: an area of terabytes would keep it for hours.
        if span.address.checked_add(span.length).is_some() {
            span.length = span.length.min(MOST_ADVISED);
        }
        let advice = self.random.pick(&Advice::ALL);
        if matches!(advice, Advice::PopulateRead | Advice::PopulateWrite) {
            span.length = span.length.min(MOST_FETCHED);
        }
        Call::Advise(span, advice)
    }

    pub(super) fn remap(&mut self, pid: Pid) -> Call {
        let old = self.movable(pid);
        let way = self.random.weighted(&[
            (25, Way::Stay),
            (20, Way::Move),
            (35, Way::Fixed),
            (6, Way::Keep),
            (14, Way::FixedKeep),
        ]);
        let length = match self.random.below(10) {
            0..5 => old.length,
            5..8 => old.length.saturating_add(self.random.between(1, 4) * 4096),
            8 => old.length / 2,
            _ => self.random.below(12 * 4096),
        };
        let target = match self.random.below(12) {
            0 => 0,
            1 => self.random.word() >> 17,
            _ => self.span(pid).address,
        };
        Call::Remap(Remap {
            old,
            length,
            way,
            target,
        })
    }

    /// A limit that is met, or none.
    pub(super) fn limit(&mut self, pid: Pid) -> Op {
        let (limit, most) = self.random.pick(&[
            (Limit::AddressSpace, 800),
            (Limit::Data, 300),
            (Limit::DataHard, 300),
            (Limit::Stack, 400),
            (Limit::Locked, 60),
        ]);
        let bytes = match (self.random.below(3), limit) {
            (0, _) => self.random.below(most) * 4096,
            // No data at all is said more often than by chance: the hard limit counts then.
            (1, Limit::Data) if self.random.chance(30) => 0,
            // A stack without limit grows by terabytes at one touch.
            (_, Limit::Stack) => 8 << 20,
            _ => u64::MAX,
        };
        Op::Limit(pid, limit, bytes)
    }

    /// Pages to move: often all of an area, or its end, so that it can grow.
    fn movable(&mut self, pid: Pid) -> crate::op::Span {
        let mut span = self.span(pid);
        if let Some(area) = self.area(pid).filter(|_| self.random.chance(60)) {
            let skipped = self.random.below(area.pages().min(4));
            span.address = (area.start + skipped) * 4096;
            span.length = (area.pages() - skipped) * 4096;
        }
        span
    }
}
