//! The simulator as named tests: `cargo test -p sim`, with the usual filters.
//!
//! `SIM_SEED=n` runs that one seed; `SIM_SEEDS=n` runs n fixed seeds instead of 200; `SIM_STEPS=n` makes each longer or
//! shorter. Besides the fixed seeds one fresh seed is run, which is printed first.
use std::env;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libtest_mimic::{Arguments, Failed, Trial};
use sim::generate::generate;
use sim::run::run;
use sim::shrink::shrink;

/// Fixed seeds of a normal run.
const SEEDS: u64 = 200;

/// Steps of each.
const STEPS: u64 = 5000;

/// How long a failing run may be shrunk.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() {
    let arguments = Arguments::from_args();
    let trials = match number("SIM_SEED") {
        Some(seed) => vec![trial(format!("seed_{seed}"), seed)],
        None => usual_trials(),
    };
    libtest_mimic::run(&arguments, trials).exit();
}

fn usual_trials() -> Vec<Trial> {
    let seeds = number("SIM_SEEDS").unwrap_or(SEEDS);
    let fresh = fresh_seed();
    println!("fresh seed: {fresh} (replay with SIM_SEED={fresh})");
    let fixed = (0..seeds).map(|seed| trial(format!("seed_{seed:03}"), seed));
    fixed.chain([trial("fresh_seed".into(), fresh)]).collect()
}

fn trial(name: String, seed: u64) -> Trial {
    Trial::test(name, move || simulate(seed))
}

fn simulate(seed: u64) -> Result<(), Failed> {
    let steps = number("SIM_STEPS").unwrap_or(STEPS);
    let Err(failure) = run(&generate(seed, steps as usize)) else {
        return Ok(());
    };
    let report = failure.to_string();
    let shrunk = shrink(failure, PATIENCE);
    Err(format!(
        "{report}\nshrunk to {} steps: {shrunk}\nreplay: SIM_SEED={seed} SIM_STEPS={steps} cargo test -p sim",
        shrunk.plan.steps.len()
    )
    .into())
}

/// The value of an environment variable that is a number.
fn number(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name}={value} is not a number")),
    )
}

/// A seed that was never run before, short enough to be typed.
fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_nanos() as u64 % 1_000_000_000_000)
}
