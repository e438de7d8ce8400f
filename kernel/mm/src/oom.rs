//! Who dies when memory is out: the process whose end gives most back, by Linux's measure.
//!
//! Badness is what a process holds, in pages, moved by its `oom_score_adj`, each point of which stands for a thousandth
//! of all memory; see proc(5). Beyond Linux's measure the records of its areas and descriptors count, which can be
//! megabytes. Here is the choice alone, as arithmetic. Who is a candidate at all (nobody's first process, nobody who is
//! dying already) is for the kernel to say, and so is the killing.

/// An `oom_score_adj` that exempts a process, and the smallest there is.
pub const EXEMPT: i16 = -1000;

/// How many candidates a [`Ranking`] remembers, for the report.
pub const SHOWN: usize = 8;

/// A process that may have to die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its number.
    pub pid: u32,
    /// Pages of its address space.
    pub mapped: u64,
    /// Pages in memory.
    pub resident: u64,
    /// Frames of its page tables.
    pub tables: u64,
    /// Pages of the heap that the records of its areas take, and those of its open files.
    pub records: u64,
    /// Its `oom_score_adj`, from -1000 to 1000.
    pub adjustment: i16,
}

impl Candidate {
    /// How much its end would give back, adjusted, where the machine has `total` frames; `None` for one that is exempt.
    pub fn badness(&self, total: u64) -> Option<i64> {
        if self.adjustment == EXEMPT {
            return None;
        }
        let own = self.tables.saturating_add(self.records);
        let held = self.resident.saturating_add(own);
        let thousandth = i64::try_from(total / 1000).unwrap_or(i64::MAX);
        let adjustment = i64::from(self.adjustment).saturating_mul(thousandth);
        Some(
            i64::try_from(held)
                .unwrap_or(i64::MAX)
                .saturating_add(adjustment),
        )
    }
}

/// The worst candidates so far, the worst first.
#[derive(Debug)]
pub struct Ranking {
    total: u64,
    places: [Option<(i64, Candidate)>; SHOWN],
}

impl Ranking {
    /// Nobody yet, on a machine of `total` frames.
    pub const fn new(total: u64) -> Self {
        Self {
            total,
            places: [None; SHOWN],
        }
    }

    /// Takes another candidate in. Of equals the later one comes first: the young have done least.
    pub fn add(&mut self, candidate: Candidate) {
        let Some(badness) = candidate.badness(self.total) else {
            return;
        };
        let better = |place: &Option<(i64, Candidate)>| place.is_none_or(|(its, _)| its <= badness);
        let Some(place) = self.places.iter().position(better) else {
            return;
        };
        self.places[place..].rotate_right(1);
        self.places[place] = Some((badness, candidate));
    }

    /// Who dies.
    pub fn victim(&self) -> Option<Candidate> {
        self.places[0].map(|(_, candidate)| candidate)
    }

    /// The worst, with their badness, the worst first.
    pub fn iter(&self) -> impl Iterator<Item = (i64, Candidate)> {
        self.places.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::{Candidate, EXEMPT, Ranking, SHOWN};

    const TOTAL: u64 = 16_384;

    fn candidate(pid: u32, resident: u64, adjustment: i16) -> Candidate {
        Candidate {
            pid,
            mapped: 1 << 30,
            resident,
            tables: 5,
            records: 2,
            adjustment,
        }
    }

    fn victim(candidates: &[(u32, u64, i16)]) -> Option<u32> {
        let mut ranking = Ranking::new(TOTAL);
        for &(pid, resident, adjustment) in candidates {
            ranking.add(candidate(pid, resident, adjustment));
        }
        ranking.victim().map(|victim| victim.pid)
    }

    #[test]
    fn a_small_bystander_never_dies_for_a_large_process() {
        assert_eq!(victim(&[]), None);
        assert_eq!(victim(&[(2, 10, 0), (3, 9_000, 0), (4, 8_999, 0)]), Some(3));
        assert_eq!(victim(&[(3, 9_000, 0), (2, 10, 0)]), Some(3));
    }

    #[test]
    fn of_equals_the_older_never_dies_first() {
        assert_eq!(victim(&[(2, 10, 0), (3, 10, 0), (4, 9, 0)]), Some(3));
    }

    #[test]
    fn who_is_exempt_never_dies() {
        assert_eq!(victim(&[(2, 16_000, EXEMPT), (3, 1, 0)]), Some(3));
        assert_eq!(victim(&[(2, 16_000, EXEMPT)]), None);
    }

    #[test]
    fn a_point_of_adjustment_is_a_thousandth_of_all_memory() {
        assert_eq!(candidate(2, 100, 0).badness(TOTAL), Some(107));
        assert_eq!(candidate(2, 100, 10).badness(TOTAL), Some(107 + 160));
        assert_eq!(candidate(2, 100, -999).badness(TOTAL), Some(107 - 15_984));
        assert_eq!(victim(&[(2, 10_000, -999), (3, 1, 0)]), Some(3));
        assert_eq!(victim(&[(2, 10_000, 0), (3, 1, 1000)]), Some(3));
    }

    #[test]
    fn no_number_is_too_large() {
        let huge = candidate(2, u64::MAX, 1000);
        assert_eq!(huge.badness(u64::MAX), Some(i64::MAX));
    }

    #[test]
    fn the_worst_are_never_out_of_order_or_forgotten() {
        let mut ranking = Ranking::new(TOTAL);
        for pid in 0..100 {
            ranking.add(candidate(pid, u64::from(pid * 37 % 100), 0));
        }
        let shown: alloc::vec::Vec<_> = ranking.iter().map(|(_, it)| it.resident).collect();
        let worst: alloc::vec::Vec<_> = (100 - SHOWN as u64..100).rev().collect();
        assert_eq!(shown, worst);
    }
}
