//! From a program that differs to the few lines that matter. A boot costs seconds and a program nothing, so that each boot
//! tries all candidates of a kind at once.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::batch::{Detail, Kernel, compare};
use crate::program::Program;

/// The smallest program found within `patience` that still differs.
pub(crate) fn shrink(program: Program, kernel: Kernel, patience: Duration) -> Result<Program> {
    let end = Instant::now() + patience;
    let mut best = cut_behind(program, kernel)?;
    let mut chunk = best.lines.len().div_ceil(2);
    while chunk > 0 && Instant::now() < end {
        let before = best.lines.len();
        best = leave_out(best, chunk, kernel)?;
        if chunk > 1 || best.lines.len() == before {
            chunk /= 2;
        }
    }
    Ok(best)
}

/// The shortest beginning of a program that differs.
fn cut_behind(program: Program, kernel: Kernel) -> Result<Program> {
    let cut = |length: usize| Program {
        lines: program.lines[..length].to_vec(),
        ..program
    };
    let candidates: Vec<_> = (1..program.lines.len()).map(cut).collect();
    let differing = differing(&candidates, kernel)?;
    Ok(differing
        .first()
        .map_or(program.clone(), |&index| candidates[index].clone()))
}

/// Tries to do without each run of `chunk` lines, and then without as many of those as possible.
fn leave_out(program: Program, chunk: usize, kernel: Kernel) -> Result<Program> {
    let starts: Vec<_> = (0..program.lines.len()).step_by(chunk).collect();
    let without = |left_out: &[usize]| {
        let lines = program.lines.iter().enumerate();
        let kept = lines.filter(|(at, _)| {
            !left_out
                .iter()
                .any(|start| (*start..start + chunk).contains(at))
        });
        Program {
            lines: kept.map(|(_, line)| line.clone()).collect(),
            ..program
        }
    };
    let alone: Vec<_> = starts.iter().map(|&start| without(&[start])).collect();
    let free: Vec<_> = differing(&alone, kernel)?
        .into_iter()
        .map(|index| starts[index])
        .collect();
    let together: Vec<_> = (1..=free.len())
        .map(|count| without(&free[free.len() - count..]))
        .collect();
    let longest = differing(&together, kernel)?.last().copied();
    Ok(longest.map_or(program.clone(), |index| together[index].clone()))
}

fn differing(candidates: &[Program], kernel: Kernel) -> Result<Vec<usize>> {
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let outcome = compare(candidates, Detail::Digest, kernel)?;
    Ok(outcome
        .differences()
        .iter()
        .map(|logs| logs.index)
        .collect())
}
