//! The tree against a plain list, which is searched from end to end.
use alloc::vec::Vec;
use core::ops::Range;

use super::{Areas, Toward};
use crate::page::{self, Page};
use crate::testing::Random;
use crate::vma::{Backing, VmFlags, Vma};

/// Pages in which the areas lie: few, so that they crowd.
const PAGES: u64 = 6000;

fn area(random: &mut Random) -> Vma {
    let start = Page::new(300 + random.below(PAGES));
    let flags = match random.below(5) {
        0 => VmFlags::READ | VmFlags::GROWS_DOWN,
        _ => VmFlags::READ,
    };
    Vma {
        start,
        end: start + 1 + random.below(40),
        flags,
        backing: Backing::Anonymous,
    }
}

/// The list, in order of address.
#[derive(Default)]
struct Model(Vec<Vma>);

impl Model {
    fn is_free(&self, pages: &Range<Page>) -> bool {
        let meets = |vma: &Vma| vma.start < pages.end && pages.start < vma.end;
        !self.0.iter().any(meets)
    }

    fn insert(&mut self, vma: Vma) {
        let at = self.0.partition_point(|other| other.start < vma.start);
        self.0.insert(at, vma);
    }

    fn find_gap(&self, len: u64, bounds: &Range<Page>, toward: Toward) -> Option<Page> {
        let starts = self.0.iter().map(|vma| vma.end);
        let starts = core::iter::once(Page::new(0)).chain(starts);
        let ends = self.0.iter().map(Vma::guarded_start);
        let ends = ends.chain(core::iter::once(Page::new(u64::MAX)));
        let gaps = starts.zip(ends);
        let mut gaps = gaps
            .map(|(start, end)| page::intersection(&(start..end), bounds))
            .filter(|gap| page::count(gap) >= len);
        match toward {
            Toward::High => gaps.last().map(|gap| gap.end - len),
            Toward::Low => gaps.next().map(|gap| gap.start),
        }
    }
}

fn step(random: &mut Random, areas: &mut Areas, model: &mut Model) {
    if random.below(3) == 0 && !model.0.is_empty() {
        let at = random.below(model.0.len() as u64) as usize;
        let start = model.0.remove(at).start;
        assert_eq!(areas.remove(start).map(|vma| vma.start), Some(start));
        return;
    }
    let vma = area(random);
    if model.is_free(&vma.pages()) {
        areas.reserve(1).expect("the host has memory");
        areas.insert(vma.clone());
        model.insert(vma);
    }
}

fn compare(random: &mut Random, areas: &Areas, model: &Model) {
    let key = |vma: &Vma| (vma.start, vma.end);
    let page = Page::new(random.below(PAGES + 600));
    let find = model.0.iter().find(|vma| page < vma.end);
    let before = model.0.iter().rfind(|vma| vma.end <= page);
    assert_eq!(areas.find(page).map(key), find.map(key), "{page:?}");
    assert_eq!(areas.before(page).map(key), before.map(key), "{page:?}");
    let low = Page::new(random.below(PAGES));
    let bounds = low..low + random.below(PAGES);
    let len = 1 + random.below(400);
    for toward in [Toward::High, Toward::Low] {
        let (got, expected) = (
            areas.find_gap(len, &bounds, toward),
            model.find_gap(len, &bounds, toward),
        );
        assert_eq!(got, expected, "{len} pages in {bounds:?}, {toward:?}");
    }
}

#[test]
fn no_area_and_no_gap_is_missed() {
    for seed in 0..30 {
        let mut random = Random(seed);
        let (mut areas, mut model) = (Areas::new(), Model::default());
        for _ in 0..600 {
            step(&mut random, &mut areas, &mut model);
            compare(&mut random, &areas, &model);
            areas.check().expect("the tree is sound");
        }
        let all: Vec<_> = areas.iter().map(|vma| vma.start).collect();
        let expected: Vec<_> = model.0.iter().map(|vma| vma.start).collect();
        assert_eq!(all, expected);
    }
}

#[test]
fn no_guard_gap_hides_the_room_below_other_areas() {
    //  page        100     110                  200
    //              L.......|  the guard gap of S |SS
    //  10 pages fit right below L, whichever of the two is the root
    let stack = VmFlags::READ | VmFlags::GROWS_DOWN;
    let low = (Page::new(100), VmFlags::READ);
    let high = (Page::new(200), stack);
    for order in [[low, high], [high, low]] {
        let mut areas = Areas::new();
        areas.reserve(2).expect("the host has memory");
        for (start, flags) in order {
            areas.insert(Vma {
                start,
                end: start + 10,
                flags,
                backing: Backing::Anonymous,
            });
        }
        let bounds = Page::new(16)..Page::new(205);
        let gap = areas.find_gap(10, &bounds, Toward::High);
        assert_eq!(gap, Some(Page::new(90)));
    }
}

#[test]
fn no_copy_shares_nodes_with_its_original() {
    let mut random = Random(7);
    let (mut areas, mut model) = (Areas::new(), Model::default());
    (0..50).for_each(|_| step(&mut random, &mut areas, &mut model));
    let copy = areas.try_clone().expect("the host has memory");
    let count = areas.len();
    (0..50).for_each(|_| step(&mut random, &mut areas, &mut model));
    copy.check().expect("the copy is sound");
    assert_eq!(copy.iter().count(), count);
}
