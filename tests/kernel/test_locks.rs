//! Locks of files against a plain model, in which each byte says who holds it; and circles of those who wait.
use crate::locks::{Family, Hold, Lock, Owner, Table};

const BYTES: u64 = 24;
const OWNERS: u32 = 3;

fn lock(owner: u32, bytes: core::ops::Range<u64>, hold: Hold) -> Lock {
    Lock {
        file: (0, 1),
        family: Family::Range,
        owner: Owner::Process(owner),
        bytes,
        hold,
    }
}

/// What each owner holds of each byte.
type Model = [[Option<Hold>; BYTES as usize]; OWNERS as usize];

fn conflicts(model: &Model, wanted: &Lock) -> bool {
    let others = model
        .iter()
        .zip(0..)
        .filter(|&(_, owner)| Owner::Process(owner) != wanted.owner);
    let range = wanted.bytes.start as usize..wanted.bytes.end as usize;
    others.into_iter().any(|(held, _)| {
        held[range.clone()]
            .iter()
            .flatten()
            .any(|&hold| hold == Hold::Write || wanted.hold == Hold::Write)
    })
}

/// What the table says of the same, and that no two ranges of one hold touch.
fn as_model(table: &Table) -> Model {
    let mut model = [[None; BYTES as usize]; OWNERS as usize];
    for owner in 0..OWNERS {
        let mut at = 0;
        let mut before = None;
        while let Some(held) = table.own(&lock(owner, at..BYTES, Hold::Read)) {
            assert!(held.bytes.start >= at && held.bytes.start < held.bytes.end);
            let merges = before == Some((held.bytes.start, held.hold));
            assert!(!merges, "owner {owner} has two locks that are one");
            model[owner as usize][held.bytes.start as usize..held.bytes.end as usize]
                .fill(Some(held.hold));
            at = held.bytes.end;
            before = Some((at, held.hold));
        }
    }
    model
}

#[test]
fn ranges_split_and_merge_as_bytes_do() {
    let mut table = Table::new();
    let mut model: Model = [[None; BYTES as usize]; OWNERS as usize];
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    for step in 0..10_000 {
        let start = next(BYTES);
        let end = start + 1 + next(BYTES - start);
        let owner = next(OWNERS.into()) as u32;
        let hold = [Hold::Read, Hold::Write][next(2) as usize];
        let wanted = lock(owner, start..end, hold);
        let held = &mut model[owner as usize];
        if next(3) == 0 {
            table.clear(&wanted).expect("there is room");
            held[start as usize..end as usize].fill(None);
        } else {
            let is_free = !conflicts(&model, &wanted);
            assert_eq!(table.conflict(&wanted).is_none(), is_free, "step {step}");
            if is_free {
                table.set(wanted).expect("there is room");
                model[owner as usize][start as usize..end as usize].fill(Some(hold));
            }
        }
        assert_eq!(as_model(&table), model, "step {step}");
    }
}

#[test]
fn locks_of_one_call_never_meet_those_of_the_other() {
    let mut table = Table::new();
    table
        .set(lock(0, 0..BYTES, Hold::Write))
        .expect("there is room");
    let mut wanted = lock(1, 0..BYTES, Hold::Write);
    assert!(table.conflict(&wanted).is_some());
    wanted.family = Family::Whole;
    assert!(table.conflict(&wanted).is_none());
    wanted.family = Family::Range;
    wanted.file = (0, 2);
    assert!(table.conflict(&wanted).is_none());
}

#[test]
fn a_circle_is_seen_by_who_closes_it() {
    let mut table = Table::new();
    let byte = |owner: u32, byte: u64| lock(owner, byte..byte + 1, Hold::Write);
    for owner in 0..3 {
        table.set(byte(owner, owner.into())).expect("there is room");
    }
    assert_eq!(table.wait(&byte(0, 1), Owner::Process(1)), Ok(true));
    assert_eq!(table.wait(&byte(1, 2), Owner::Process(2)), Ok(true));
    assert_eq!(table.wait(&byte(2, 0), Owner::Process(0)), Ok(false));
    table.stop_waiting(Owner::Process(1));
    assert_eq!(table.wait(&byte(2, 0), Owner::Process(0)), Ok(true));
}

#[test]
fn nobody_is_told_of_a_circle_with_who_may_go_on() {
    let mut table = Table::new();
    let byte = |owner: u32, byte: u64| lock(owner, byte..byte + 1, Hold::Write);
    table.set(byte(0, 0)).expect("there is room");
    table.set(byte(1, 1)).expect("there is room");
    assert_eq!(table.wait(&byte(0, 1), Owner::Process(1)), Ok(true));
    // 0 may go on, although it didn't run yet.
    table.clear(&byte(1, 1)).expect("there is room");
    table.let_wait(Owner::Process(1));
    assert_eq!(table.wait(&byte(1, 0), Owner::Process(0)), Ok(true));
}

#[test]
fn who_asks_for_too_many_is_refused_and_loses_nothing() {
    let mut table = Table::new();
    let mut held = 0;
    while table
        .set(lock(0, 2 * held..2 * held + 1, Hold::Write))
        .is_ok()
    {
        held += 1;
    }
    assert!((1000..100_000).contains(&held), "{held} locks");
    for number in [0, held / 2, held - 1] {
        let byte = lock(1, 2 * number..2 * number + 1, Hold::Read);
        assert!(table.conflict(&byte).is_some(), "lock {number}");
    }
    table.forget(Owner::Process(0), None);
    assert!(table.conflict(&lock(1, 0..u64::MAX, Hold::Write)).is_none());
}
