//! The scenes on real threads, each again and again for a bounded time: with the processor's own reordering, on the `mm`
//! that the kernel is made of.
//!
//! What model.rs can't see, because there all threads take turns. `STRESS_MILLISECONDS=n` sets how long a scene gets.
use std::env;
use std::sync::atomic;
use std::time::{Duration, Instant};
// What the scenes are made of; model.rs has the others of these names.
use std::{sync, thread, thread_local};

use libtest_mimic::{Arguments, Trial};
extern crate mm;

mod machine;
mod scenes;
mod world;

/// How long each scene is repeated.
const MILLISECONDS: u64 = 150;

/// Real threads need no scheduling points ...
fn point() {}

/// ... and can't be kept from meeting.
fn quietly<R>(body: impl FnOnce() -> R) -> R {
    body()
}

fn main() {
    let mut arguments = Arguments::from_args();
    // One scene at a time: its threads shall meet, not queue behind another scene's.
    arguments.test_threads = Some(1);
    let trials = scenes::ALL
        .iter()
        .map(|&(name, scene)| {
            Trial::test(name, move || {
                repeat(scene);
                Ok(())
            })
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}

fn repeat(scene: fn()) {
    let time = env::var("STRESS_MILLISECONDS").ok();
    let time = time.map(|time| time.parse().expect("STRESS_MILLISECONDS is a number"));
    let time = Duration::from_millis(time.unwrap_or(MILLISECONDS));
    let start = Instant::now();
    while start.elapsed() < time {
        scene();
    }
}
