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
    let pages = start..start + 1 + random.below(40);
    Vma::new(pages, flags, Backing::Anonymous)
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

    /// As Linux's `unmapped_area_topdown` and `unmapped_area` have it, one gap at a time.
    fn find_gap(&self, len: u64, bounds: &Range<Page>, toward: Toward) -> Option<Page> {
        let mut bounds = bounds.clone();
        loop {
            let starts = self.0.iter().map(|vma| vma.end);
            let starts = core::iter::once(Page::new(0)).chain(starts);
            let ends = self.0.iter().map(|vma| vma.start);
            let ends = ends.chain(core::iter::once(Page::new(u64::MAX)));
            let mut gaps = starts
                .zip(ends)
                .map(|(start, end)| page::intersection(&(start..end), &bounds))
                .filter(|gap| page::count(gap) >= len);
            let start = match toward {
                Toward::High => gaps.last()?.end - len,
                Toward::Low => gaps.next()?.start,
            };
            let above = self.0.iter().find(|vma| vma.end > start);
            match above.filter(|vma| vma.guarded_start() < start + len) {
                None => return Some(start),
                Some(above) if toward == Toward::High => bounds.end = above.guarded_start(),
                Some(above) => bounds.start = above.end,
            }
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

/// Where 10 pages go, from above, below page 205, between `low` at page 100 and a stack at page `stack`.
fn below_a_stack(low: Range<u64>, stack: u64) -> Option<u64> {
    let stack_flags = VmFlags::READ | VmFlags::GROWS_DOWN;
    let mut areas = Areas::new();
    areas.reserve(2).expect("the host has memory");
    for (pages, flags) in [(low, VmFlags::READ), (stack..stack + 10, stack_flags)] {
        let pages = Page::new(pages.start)..Page::new(pages.end);
        areas.insert(Vma::new(pages, flags, Backing::Anonymous));
    }
    let bounds = Page::new(16)..Page::new(1000);
    let gap = areas.find_gap(10, &bounds, Toward::High);
    gap.map(Page::number)
}

#[test]
fn nothing_is_placed_in_the_guard_gap_of_the_area_above() {
    //  page   100  110              700  956 966   1000
    //          L...                  |...SSSS........     above the stack there is room
    assert_eq!(below_a_stack(100..110, 956), Some(990));
    //  page   100  110              736  992 1002         below its guard gap
    assert_eq!(below_a_stack(100..110, 992), Some(726));
    //  page   100             985   992 1002              L leaves too little above it: right below L
    assert_eq!(below_a_stack(100..985, 992), Some(90));
    //  page   100             980   992 1002              it leaves enough, so the guard gap counts, in which L lies
    assert_eq!(below_a_stack(800..980, 992), Some(726));
}

#[test]
fn no_copy_shares_nodes_with_its_original() {
    let mut random = Random(7);
    let (mut areas, mut model) = (Areas::new(), Model::default());
    (0..50).for_each(|_| step(&mut random, &mut areas, &mut model));
    let copy = areas.try_clone(|_| {}).expect("the host has memory");
    let count = areas.len();
    (0..50).for_each(|_| step(&mut random, &mut areas, &mut model));
    copy.check().expect("the copy is sound");
    assert_eq!(copy.iter().count(), count);
}
