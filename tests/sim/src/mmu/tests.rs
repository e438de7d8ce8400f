//! The walker against the manual, case by case: what each entry allows, sets and makes the processor remember.
use super::*;

const PAGE: u64 = 0x12_3456;

/// A machine whose frames 0, 1 ... are the tables that lead to `PAGE`, top first; the leaf is for frame 7 or 512.
fn machine(levels: u32, leaf: u64) -> SoftMachine {
    let machine = SoftMachine::new(2, 1100);
    let last = if leaf & LARGE != 0 { 1 } else { 0 };
    for frame in 0..8 {
        (0..512).for_each(|index| set(&machine, frame, index, 0));
    }
    for level in (last + 1..levels).rev() {
        let table = u64::from(levels - 1 - level);
        let below = (table + 1) << 12 | PRESENT | WRITE | USER;
        set(&machine, table, index(PAGE, level), below);
    }
    let table = u64::from(levels - 1 - last);
    set(&machine, table, index(PAGE, last), leaf);
    machine.activate(0);
    machine
}

fn set(machine: &SoftMachine, frame: u64, index: usize, bits: u64) {
    let word = machine.word(frame, index).expect("the frame exists");
    word.store(bits, Relaxed);
}

fn leaf_of(machine: &SoftMachine, levels: u32) -> u64 {
    let word = machine.word(u64::from(levels - 1), index(PAGE, 0));
    word.expect("the frame exists").load(Relaxed)
}

fn access(machine: &SoftMachine, levels: u32, kind: Kind) -> Result<u64, u32> {
    let found = Mmu::new(machine, levels).translate(PAGE << 12, kind);
    found.map_err(|fault| fault.code.0)
}

const FRAME_7: u64 = 7 << 12;
const STORE: Kind = Kind::Write(1);

#[test]
fn no_access_is_allowed_that_the_entry_forbids() {
    for levels in [4, 5] {
        let cases = [
            (0, Kind::Read, Err(4)),
            (PRESENT, Kind::Read, Err(5)),
            (PRESENT | USER, Kind::Read, Ok(7)),
            (PRESENT | USER, STORE, Err(7)),
            (PRESENT | USER | WRITE, STORE, Ok(7)),
            (PRESENT | USER, Kind::Execute, Ok(7)),
            (PRESENT | USER | NO_EXECUTE, Kind::Execute, Err(0x15)),
            (PRESENT | USER | 1 << 45, Kind::Read, Err(0xd)),
        ];
        for (bits, kind, expected) in cases {
            let machine = machine(levels, FRAME_7 | bits);
            let got = access(&machine, levels, kind);
            assert_eq!(got, expected, "{levels} levels, {bits:#x}, {kind}");
        }
    }
}

#[test]
fn no_store_passes_without_the_dirty_bit() {
    let machine = machine(4, FRAME_7 | PRESENT | USER | WRITE);
    assert_eq!(access(&machine, 4, Kind::Read), Ok(7));
    assert_eq!(leaf_of(&machine, 4) & (ACCESSED | DIRTY), ACCESSED);
    assert_eq!(access(&machine, 4, STORE), Ok(7));
    assert_eq!(leaf_of(&machine, 4) & (ACCESSED | DIRTY), ACCESSED | DIRTY);
}

#[test]
fn nothing_is_forgotten_without_a_flush() {
    let machine = machine(4, FRAME_7 | PRESENT | USER | WRITE);
    assert_eq!(access(&machine, 4, STORE), Ok(7));
    set(&machine, 3, index(PAGE, 0), 0);
    assert_eq!(access(&machine, 4, STORE), Ok(7), "the entry is remembered");
    machine
        .current()
        .borrow_mut()
        .tlb
        .forget_pages(0, PAGE..PAGE + 1);
    assert_eq!(access(&machine, 4, STORE), Err(6));
}

#[test]
fn nothing_is_remembered_by_another_cpu() {
    let machine = machine(4, FRAME_7 | PRESENT | USER);
    assert_eq!(access(&machine, 4, Kind::Read), Ok(7));
    set(&machine, 3, index(PAGE, 0), 0);
    machine.run_on(1);
    machine.activate(0);
    assert_eq!(access(&machine, 4, Kind::Read), Err(4));
}

#[test]
fn a_large_page_never_maps_beside_itself() {
    let bits = PRESENT | USER | WRITE | LARGE;
    let machine = machine(4, 512 << 12 | bits);
    let inside = PAGE % 512;
    assert_eq!(access(&machine, 4, STORE), Ok(512 + inside));
    let neighbour = Mmu::new(&machine, 4).translate((PAGE - inside + 511) << 12, Kind::Read);
    assert_eq!(neighbour, Ok(1023), "remembered as a whole");
    let misplaced = self::machine(4, 513 << 12 | 1 << 13 | bits);
    assert_eq!(access(&misplaced, 4, Kind::Read), Err(0xd));
}

#[test]
fn the_kernel_is_never_above_write_protection() {
    let cases = [
        (PRESENT, Kind::Read, Ok(7)),
        (PRESENT | WRITE, STORE, Ok(7)),
        (PRESENT, STORE, Err(3)),
        (PRESENT | USER, STORE, Err(3)),
        (PRESENT, Kind::Execute, Ok(7)),
        (PRESENT | USER, Kind::Execute, Err(0x11)),
        (PRESENT | NO_EXECUTE, Kind::Execute, Err(0x11)),
        (0, STORE, Err(2)),
    ];
    for (bits, kind, expected) in cases {
        let machine = machine(4, FRAME_7 | bits);
        let found = Mmu::new(&machine, 4)
            .in_ring_0()
            .translate(PAGE << 12, kind);
        let got = found.map_err(|fault| fault.code.0);
        assert_eq!(got, expected, "{bits:#x}, {kind}");
    }
}

#[test]
fn no_level_gives_back_what_another_took() {
    let leaf = FRAME_7 | PRESENT | WRITE | USER;
    for level in 1..4 {
        for (took, kind, expected) in [
            (WRITE, STORE, 7),
            (USER, Kind::Read, 5),
            (NO_EXECUTE, Kind::Execute, 0x15),
        ] {
            let machine = machine(4, leaf);
            let table = 3 - level;
            let word = machine.word(table, index(PAGE, level as u32));
            word.expect("the frame exists").fetch_xor(took, Relaxed);
            assert_eq!(access(&machine, 4, kind), Err(expected), "level {level}");
        }
    }
}

#[test]
fn no_global_entry_goes_with_its_space() {
    let global = PRESENT | USER | WRITE | GLOBAL;
    for (leaf, frame) in [
        (FRAME_7 | global, 7),
        (512 << 12 | LARGE | global, 512 + PAGE % 512),
    ] {
        let machine = machine(4, leaf);
        assert_eq!(access(&machine, 4, STORE), Ok(frame));
        // Another space, whose tables lead nowhere.
        (0..512).for_each(|index| set(&machine, 6, index, 0));
        machine.activate(6);
        assert_eq!(
            access(&machine, 4, STORE),
            Ok(frame),
            "it is of every space"
        );
        let tlb = &mut machine.current().borrow_mut().tlb;
        tlb.forget_pages(6, PAGE..PAGE + 1);
        assert_eq!(tlb.find(6, PAGE), None, "invlpg reaches global entries");
    }
}

#[test]
fn no_page_of_a_large_one_outlives_its_neighbours() {
    let machine = machine(4, 512 << 12 | PRESENT | USER | WRITE | LARGE);
    assert_eq!(access(&machine, 4, STORE), Ok(512 + PAGE % 512));
    let first = PAGE - PAGE % 512;
    let tlb = &mut machine.current().borrow_mut().tlb;
    tlb.forget_pages(0, first + 511..first + 512);
    assert_eq!(tlb.find(0, PAGE), None, "one invlpg forgets all of it");
}

#[test]
fn no_store_to_a_large_page_passes_without_its_dirty_bit() {
    let machine = machine(4, 512 << 12 | PRESENT | USER | WRITE | LARGE);
    let bits = || machine.load(2, index(PAGE, 1)).expect("the frame exists") & (ACCESSED | DIRTY);
    assert_eq!(access(&machine, 4, Kind::Read), Ok(512 + PAGE % 512));
    assert_eq!(bits(), ACCESSED);
    assert_eq!(access(&machine, 4, STORE), Ok(512 + PAGE % 512));
    assert_eq!(bits(), ACCESSED | DIRTY);
}
