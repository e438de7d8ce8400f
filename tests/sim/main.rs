//! The simulator as named tests: `cargo test -p sim`, with the usual filters.
//!
//! `SIM_SEED=n` runs that one seed; `SIM_SEEDS=n` runs n fixed seeds instead of 2,900; `SIM_STEPS=n` makes each longer or
//! shorter; `SIM_ONLY=3,17,40` leaves a seed only those of its steps, as the report of a failure names them. Besides the
//! fixed seeds one fresh seed is run, which is printed first. The last line says how many operations that were; a whole run
//! must reach ten million. The ignored test `hunt` runs the first 200 seeds one by one up to the first failure and says how
//! long that took: `bugs.sh` asks it.
mod patches;

use std::env;
use std::ops::Range;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use libtest_mimic::{Arguments, Conclusion, Failed, Trial};
use mm::fault::Path;
use sim::exhaustion::{Scene, areas_without_heap, scenes};
use sim::generate::generate;
use sim::plan::Plan;
use sim::run::{Tally, run};
use sim::shrink::{Shrunk, shrink};

/// Fixed seeds of a normal run.
const SEEDS: u64 = 2900;

/// Seeds that make one test.
const BATCH: u64 = 50;

/// Fixed seeds of a hunt.
const HUNTED: u64 = 200;

/// Steps of each.
const STEPS: u64 = 5000;

/// Operations that a whole run does and checks at least.
const FLOOR: u64 = 10_000_000;

/// Those of this run so far, on all threads.
static OPERATIONS: AtomicU64 = AtomicU64::new(0);

/// How long a failing run may be shrunk.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let start = Instant::now();
    let arguments = Arguments::from_args();
    let trials = match number("SIM_SEED") {
        Some(seed) => vec![trial(format!("seed_{seed}"), seed..seed + 1)],
        None => usual_trials(),
    };
    let conclusion = libtest_mimic::run(&arguments, trials);
    report(&conclusion, start.elapsed())
}

/// Says how much was done; a whole run that did too little is a failure.
fn report(conclusion: &Conclusion, time: Duration) -> ExitCode {
    let operations = OPERATIONS.load(Relaxed);
    if operations > 0 {
        let seconds = time.as_secs_f64();
        let rate = operations as f64 / seconds;
        println!("{operations} operations, each checked, in {seconds:.1} s: {rate:.0} a second");
    }
    let is_whole = conclusion.num_filtered_out == 0
        && conclusion.num_passed > 1
        && !["SIM_SEEDS", "SIM_STEPS", "SIM_ONLY"]
            .iter()
            .any(|name| env::var(name).is_ok());
    if is_whole && operations < FLOOR {
        println!("a whole run must reach {FLOOR}");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}

fn usual_trials() -> Vec<Trial> {
    let fresh = fresh_seed();
    println!("fresh seed: {fresh} (replay with SIM_SEED={fresh})");
    let (count, batches) = (seeds(SEEDS), (0..).step_by(BATCH as usize));
    let mut trials: Vec<Trial> = batches
        .take_while(|&first| first < count)
        .map(|first| first..count.min(first + BATCH))
        .map(|seeds| {
            trial(
                format!("seeds_{:04}_to_{:04}", seeds.start, seeds.end - 1),
                seeds,
            )
        })
        .collect();
    trials.push(trial("fresh_seed".into(), fresh..fresh + 1));
    trials.extend(scenes().into_iter().flat_map(scene_trials));
    trials.push(Trial::test("areas_without_heap", areas));
    trials.push(Trial::test("every_path_of_a_fault_is_taken", coverage));
    trials.push(Trial::test(
        "every_seeded_bug_applies",
        patches::every_bug_still_applies,
    ));
    trials.push(Trial::test(
        "every_seeded_bug_has_a_row",
        patches::every_bug_has_a_row,
    ));
    trials.push(Trial::test("hunt", hunt).with_ignored_flag(true));
    trials
}

fn trial(name: String, mut seeds: Range<u64>) -> Trial {
    Trial::test(name, move || seeds.try_for_each(simulate))
}

fn simulate(seed: u64) -> Result<(), Failed> {
    let failure = match run(&plan(seed)) {
        Ok(tally) => {
            OPERATIONS.fetch_add(tally.operations, Relaxed);
            return Ok(());
        }
        Err(failure) => failure,
    };
    let report = failure.to_string();
    let shrunk = shrink(failure, PATIENCE);
    let replay = format!("SIM_SEED={seed} SIM_STEPS={}", steps());
    let (fewest, kept) = (shrunk.kept.len(), numbers_of(&shrunk));
    Err(format!(
        "{report}\nshrunk to {fewest} steps: {shrunk}\n\
         replay: {replay} cargo test -p sim --test sim\n\
         these steps alone: {replay} SIM_ONLY={kept} cargo test -p sim --test sim"
    )
    .into())
}

/// The steps that are left of a seed's, as SIM_ONLY names them.
fn numbers_of(shrunk: &Shrunk) -> String {
    let asked = only();
    let number = |&kept: &usize| asked.as_ref().map_or(kept, |asked| asked[kept]);
    let numbers: Vec<String> = shrunk
        .kept
        .iter()
        .map(number)
        .map(|n| n.to_string())
        .collect();
    numbers.join(",")
}

/// The steps that SIM_ONLY names.
fn only() -> Option<Vec<usize>> {
    let value = env::var("SIM_ONLY").ok()?;
    let number = |word: &str| word.parse().ok();
    let numbers: Option<Vec<usize>> = value.split(',').map(number).collect();
    Some(numbers.unwrap_or_else(|| panic!("SIM_ONLY={value} is no list of numbers with commas")))
}

/// A verb that runs out of frames, and of heap.
fn scene_trials(scene: Scene) -> [Trial; 3] {
    let frames = Arc::new(scene);
    let heap = frames.clone();
    let single = frames.clone();
    let asked = if heap.asks_the_heap() {
        "heap"
    } else {
        "asking_the_heap"
    };
    [
        Trial::test(format!("{}_without_frames", heap.name), move || {
            Ok(frames.starve_of_frames()?)
        }),
        Trial::test(format!("{}_without_a_frame", single.name), move || {
            Ok(single.refuse_single_frames()?)
        }),
        Trial::test(format!("{}_without_{asked}", heap.name), move || {
            Ok(heap.starve_of_heap()?)
        }),
    ]
}

fn areas() -> Result<(), Failed> {
    match areas_without_heap()? {
        0..10 => Err("few allocations of the heap were made to fail".into()),
        _ => Ok(()),
    }
}

/// A path that no seed takes is a path that nobody tests, and so are the ways out of calls that the heap fails.
fn coverage() -> Result<(), Failed> {
    let mut sum = Tally::default();
    for seed in 0..100 {
        sum.add(&run(&plan(seed)).map_err(|failure| failure.to_string())?);
    }
    for (path, count) in Path::ALL.into_iter().zip(sum.paths) {
        if count < 100 {
            return Err(format!("{} happened {count} times", path.name()).into());
        }
    }
    if sum.heap_failures < 100 {
        return Err(format!("the heap failed {} times", sum.heap_failures).into());
    }
    Ok(())
}

fn hunt() -> Result<(), Failed> {
    let (start, mut sum) = (Instant::now(), Tally::default());
    for seed in 0..seeds(HUNTED) {
        match run(&plan(seed)) {
            Ok(tally) => sum.add(&tally),
            Err(failure) => {
                let (step, time) = (failure.answers.len(), start.elapsed().as_secs_f64());
                let words = failure.broken;
                println!("found by seed {seed}, step {step}, after {time:.2} s: {words}");
                return Err("found".into());
            }
        }
    }
    let (operations, time) = (sum.operations, start.elapsed().as_secs_f64());
    let rate = operations as f64 / time;
    println!("{operations} operations without a finding in {time:.2} s, {rate:.0} a second");
    for (path, count) in Path::ALL.into_iter().zip(sum.paths) {
        println!("{count:9}  {}", path.name());
    }
    Ok(())
}

fn plan(seed: u64) -> Plan {
    let plan = generate(seed, steps() as usize);
    match only() {
        Some(numbers) => plan.only(&numbers),
        None => plan,
    }
}

fn seeds(usual: u64) -> u64 {
    number("SIM_SEEDS").unwrap_or(usual)
}

fn steps() -> u64 {
    number("SIM_STEPS").unwrap_or(STEPS)
}

/// The value of an environment variable that is a number.
fn number(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    let number = value.parse();
    Some(number.unwrap_or_else(|_| panic!("{name}={value} is not a number")))
}

/// A seed that was never run before, short enough to be typed.
fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_nanos() as u64 % 1_000_000_000_000)
}
