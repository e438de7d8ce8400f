//! The same programs in the simulator: carried out by `mm` on a machine of vectors that runs short of memory, and held to
//! the simulator's own oracle after every line.
//!
//! Lines that mean nothing to it are left out: limits, which lie so many pages above what the interpreter itself has, and
//! some advice. What Linux says of a program and what the simulator says are thus two opinions on one text.

mod author;
mod files;

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, bail};
use sim::files::{File, Store};
use sim::op::Op;
use sim::oracle::{Overcommit, Rules};
use sim::plan::{Config, Exhaustion, Plan};
use sim::random::Random;
use sim::{run, shrink};

use crate::generate::generate;
use crate::program::Program;
use author::Author;

/// Programs of a run: a second of processor time for a hundred thousand lines.
const RUNS: u64 = 2000;

/// Where the heap begins.
const HEAP_START: u64 = 0x40_6000;

/// How long shrinking a program may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// No program meets a contradiction in the simulator.
pub(crate) fn agrees() -> Result<()> {
    for seed in 0..RUNS {
        if let Err(failure) = run::run(&plan(seed, &generate(seed))) {
            bail!("{}", shrink::shrink(failure, PATIENCE));
        }
    }
    Ok(())
}

/// The program on a machine that follows from the seed, too.
fn plan(seed: u64, program: &Program) -> Plan {
    let mut random = Random::new(!seed);
    let mut config = config(&mut random);
    let mut author = Author::new(config.cpus, random, &config.rules.files);
    author.add(Op::Spawn(0));
    program.lines.iter().for_each(|line| author.line(line));
    let (steps, files) = author.finish();
    config.rules.files = files;
    Plan {
        seed,
        config,
        steps,
    }
}

fn config(random: &mut Random) -> Config {
    let file = |size, store| File { size, store };
    let frames = random.pick(&[30, 45, 90, 500]);
    let mmap_base = 0x7_ffff_0000;
    Config {
        levels: random.pick(&[4, 5]),
        cpus: random.between(2, 4) as usize,
        frames,
        processes: 4,
        rules: Rules {
            mmap_base,
            bottom_up_base: 0x2_aaaa_0000,
            heap_start: HEAP_START,
            address_space: u64::MAX,
            data_size: 0,
            data: u64::MAX,
            data_hard: u64::MAX,
            stack: 8 << 20,
            locked: u64::MAX,
            memory: frames.into(),
            overcommit: Overcommit::Always,
            overcommit_ratio: 50,
            files: Rc::from([
                file(10 * 4096, Store::Archive),
                file(3 * 4096 + 100, Store::Archive),
            ]),
        },
        stack_top: mmap_base + 0x400,
        exhaustion: Exhaustion::Waits,
    }
}
