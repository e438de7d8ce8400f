//! The queue of a pipe: bytes come out in order, and slots are taken as Linux takes them.
use crate::slots::{PAGE, Slot, Slots, Write};

fn filled(bytes: &[u8], kind: Write) -> Slot {
    let mut slot = Slot::try_new(kind).expect("there is memory");
    slot.room()[..bytes.len()].copy_from_slice(bytes);
    slot.set_filled(bytes.len());
    slot
}

fn queue(capacity: usize) -> Slots {
    Slots::try_new(capacity).expect("there is memory")
}

#[test]
fn bytes_that_fit_join_the_last_page() {
    let mut slots = queue(2);
    assert!(!slots.merges(1));
    slots.push(filled(&[1; 100], Write::Stream));
    assert!(slots.merges(PAGE - 100) && !slots.merges(PAGE - 99));
    slots.merge(&[2; 50]);
    assert_eq!(slots.unread(), 150);
    let slot = slots.lend().expect("a page");
    assert_eq!(slot.unread()[99..101], [1, 2]);
}

#[test]
fn packets_join_nothing() {
    let mut slots = queue(2);
    slots.push(filled(&[1; 10], Write::Packets));
    assert!(!slots.merges(1));
}

#[test]
fn a_lent_page_is_lent_once_and_its_rest_stays_first() {
    let mut slots = queue(2);
    slots.push(filled(b"first", Write::Stream));
    slots.push(filled(b"second", Write::Stream));
    let mut slot = slots.lend().expect("a page");
    assert!(slots.lend().is_none() && !slots.can_lend() && slots.is_full());
    slot.consume(2);
    slots.give_back(slot);
    let mut slot = slots.lend().expect("a page");
    assert_eq!(slot.unread(), b"rst");
    slot.consume(3);
    slots.give_back(slot);
    assert!(!slots.is_full());
    assert_eq!(slots.lend().expect("a page").unread(), b"second");
}

#[test]
fn a_pipe_never_shrinks_below_what_is_in_it() {
    let mut slots = queue(4);
    for _ in 0..3 {
        slots.push(filled(&[0; PAGE], Write::Stream));
    }
    let lent = slots.lend().expect("a page");
    assert_eq!(slots.resize(2), Ok(false));
    assert_eq!(slots.resize(3), Ok(true));
    assert!(slots.is_full());
    slots.give_back(lent);
    assert_eq!(slots.capacity(), 3);
}
