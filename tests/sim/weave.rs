//! Weaves the seeded bugs into a copy of the tree, so that one build holds all of them, and `SEEDED_BUG=n` picks one.
//!
//! A build for each bug costs a hundred times what finding it does. A patch that only changes what functions do is woven:
//! each such function gets, beside its own body, the one that the patch gives it, and asks which is meant. What a patch
//! changes elsewhere (a constant, a signature) can't be chosen by a running program; it must be built alone. Functions
//! are told by rustfmt's form: a body ends at the first brace that stands as far left as its function.
//!
//! `weave TREE PATCH...` changes TREE, and prints a line for each patch: `NAME NUMBER`, or `NAME 0` if it is to be built
//! alone. `bugs.sh` compiles this file by itself; cargo knows it as an example, to lint it.
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// What `mm` asks. Its build for shuttle has the same: the choice is no point at which threads change.
const CHOICE: &str = "//! Which of the seeded bugs is meant.
extern crate std;

pub(crate) fn bug() -> u32 {
    static BUG: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    let read = || std::env::var(\"SEEDED_BUG\").ok()?.parse().ok();
    *BUG.get_or_init(|| read().unwrap_or(0))
}
";

/// The crate that is broken.
const BROKEN: &str = "kernel/mm/src";

/// Where the choice is made, before everything else that a world does: later the heap may be one that fails.
const FIRST: (&str, &str) = ("memory.rs", "let buddy = Buddy::new();\n");

/// A file in parts: what is outside all functions and what is inside of one take turns.
#[derive(PartialEq)]
struct Parts {
    outside: Vec<String>,
    bodies: Vec<String>,
}

/// The functions of one file that bugs change: by their number the bodies, each with its bug's number.
type Changes = BTreeMap<usize, Vec<(u32, String)>>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let tree = arguments.next().ok_or("usage: weave TREE PATCH...")?;
    let mut woven: BTreeMap<PathBuf, Changes> = BTreeMap::new();
    for (patch, number) in arguments.zip(1..) {
        let changes = changes_of(&fs::read_to_string(&patch)?, &tree)
            .map_err(|error| format!("{}: {error}", patch.display()))?;
        let name = patch.file_stem().unwrap_or_default().display();
        println!("{name} {}", if changes.is_some() { number } else { 0 });
        for (file, at, body) in changes.into_iter().flatten() {
            let bodies = woven.entry(file).or_default().entry(at).or_default();
            bodies.push((number, body));
        }
    }
    for (file, changes) in woven {
        weave(&file, &changes)?;
    }
    let root = tree.join(BROKEN);
    let lib = fs::read_to_string(root.join("lib.rs"))?;
    fs::write(root.join("lib.rs"), lib + "\nmod seeded;\n")?;
    fs::write(root.join("seeded.rs"), CHOICE)?;
    let (file, line) = (root.join(FIRST.0), FIRST.1);
    let text = fs::read_to_string(&file)?;
    if text.matches(line).count() != 1 {
        return Err(format!("a world does not begin with {line} any more").into());
    }
    fs::write(
        &file,
        text.replacen(line, &format!("let _ = crate::seeded::bug();\n{line}"), 1),
    )?;
    Ok(())
}

/// What a patch makes of which functions; `None` where it changes anything else.
#[expect(
    clippy::type_complexity,
    reason = "a file, the number of a function in it, its new body"
)]
fn changes_of(
    patch: &str,
    tree: &Path,
) -> Result<Option<Vec<(PathBuf, usize, String)>>, Box<dyn Error>> {
    let mut changes = Vec::new();
    for part in patch.split("\n--- a/").skip(1) {
        let (file, hunks) = part.split_once('\n').unwrap_or((part, ""));
        let file = tree.join(file);
        let text = fs::read_to_string(&file)?;
        let (old, new) = (Parts::of(&text), Parts::of(&patched(&text, hunks)?));
        if old.outside != new.outside {
            return Ok(None);
        }
        for (at, body) in new.bodies.into_iter().enumerate() {
            if body == old.bodies[at] {
                continue;
            }
            if !can_choose(&old.outside[at]) {
                return Ok(None);
            }
            changes.push((file.clone(), at, body));
        }
    }
    Ok(Some(changes))
}

/// The text with a patch's hunks in it, each in the one place where its old lines stand.
fn patched(text: &str, hunks: &str) -> Result<String, Box<dyn Error>> {
    let mut text = text.to_owned();
    for hunk in hunks.split("\n@@").skip(1) {
        let side = |away: char| -> String {
            let lines = hunk.lines().skip(1).filter(|line| !line.starts_with(away));
            let lines = lines.filter_map(|line| line.get(1..));
            lines.flat_map(|line| [line, "\n"]).collect()
        };
        let (old, new) = (side('+'), side('-'));
        if text.matches(&old).count() != 1 {
            return Err(format!("these lines don't stand there once:\n{old}").into());
        }
        text = text.replacen(&old, &new, 1);
    }
    Ok(text)
}

/// Whether the function behind `outside` may choose its body as it runs: a constant one can't, and bodies that return some
/// type without a name would each return another one.
fn can_choose(outside: &str) -> bool {
    let signature = outside.rsplit_once("fn ").map_or("", |(_, rest)| rest);
    let line = outside.lines().rev().find(|line| is_function(line));
    let returned = signature.rsplit_once("-> ").map_or("", |(_, rest)| rest);
    !returned.contains("impl ") && !line.is_some_and(|line| line.contains("const fn "))
}

/// Writes the file anew with all bodies of its changed functions.
fn weave(file: &Path, changes: &Changes) -> Result<(), Box<dyn Error>> {
    let mut parts = Parts::of(&fs::read_to_string(file)?);
    for (&at, bodies) in changes {
        let own = std::mem::take(&mut parts.bodies[at]);
        let arm = |(bug, body): &(u32, String)| format!("{bug} => {{\n{body}}}\n");
        let arms: String = bodies.iter().map(arm).collect();
        parts.bodies[at] = format!("match crate::seeded::bug() {{\n{arms}_ => {{\n{own}}}\n}}\n");
    }
    Ok(fs::write(file, parts.joined())?)
}

impl Parts {
    fn of(text: &str) -> Self {
        let (mut outside, mut bodies) = (vec![String::new()], Vec::new());
        let mut lines = text.split_inclusive('\n');
        while let Some(line) = lines.next() {
            add(&mut outside, line);
            if !is_function(line) {
                continue;
            }
            let indent = &line[..line.len() - line.trim_start().len()];
            let mut last = line;
            while !is_last_of_signature(last, indent) {
                let Some(next) = lines.next() else { break };
                add(&mut outside, next);
                last = next;
            }
            if !last.trim_end().ends_with('{') {
                continue;
            }
            let end = format!("{indent}}}\n");
            let mut body = String::new();
            outside.push(String::new());
            for line in lines.by_ref() {
                if line == end {
                    add(&mut outside, line);
                    break;
                }
                body += line;
            }
            bodies.push(body);
        }
        Self { outside, bodies }
    }

    fn joined(&self) -> String {
        let bodies = self.bodies.iter().map(String::as_str).chain([""]);
        let parts = self.outside.iter().map(String::as_str).zip(bodies);
        parts.flat_map(|(outside, body)| [outside, body]).collect()
    }
}

fn add(parts: &mut [String], line: &str) {
    if let Some(last) = parts.last_mut() {
        *last += line;
    }
}

fn is_function(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let before = |word: &&str| !matches!(*word, "const" | "unsafe") && !word.starts_with("pub");
    words.find(before) == Some("fn")
}

/// Whether the signature of a function that begins at `indent` ends with `line`.
fn is_last_of_signature(line: &str, indent: &str) -> bool {
    let rest = line.strip_prefix(indent).unwrap_or_default();
    let ends = |mark| rest.trim_end().ends_with(mark);
    !rest.starts_with(' ') && (ends('{') || ends(';') || ends('}'))
}
