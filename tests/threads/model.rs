//! The scenes under shuttle: `mm` compiled so that a scheduler chooses who goes on at every atomic operation and lock.
//!
//! There are four kinds of schedules: drawn evenly, and as PCT draws them with one, two or three changes of thread at any
//! place. Too few don't reach a race, and too many undo it: one that takes a single change, and then a long run of the
//! other thread, is found ten times as often with one as with three. The first seed is fixed, so the suite is the same
//! every time; `SHUTTLE_RUNS=n` sets how many schedules of each kind a scene gets, `SHUTTLE_RANDOM_SEED=n` is another
//! first seed. `stress.rs` runs the same scenes on real threads.
use std::env;

use libtest_mimic::{Arguments, Trial};
use points::{atomic, point, quietly};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, Runner};
// What the scenes are made of; stress.rs has the others of these names.
use mm_shuttle as mm;
use shuttle::{sync, thread, thread_local};

mod machine;
mod scenes;
mod world;

/// Schedules of each scene, of each kind.
const RUNS: usize = 250;

/// Preemptions that PCT places, and one more.
const DEPTHS: [usize; 3] = [2, 3, 4];

fn main() {
    let trials = scenes::ALL
        .iter()
        .map(|&(name, scene)| {
            Trial::test(name, move || {
                for depth in DEPTHS {
                    explore(PctScheduler::new_from_seed(1, depth, runs()), scene);
                }
                explore(RandomScheduler::new_from_seed(0, runs()), scene);
                Ok(())
            })
        })
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn explore(scheduler: impl Scheduler + 'static, scene: fn()) {
    let mut config = Config::new();
    config.silence_warnings = true;
    config.stack_size = 1 << 18;
    // The seeds are fixed: the same command fails the same way.
    config.failure_persistence = FailurePersistence::None;
    Runner::new(scheduler, config).run(scene);
}

fn runs() -> usize {
    let runs = env::var("SHUTTLE_RUNS").ok();
    let runs = runs.map(|runs| runs.parse().expect("SHUTTLE_RUNS is a number"));
    runs.unwrap_or(RUNS)
}
