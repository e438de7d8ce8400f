//! From a failing run to the few operations that matter: leave out whatever the failure can do without.
//!
//! Operations mean the same wherever they stand, so any subset of a plan is a plan. Halves are tried first, then
//! quarters, down to single steps, until nothing more can go.
use std::fmt;
use std::time::{Duration, Instant};

use crate::plan::Plan;
use crate::run::{Failure, run};

/// A failing run with few steps.
pub struct Shrunk {
    /// The run.
    pub failure: Box<Failure>,
    /// Which steps of the first failing run are left: [`Plan::only`] makes this one of that.
    pub kept: Vec<usize>,
}

/// The smallest failing run that was found within `patience`.
pub fn shrink(failure: Box<Failure>, patience: Duration) -> Shrunk {
    let end = Instant::now() + patience;
    let whole = failure.plan.clone();
    let mut best = Shrunk::new(failure, (0..whole.steps.len()).collect());
    let mut chunk = best.kept.len() / 2;
    while chunk > 0 && Instant::now() < end {
        let before = best.kept.len();
        best = leave_out_chunks(best, &whole, chunk, end);
        if best.kept.len() == before || chunk > 1 {
            chunk /= 2;
        }
    }
    best
}

/// Tries to do without each run of `chunk` steps, from the last to the first.
fn leave_out_chunks(mut best: Shrunk, whole: &Plan, chunk: usize, end: Instant) -> Shrunk {
    let mut at = best.kept.len();
    while at > 0 && Instant::now() < end {
        let start = at.saturating_sub(chunk);
        let mut kept = best.kept.clone();
        kept.drain(start..at.min(kept.len()));
        if let Err(failure) = run(&whole.only(&kept)) {
            best = Shrunk::new(failure, kept);
        }
        at = start.min(best.kept.len());
    }
    best
}

impl Shrunk {
    /// `failure` of a plan of the steps `kept`, without those behind the failing one, which never happened.
    fn new(mut failure: Box<Failure>, mut kept: Vec<usize>) -> Self {
        let happened = failure.answers.len() + 1;
        failure.plan.steps.truncate(happened);
        kept.truncate(happened);
        Self { failure, kept }
    }
}

impl fmt::Display for Shrunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.failure.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::shrink;
    use crate::generate::generate;
    use crate::op::{Op, Step};
    use crate::run::run;

    /// A step that no run survives, far behind others that have nothing to do with it.
    #[test]
    fn no_step_is_left_that_the_failure_can_do_without() {
        let mut plan = generate(3, 200);
        plan.steps.push(Step {
            cpu: 0,
            op: Op::Evict(999),
        });
        plan.steps.extend(generate(4, 20).steps);
        let failure = run(&plan).expect_err("there is no such file");
        let shrunk = shrink(failure, Duration::from_secs(60));
        assert_eq!(shrunk.kept, [200]);
        assert!(run(&plan.only(&shrunk.kept)).is_err());
    }
}
