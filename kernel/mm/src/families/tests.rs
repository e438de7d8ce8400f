//! Frames lose all their entries wherever these have gone, and nothing else does.
use alloc::vec::Vec;

use super::FEW_SHIFTS;
use crate::fault::Access;
use crate::mremap::{Remap, RemapFlags};
use crate::page::PAGE_SIZE;
use crate::pte::Pte;
use crate::space::AddressSpace;
use crate::sync::atomic::Ordering::Relaxed;
use crate::testing::{Drawing, FIRST, Random, memory, path, space};

/// The frame of page number `page`, if it has one.
fn frame_of(it: &Drawing, space: &AddressSpace, page: u64) -> Option<u32> {
    let entry = space.table.entry(&it.memory, FIRST + page)?;
    let leaf = Pte::decode(entry.load(Relaxed)).leaf()?;
    Some(leaf.frame.number())
}

fn expel(it: &Drawing, space: &AddressSpace, page: u64) -> u32 {
    let frame = frame_of(it, space, page).expect("the page was written");
    it.memory.expel(frame)
}

fn carry(it: &Drawing, space: &mut AddressSpace, from: u64, to: u64, count: u64) {
    let request = Remap {
        address: (FIRST + from).address(),
        old_length: count * PAGE_SIZE,
        new_length: count * PAGE_SIZE,
        flags: RemapFlags::MAY_MOVE | RemapFlags::FIXED,
        new_address: (FIRST + to).address(),
    };
    let moved = space.mremap(&it.memory, request);
    assert_eq!(moved, Ok((FIRST + to).address()));
}

fn write(it: &Drawing, space: &AddressSpace, page: u64) {
    let address = (FIRST + page).address();
    path(space.handle_fault(&it.memory, address, Access::Write));
}

#[test]
fn no_generation_keeps_a_page_that_is_taken_from_all() {
    //                          0123456789
    let mut it = Drawing::of("Wwww......");
    it.fault(1, Access::Write);
    it.fault(2, Access::Write);
    let mut child = it.space.fork(&it.memory).expect("memory is left");
    let grandchild = child.fork(&it.memory).expect("memory is left");
    write(&it, &child, 1);
    assert_eq!(expel(&it, &it.space, 1), 2, "the child has its own");
    assert_eq!(expel(&it, &it.space, 2), 3);
    assert_eq!(frame_of(&it, &grandchild, 1), None);
    assert!(frame_of(&it, &child, 1).is_some());
    it.shows_all("Wwww......", &[&child, &grandchild]);
    // The middle generation leaves, and the rest still know each other.
    it.fault(3, Access::Write);
    child.destroy(&it.memory);
    write(&it, &grandchild, 0);
    assert_eq!(expel(&it, &it.space, 3), 1);
    assert_eq!(expel(&it, &grandchild, 0), 1);
    it.shows_all("Wwww......", &[&grandchild]);
    grandchild.destroy(&it.memory);
}

#[test]
fn no_page_is_lost_on_its_way() {
    //                          0123456789
    let mut it = Drawing::of("Wwww......");
    it.fault(0, Access::Write);
    it.fault(2, Access::Write);
    let mut child = it.space.fork(&it.memory).expect("memory is left");
    carry(&it, &mut child, 2, 8, 2);
    let grandchild = child.fork(&it.memory).expect("memory is left");
    it.shows_all("Wwww......", &[&child, &grandchild]);
    assert_eq!(expel(&it, &grandchild, 8), 3);
    write(&it, &grandchild, 9);
    assert_eq!(expel(&it, &grandchild, 9), 1, "made where it was moved to");
    carry(&it, &mut child, 0, 4, 1);
    carry(&it, &mut child, 4, 6, 1);
    assert_eq!(expel(&it, &child, 6), 3);
    it.shows_all("Wwww......", &[&child, &grandchild]);
    child.destroy(&it.memory);
    grandchild.destroy(&it.memory);
}

#[test]
fn distances_that_no_area_has_are_forgotten() {
    let mut it = Drawing::of("Ww........");
    it.fault(0, Access::Write);
    it.fault(1, Access::Write);
    let mut space = core::mem::replace(&mut it.space, space(&it.memory));
    carry(&it, &mut space, 1, 1000, 1);
    for step in 0..200 {
        carry(&it, &mut space, 2 * step, 2 * step + 2, 1);
    }
    let root = space.table.root();
    let registry = it.memory.families.0.lock();
    let ours = registry.members.iter().find(|member| member.root == root);
    let known = ours.map(|member| member.shifts.len());
    drop(registry);
    assert!(known.is_some_and(|known| known <= 2 * FEW_SHIFTS));
    assert_eq!(expel(&it, &space, 400), 1);
    assert_eq!(expel(&it, &space, 1000), 1);
    it.shows_all("..........", &[&space]);
    space.destroy(&it.memory);
}

#[test]
fn whoever_comes_and_goes_families_stay_whole() {
    let memory = memory(128, crate::page_table::Levels::Four);
    let mut random = Random(5);
    let mut spaces: Vec<AddressSpace> = Vec::new();
    for _ in 0..2000 {
        let chosen = random.below(spaces.len().max(1) as u64) as usize;
        match random.below(5) {
            0 if spaces.len() < 20 => spaces.push(space(&memory)),
            1 | 2 if (1..20).contains(&spaces.len()) => {
                let child = spaces[chosen].fork(&memory).expect("memory is left");
                spaces.push(child);
            }
            3 | 4 if !spaces.is_empty() => spaces.swap_remove(chosen).destroy(&memory),
            _ => {}
        }
        let all: Vec<_> = spaces.iter().collect();
        crate::check::check(&memory, &all, &[]).expect("all are linked");
    }
    spaces.into_iter().for_each(|space| space.destroy(&memory));
    assert_eq!(memory.families.0.lock().members.capacity(), 0);
    assert_eq!(memory.families.0.lock().some.capacity(), 0);
}
