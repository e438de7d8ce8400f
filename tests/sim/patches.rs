//! The seeded bugs of `bugs/` must stay applicable: each hunk's old lines stand exactly once in the file that it names.
//!
//! Whoever changes `mm` under a patch learns it here, in the suite, and mends the patch: the old lines are its context
//! and its `-` lines, and `bugs.sh NAME` runs it alone.
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use libtest_mimic::Failed;

/// Fewer would mean that some were lost.
const FEWEST: usize = 250;

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
    for part in patch.split("\n--- a/").skip(1) {
        let (file, hunks) = part.split_once('\n').unwrap_or((part, ""));
        let text =
            fs::read_to_string(root.join(file)).map_err(|error| format!("{file}: {error}"))?;
        for hunk in hunks.split("\n@@").skip(1) {
            let old = old_lines(hunk);
            let count = text.matches(&old).count();
            if count != 1 {
                return Err(format!("{file} has these lines {count} times:\n{old}"));
            }
        }
    }
    Ok(())
}

/// What a hunk expects to find.
fn old_lines(hunk: &str) -> String {
    let lines = hunk.lines().skip(1);
    let old = lines.filter_map(|line| line.strip_prefix([' ', '-']));
    old.flat_map(|line| [line, "\n"]).collect()
}
