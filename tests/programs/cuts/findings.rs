//! What e2fsck may find on a volume after a cut: exactly what plain ext2, which has no journal, leaves behind.
//!
//! All of this is of steps that nobody was promised yet, and e2fsck puts it in order without loss of anything that was
//! promised. Whatever is not in this list is a failure: two files that share a block, pointers to where no block of a file
//! can be, folders whose entries are not entries, inodes that are none.

use anyhow::{Result, bail};

/// Beginnings of e2fsck's sentences, `#` being any number, and `~` anything.
const ALLOWED: &[&str] = &[
    // Nobody left the volume.
    "~ was not cleanly unmounted, check forced",
    // What is free is worked out anew.
    "Block bitmap differences: ",
    "Inode bitmap differences: ",
    "Free blocks count wrong",
    "Free inodes count wrong",
    "Directories count wrong",
    // A file that was being made, cut or removed, whose counts are not yet those of its blocks.
    "Inode #, i_blocks is ",
    "Inode #, i_size is ",
    "Deleted inode # has zero dtime.",
    // A name came or went, and the inode not yet, or the other way round.
    "Entry '~ has deleted/unused inode #.",
    "Entry '~ has an incorrect filetype",
    "Unattached inode #",
    "Unattached zero-length inode #",
    "Unconnected directory inode # (was in ",
    "'..' in ~ (#) is ~ (#), should be ~ (#).",
    "Inode # ref count is #, should be #.",
    // What is said around these sentences.
    "e2fsck #",
    "Pass #: ",
    "Fix? no",
    "Clear? no",
    "Connect to /lost+found? no",
    "~: ********** WARNING: Filesystem still has errors",
    "~ files (#.#% non-contiguous), ",
];

/// Whether a line is one that begins as `pattern` says.
fn matches(line: &str, pattern: &str) -> bool {
    let mut rest = line;
    for (index, part) in pattern.split('~').enumerate() {
        let place = match index {
            0 => rest.starts_with(part).then_some(0),
            _ => rest.find(part),
        };
        let Some(place) = place else { return false };
        rest = &rest[place + part.len()..];
    }
    true
}

/// With each number as `#`.
fn without_numbers(line: &str) -> String {
    let mut short = String::new();
    for letter in line.chars() {
        match letter {
            '0'..='9' if short.ends_with('#') => {}
            '0'..='9' => short.push('#'),
            letter => short.push(letter),
        }
    }
    short
}

/// Fails where e2fsck found what may not be.
pub(crate) fn judge(said: &str) -> Result<()> {
    let is_allowed = |line: &&str| {
        let line = without_numbers(line.trim());
        line.is_empty() || ALLOWED.iter().any(|pattern| matches(&line, pattern))
    };
    match said.lines().find(|line| !is_allowed(line)) {
        Some(line) => bail!("e2fsck finds what ext2 never leaves behind: {line}\n{said}"),
        None => Ok(()),
    }
}
