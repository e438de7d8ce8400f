//! From a failing run to the few operations that matter: leave out whatever the failure can do without.
//!
//! Operations mean the same wherever they stand, so any subset of a plan is a plan. Halves are tried first, then
//! quarters, down to single steps, until nothing more can go.
use std::time::{Duration, Instant};

use crate::plan::Plan;
use crate::run::{Failure, run};

/// The smallest failing run that was found within `patience`.
pub fn shrink(failure: Box<Failure>, patience: Duration) -> Box<Failure> {
    let end = Instant::now() + patience;
    let mut best = cut_behind(failure);
    let mut chunk = best.plan.steps.len() / 2;
    while chunk > 0 && Instant::now() < end {
        let before = best.plan.steps.len();
        best = leave_out_chunks(best, chunk, end);
        if best.plan.steps.len() == before || chunk > 1 {
            chunk /= 2;
        }
    }
    best
}

/// The steps behind the failing one never happened.
fn cut_behind(mut failure: Box<Failure>) -> Box<Failure> {
    let happened = failure.answers.len() + 1;
    failure.plan.steps.truncate(happened);
    failure
}

/// Tries to do without each run of `chunk` steps, from the last to the first.
fn leave_out_chunks(mut best: Box<Failure>, chunk: usize, end: Instant) -> Box<Failure> {
    let mut at = best.plan.steps.len();
    while at > 0 && Instant::now() < end {
        let start = at.saturating_sub(chunk);
        let mut steps = best.plan.steps.clone();
        steps.drain(start..at.min(steps.len()));
        let plan = Plan {
            steps,
            ..best.plan.clone()
        };
        if let Err(failure) = run(&plan) {
            best = cut_behind(failure);
        }
        at = start.min(best.plan.steps.len());
    }
    best
}
