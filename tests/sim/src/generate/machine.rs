//! The machine of a seed: small, with limits that are met and files that end where it hurts.
use std::rc::Rc;

use crate::files::{File, Store};
use crate::oracle::{Overcommit, Rules};
use crate::plan::{Config, Exhaustion};
use crate::random::Random;

pub(super) fn config(random: &mut Random) -> Config {
    let frames = match random.below(4) {
        0 => random.between(24, 40),
        1 => random.between(40, 90),
        2 => random.between(90, 200),
        _ => random.between(200, 500),
    };
    // One in fifty has thousands: the free lists get long and their blocks large.
    let mut aside = random.clone();
    let frames = match aside.below(50) {
        0 => aside.between(500, 3000),
        _ => frames,
    };
    let mut file = |least, store| File {
        size: match random.below(2) {
            0 => random.between(least, 10) * 4096,
            _ => random.between(least * 4096 - 4095, 10 * 4096),
        },
        store,
    };
    let files = Rc::from([
        file(4, Store::Archive),
        file(1, Store::Disk),
        file(1, Store::Memory),
        file(3, Store::Memory),
        file(3, Store::Disk),
        file(3, Store::Memory),
        file(3, Store::Object),
    ]);
    let limit = |random: &mut Random, low, high| match random.below(4) {
        0 => random.between(low, high) * 4096,
        _ => u64::MAX,
    };
    let mmap_base = 0x7_ffff_0000 - random.below(1 << 20);
    let stack_top = mmap_base + random.between(0x400, 0x4000);
    let rules = Rules {
        mmap_base,
        bottom_up_base: 0x2_aaaa_0000,
        heap_start: 0x406_000 + random.below(3) * 0x800,
        data_size: 0x1800,
        address_space: limit(random, 60, 800),
        data: limit(random, 30, 300),
        data_hard: limit(random, 30, 300),
        stack: match random.below(3) {
            0 => 8 << 20,
            _ => random.between(3, 400) * 4096,
        },
        locked: match random.below(4) {
            0 => random.below(60) * 4096,
            _ => u64::MAX,
        },
        memory: frames,
        overcommit: random.weighted(&[
            (6, Overcommit::Heuristic),
            (1, Overcommit::Always),
            (2, Overcommit::Never),
        ]),
        overcommit_ratio: 50,
        files,
    };
    Config {
        levels: random.pick(&[4, 4, 5]),
        cpus: random.between(2, 4) as usize,
        frames: frames as u32,
        processes: random.between(1, 5) as usize,
        rules,
        stack_top,
        exhaustion: random.pick(&[Exhaustion::Kills, Exhaustion::Waits]),
    }
}
