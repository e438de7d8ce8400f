//! The seeded bugs of `bugs/` must stay applicable, each hunk's old lines exactly once in the file that it names, something
//! must become of those lines, and it must be in the books: what found each stands in `bugs/README.md`.
//!
//! Whoever changes `mm` under a patch learns it here, in the suite, and mends the patch: the old lines are its context
//! and its `-` lines, and `bugs.sh NAME` runs it alone.
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use libtest_mimic::Failed;

/// Fewer would mean that some were lost.
const FEWEST: usize = 470;

/// Looks at every patch.
pub(crate) fn every_bug_still_applies() -> Result<(), Failed> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.join("../..");
    let bugs = patches(&here.join("bugs"))?;
    let mut wrong = Vec::new();
    for bug in &bugs {
        if let Err(words) = applies(&fs::read_to_string(bug)?, &root) {
            wrong.push(format!("{}: {words}", bug.display()));
        }
    }
    if bugs.len() < FEWEST {
        wrong.push(format!("only {} patches are left", bugs.len()));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(wrong.join("\n").into())
}

/// Looks at the rows of the table: one for each patch, by its name, that says what found it.
pub(crate) fn every_bug_has_a_row() -> Result<(), Failed> {
    let bugs = Path::new(env!("CARGO_MANIFEST_DIR")).join("bugs");
    let stem = |patch: &PathBuf| patch.file_stem().map(|name| name.display().to_string());
    let patches = patches(&bugs)?;
    let patches: BTreeSet<_> = patches.iter().filter_map(stem).collect();
    let text = fs::read_to_string(bugs.join("README.md"))?;
    let table = text.lines().skip_while(|line| *line != "|---|---|---|");
    let row = |line: &str| {
        Some(
            line.strip_prefix("| ")?
                .split_once(" | ")?
                .0
                .replace(' ', "_"),
        )
    };
    let table: Vec<_> = table.collect();
    let unproven: Vec<_> = table.iter().filter(|row| row.contains("| - |")).collect();
    if !unproven.is_empty() {
        return Err(format!("nothing has found these yet: {unproven:#?}").into());
    }
    let rows: Vec<_> = table.into_iter().filter_map(row).collect();
    let named: BTreeSet<_> = rows.iter().cloned().collect();
    if named == patches && named.len() == rows.len() {
        return Ok(());
    }
    let without_row: Vec<_> = patches.difference(&named).collect();
    let without_patch: Vec<_> = named.difference(&patches).collect();
    let twice = rows.len() - named.len();
    Err(format!(
        "without a row: {without_row:?}\nwithout a patch: {without_patch:?}\nrows that stand twice: {twice}"
    )
    .into())
}

fn patches(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let files: io::Result<Vec<_>> = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect();
    let is_patch = |file: &PathBuf| file.extension().is_some_and(|end| end == "patch");
    let mut patches: Vec<_> = files?.into_iter().filter(is_patch).collect();
    patches.sort();
    Ok(patches)
}

fn applies(patch: &str, root: &Path) -> Result<(), String> {
    let parts: Vec<&str> = patch.split("\n--- a/").skip(1).collect();
    if parts.is_empty() {
        return Err("it changes no file".into());
    }
    for part in parts {
        let (file, hunks) = part.split_once('\n').unwrap_or((part, ""));
        let text =
            fs::read_to_string(root.join(file)).map_err(|error| format!("{file}: {error}"))?;
        let hunks: Vec<&str> = hunks.split("\n@@").skip(1).collect();
        if hunks.is_empty() {
            return Err(format!("it changes nothing of {file}"));
        }
        for hunk in hunks {
            hunk_applies(hunk, &text).map_err(|words| format!("{file} {words}"))?;
        }
    }
    Ok(())
}

fn hunk_applies(hunk: &str, text: &str) -> Result<(), String> {
    let [old, new] = ['-', '+'].map(|side| lines(hunk, side));
    let count = text.matches(&old).count();
    match count {
        _ if old == new => Err(format!("stays as it is:\n{old}")),
        1 => Ok(()),
        _ => Err(format!("has these lines {count} times:\n{old}")),
    }
}

/// What a hunk expects to find (`-`), or leaves (`+`).
fn lines(hunk: &str, side: char) -> String {
    let lines = hunk.lines().skip(1);
    let shown = lines.filter_map(|line| line.strip_prefix([' ', side]));
    shown.flat_map(|line| [line, "\n"]).collect()
}
