//! Runs a plan and tells how it ended; a failure comes with all that is needed to understand and repeat it.
use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::Once;

use mm::fault::Path;

use crate::broken::{Broken, Sound};
use crate::drawing;
use crate::failing_heap;
use crate::op::Op;
use crate::plan::Plan;
use crate::world::{Answer, World};

/// Steps between two looks at every byte.
const SWEEP: usize = 64;

/// Operations that a report shows.
const SHOWN: usize = 30;

/// What a run without contradiction came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Steps that did something.
    pub operations: u64,
    /// Those that failed with the heap.
    pub heap_failures: u64,
    /// Faults by path, in the order of `Path::ALL`.
    pub paths: [u64; Path::ALL.len()],
}

impl Tally {
    /// Adds another run's.
    pub fn add(&mut self, other: &Self) {
        self.operations += other.operations;
        self.heap_failures += other.heap_failures;
        for (sum, count) in self.paths.iter_mut().zip(other.paths) {
            *sum += count;
        }
    }
}

/// A run that met a contradiction.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What was run.
    pub plan: Plan,
    /// The contradiction.
    pub broken: Broken,
    /// What each step came to, as far as it went. The step behind the last is the one that failed.
    pub answers: Vec<Answer>,
}

/// Runs `plan` to its end or to the first contradiction. A panic is one.
pub fn run(plan: &Plan) -> Result<Tally, Box<Failure>> {
    catch_panics();
    let mut answers = Vec::with_capacity(plan.steps.len());
    let outcome = catch_unwind(AssertUnwindSafe(|| execute(plan, &mut answers)));
    let panicked = |_| Err(Broken(PANIC.take()));
    outcome.unwrap_or_else(panicked).map_err(|broken| {
        Box::new(Failure {
            plan: plan.clone(),
            broken,
            answers,
        })
    })
}

fn execute(plan: &Plan, answers: &mut Vec<Answer>) -> Sound<Tally> {
    let mut world = World::new(&plan.config);
    let mut tally = Tally::default();
    for (number, step) in plan.steps.iter().enumerate() {
        let answer = world.step(step)?;
        let is_operation =
            answer != Answer::Nothing && !matches!(step.op, Op::FailHeap(_) | Op::RefuseFrame(_));
        tally.operations += u64::from(is_operation);
        tally.heap_failures += u64::from(answer == Answer::HeapFailed);
        if number % SWEEP == 0 {
            world.sweep()?;
        }
        answers.push(answer);
    }
    world.sweep()?;
    for (count, path) in tally.paths.iter_mut().zip(Path::ALL) {
        *count = world.taken(path);
    }
    world.finish()?;
    Ok(tally)
}

thread_local! {
    /// The words of the last panic on this thread.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps the words of a panic for the report, in place of printing them.
fn catch_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        set_hook(Box::new(|info| {
            failing_heap::disarm();
            PANIC.set(info.to_string());
        }));
    });
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            plan,
            broken,
            answers,
        } = self;
        let (seed, count) = (plan.seed, plan.steps.len());
        let failed = answers.len();
        writeln!(f, "seed {seed} ({}):", plan.config)?;
        writeln!(f, "  {broken}")?;
        match plan.steps.get(failed) {
            Some(_) => writeln!(f, "at step {failed} of {count}:")?,
            None => writeln!(f, "after {count} steps:")?,
        }
        for number in failed.saturating_sub(SHOWN)..count.min(failed + 1) {
            let step = &plan.steps[number];
            match answers.get(number) {
                Some(answer) => writeln!(f, "  {number:5}  {step} = {answer}")?,
                None => writeln!(f, "  {number:5}  {step}   <- here")?,
            }
        }
        match drawing::draw(plan) {
            Some(drawing) if failed + 1 == count => writeln!(f, "{drawing}"),
            _ => Ok(()),
        }
    }
}
