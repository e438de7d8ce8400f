//! Random programs in batches: the suite's fixed seeds, or `SEED=` and `RUNS=` of them.

use std::env;
use std::fmt::Write;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use test_programs::transcript;

use crate::batch::{Detail, Kernel, Logs, Outcome, compare};
use crate::generate::generate;
use crate::program::Program;
use crate::shrink::shrink;

/// The programs of the suite, as many as one boot carries out in some twenty seconds.
const RUNS: u64 = 1000;

/// Programs of a boot, unless `BATCH=` says otherwise: fewer where a busy machine would not get through them in time.
const BATCH: u64 = 1000;

/// For the kernel with assertions, which looks at everything after each process.
const CHECKED_RUNS: u64 = 100;

/// Differing programs of a batch that are shrunk and shown, unless `SHOWN=` says otherwise.
const SHOWN: u64 = 3;

/// How long shrinking one may take.
const PATIENCE: Duration = Duration::from_secs(150);

/// The release kernel agrees with Linux.
pub(crate) fn agree() -> Result<()> {
    agree_on(number("SEED", 0)?, number("RUNS", RUNS)?, Kernel::Release)
}

/// The kernel with every assertion does so too, on other programs.
pub(crate) fn agree_checked() -> Result<()> {
    let runs = number("CHECKED_RUNS", CHECKED_RUNS)?;
    agree_on(1 << 32, runs, Kernel::Checked)
}

/// Compares the programs of `runs` seeds from `first` on, all of them, whatever some may show.
fn agree_on(first: u64, runs: u64, kernel: Kernel) -> Result<()> {
    let batch = number("BATCH", BATCH)?.max(1);
    let mut reports = String::new();
    for start in (first..first + runs).step_by(batch as usize) {
        let end = (start + batch).min(first + runs);
        let programs: Vec<_> = (start..end).map(generate).collect();
        let outcome = compare(&programs, Detail::Digest, kernel)?;
        let agree = outcome.differences().is_empty() && outcome.trouble.is_none();
        if runs > batch {
            let word = if agree { "agree" } else { "differ" };
            eprintln!("seeds {start} to {} {word}", end - 1);
        }
        if !agree {
            reports.push_str(&report(start, &programs, &outcome, kernel)?);
        }
    }
    ensure!(reports.is_empty(), "{reports}");
    Ok(())
}

/// What is to be said of a batch that differs: nothing, where it was Linux's doing.
fn report(start: u64, programs: &[Program], outcome: &Outcome, kernel: Kernel) -> Result<String> {
    let found = blamed(start, programs, outcome, kernel)?;
    let mut text = outcome.trouble.clone().unwrap_or_default();
    if found.is_empty() {
        return Ok(text);
    }
    let seeds: Vec<_> = found.iter().map(|index| start + *index as u64).collect();
    let (some, all) = (seeds.len(), programs.len());
    let _ = writeln!(text, "{some} of {all} programs differ: seeds {seeds:?}");
    text.push_str(&survey(start, programs, &found, kernel)?);
    let shown = number("SHOWN", SHOWN)? as usize;
    for &index in found.iter().take(shown) {
        let program = shrink(programs[index].clone(), kernel, PATIENCE)?;
        let seed = start + index as u64;
        let _ = writeln!(text, "seed {seed}, shrunk:\n{}", show(&program, kernel)?);
    }
    eprintln!("{text}");
    Ok(text)
}

/// Those of the differing programs that the kernel has to answer for: all that differ in a second run too, and those in
/// which the kernel did otherwise than before. Where only Linux did, it was chance, and the two agree now.
fn blamed(start: u64, programs: &[Program], first: &Outcome, kernel: Kernel) -> Result<Vec<usize>> {
    let found = first.differences();
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let again: Vec<_> = found
        .iter()
        .map(|logs| programs[logs.index].clone())
        .collect();
    let second = compare(&again, Detail::Digest, kernel)?;
    let mut blamed = Vec::new();
    for (at, before) in found.iter().enumerate() {
        let seed = start + before.index as u64;
        match second.logs.get(at) {
            Some(after) if !after.differ() && is_same(&after.kernel, &before.kernel) => {
                eprintln!(
                    "seed {seed}: Linux did otherwise when it was asked again, and as the kernel"
                );
            }
            Some(after) if !after.differ() => {
                eprintln!(
                    "seed {seed}: the kernel did otherwise when it was asked again, and as Linux"
                );
                blamed.push(before.index);
            }
            _ => blamed.push(before.index),
        }
    }
    Ok(blamed)
}

/// Whether two logs of a program say the same. They end with `P NUMBER END`, and the number is another in another batch.
fn is_same(one: &str, other: &str) -> bool {
    fn parts(log: &str) -> (&str, Option<&str>) {
        let (body, last) = log.trim_end().rsplit_once('\n').unwrap_or(("", log));
        (body, last.splitn(3, ' ').nth(2))
    }
    parts(one) == parts(other)
}

/// For each program the first line in which its logs differ.
fn survey(start: u64, programs: &[Program], found: &[usize], kernel: Kernel) -> Result<String> {
    let differing: Vec<_> = found.iter().map(|&index| programs[index].clone()).collect();
    let outcome = compare(&differing, Detail::Full, kernel)?;
    let differences = outcome.differences();
    let rows = differences.iter().map(|one| {
        let seed = start + found[one.index] as u64;
        let part = first_difference(&differing[one.index], one);
        format!("seed {seed}: {}\n", part.unwrap_or_default())
    });
    Ok(rows.collect())
}

/// The line of the program where the logs part, and what both say of it; the picture at the end has no line.
fn first_difference(program: &Program, logs: &Logs) -> Option<String> {
    const END: &str = "(the end)";
    let lines = |log: &str| -> Vec<String> { log.lines().chain([END]).map(String::from).collect() };
    let mut pairs = lines(&logs.linux).into_iter().zip(lines(&logs.kernel));
    let (linux, kernel) = pairs.find(|(linux, kernel)| linux != kernel)?;
    let number = linux.split(' ').next()?;
    let line = usize::from_str_radix(number, 16)
        .ok()
        .and_then(|number| program.lines.get(number));
    let line = line.map_or_else(|| "a picture".to_owned(), ToString::to_string);
    Some(format!("{line}\n  - {linux}\n  + {kernel}"))
}

/// A program for people, its two logs, and what to put into a file of `regressions`.
fn show(program: &Program, kernel: Kernel) -> Result<String> {
    let outcome = compare(std::slice::from_ref(program), Detail::Full, kernel)?;
    let difference = match outcome.differences().first() {
        Some(Logs { linux, kernel, .. }) => {
            transcript::difference(linux.as_bytes(), kernel.as_bytes())
        }
        None => Some("this time both did the same\n".to_owned()),
    };
    let difference = difference.unwrap_or_default();
    let trouble = outcome.trouble.unwrap_or_default();
    Ok(format!(
        "{program}{difference}{trouble}as a file:\n{}",
        program.text(0, false)
    ))
}

fn number(name: &str, usual: u64) -> Result<u64> {
    match env::var(name) {
        Ok(text) if !text.is_empty() => text
            .parse()
            .with_context(|| format!("{name}={text} is no number")),
        _ => Ok(usual),
    }
}
