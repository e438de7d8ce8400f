//! What becomes of a page while a device fills it, drawn as in `fork.rs`: `w` an area that may be stored to.
use super::Pin;
use crate::fault::{Access, Outcome, Path};
use crate::frame::Frame;
use crate::machine::PhysMem;
use crate::madvise::Advice;
use crate::memory::Memory;
use crate::page::PAGE_SIZE;
use crate::pte::Pte;
use crate::space::AddressSpace;
use crate::sync::atomic::Ordering::Relaxed;
use crate::testing::{Drawing, FIRST, TestMachine, path};

fn pin(memory: &Memory<TestMachine>, space: &AddressSpace, access: Access) -> Pin {
    let pinned = space.pin(memory, FIRST.address(), access);
    pinned.expect("the area allows it, and memory is left")
}

/// The device's own store.
fn arrive(memory: &Memory<TestMachine>, frame: Frame, word: u64) {
    memory.machine.words(frame)[7].store(word, Relaxed);
}

fn seen(memory: &Memory<TestMachine>, space: &AddressSpace) -> u64 {
    let mut bytes = [0; 8];
    let read = space.read_remote(memory, FIRST.address() + 56, &mut bytes);
    assert_eq!(read.ok(), Some(8));
    u64::from_le_bytes(bytes)
}

fn is_sound(memory: &Memory<TestMachine>, spaces: &[&AddressSpace]) {
    crate::check::check(memory, spaces, &[]).expect("sound");
}

#[test]
fn no_frame_is_another_ones_before_the_device_is_done() {
    let mut drawing = Drawing::of("W.........");
    let pinned = pin(&drawing.memory, &drawing.space, Access::Write);
    is_sound(&drawing.memory, &[&drawing.space]);
    let (memory, free) = (&drawing.memory, drawing.memory.free_frames());
    let unmapped = drawing.space.munmap(memory, FIRST.address(), PAGE_SIZE);
    assert_eq!(unmapped, Ok(()));
    is_sound(memory, &[&drawing.space]);
    // At most the tables have come back.
    let mut others = core::iter::from_fn(|| memory.allocate(0).ok());
    let others: alloc::vec::Vec<_> = others.by_ref().collect();
    assert!(others.len() >= free);
    assert!(!others.contains(&pinned.frame()));
    let frame = pinned.frame();
    pinned.release(memory);
    assert_eq!(memory.allocate(0).ok(), Some(frame));
}

#[test]
fn the_parent_never_loses_to_a_fork_what_a_device_brings() {
    let mut parent = Drawing::of("W.........");
    let memory = &parent.memory;
    let pinned = pin(memory, &parent.space, Access::Write);
    arrive(memory, pinned.frame(), 1);
    let child = parent.space.fork(memory).expect("memory is left");
    is_sound(memory, &[&parent.space, &child]);
    // Without a fault, and if there were one, without a copy.
    let store = parent.space.write_remote(memory, FIRST.address(), &[9]);
    assert_eq!(store.ok(), Some(1));
    arrive(memory, pinned.frame(), 2);
    pinned.release(memory);
    assert_eq!(seen(memory, &parent.space), 2);
    assert_eq!(seen(memory, &child), 1);
    assert_eq!(
        path(child.handle_fault(memory, FIRST.address(), Access::Write)),
        Path::CowReuse
    );
    is_sound(memory, &[&parent.space, &child]);
    child.destroy(memory);
    parent.shows("W.........");
}

#[test]
fn a_fork_without_memory_for_the_copy_leaves_the_page_alone() {
    let mut parent = Drawing::of("W.........");
    let memory = &parent.memory;
    let pinned = pin(memory, &parent.space, Access::Write);
    let mut hoard: alloc::vec::Vec<_> = core::iter::from_fn(|| memory.allocate(0).ok()).collect();
    // The child's root and three tables.
    for _ in 0..4 {
        hoard.pop().into_iter().for_each(|frame| memory.free(frame));
    }
    assert!(parent.space.fork(memory).is_err());
    assert_eq!(memory.free_frames(), 4);
    is_sound(memory, &[&parent.space]);
    hoard.into_iter().for_each(|frame| memory.free(frame));
    pinned.release(memory);
    parent.shows("W.........");
}

#[test]
fn no_store_copies_away_what_a_device_fills() {
    let drawing = Drawing::of("W.........");
    let memory = &drawing.memory;
    let pinned = pin(memory, &drawing.space, Access::Write);
    let entry = drawing
        .space
        .table
        .entry(memory, FIRST)
        .expect("it is there");
    // As a table says it where stores were forbidden for a while.
    let pte = Pte::decode(entry.load(Relaxed));
    let flags = pte.leaf().expect("it is mapped").flags;
    let read_only = pte.with_flags(flags - crate::pte::PteFlags::WRITABLE);
    entry.store(read_only.encode(), Relaxed);
    assert_eq!(drawing.fault(0, Access::Write), Path::CowReuse);
    arrive(&drawing.memory, pinned.frame(), 3);
    pinned.release(&drawing.memory);
    assert_eq!(seen(&drawing.memory, &drawing.space), 3);
    drawing.shows("W.........");
}

#[test]
fn nothing_that_a_device_fills_is_given_up() {
    let mut drawing = Drawing::of("W.........");
    let memory = &drawing.memory;
    let pinned = pin(memory, &drawing.space, Access::Write);
    let advised = drawing
        .space
        .madvise(memory, FIRST.address(), PAGE_SIZE, Advice::Free);
    assert!(advised.is_ok());
    assert_eq!(drawing.space.reclaim_lazy(memory), 0);
    arrive(memory, pinned.frame(), 4);
    pinned.release(memory);
    assert_eq!(drawing.space.reclaim_lazy(memory), 0);
    assert_eq!(seen(memory, &drawing.space), 4);
    drawing.shows("W.........");
}

#[test]
fn a_device_that_reads_never_counts_as_one_who_fills() {
    let drawing = Drawing::of("W.........");
    let memory = &drawing.memory;
    let pinned = pin(memory, &drawing.space, Access::Read);
    assert_eq!(pinned.frame(), memory.zero_frame());
    is_sound(memory, &[&drawing.space]);
    pinned.release(memory);
    is_sound(memory, &[&drawing.space]);
    let denied = drawing
        .space
        .pin(memory, (FIRST + 5).address(), Access::Read);
    assert!(matches!(denied, Err(Outcome::Denied(_))));
    drawing.space.destroy(&drawing.memory);
}
