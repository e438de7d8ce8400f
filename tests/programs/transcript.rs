//! Says where two transcripts part, in the form that everybody reads: `-` is Linux, `+` is Faultline.

use std::fmt::Write;

/// Lines that agree and are shown around the difference.
const CONTEXT: usize = 3;

/// More lines than this of either side help nobody.
const SHOWN: usize = 30;

/// The first stretch in which the transcripts differ, or `None` where they are equal byte for byte.
pub fn difference(linux: &[u8], faultline: &[u8]) -> Option<String> {
    if linux == faultline {
        return None;
    }
    let (left, right) = (lines(linux), lines(faultline));
    let alike = left
        .iter()
        .zip(&right)
        .take_while(|(one, other)| one == other)
        .count();
    let rest = left.len().min(right.len()) - alike;
    let pairs = left.iter().rev().zip(right.iter().rev());
    let alike_behind = pairs
        .take_while(|(one, other)| one == other)
        .count()
        .min(rest);
    let mut text = format!("the transcripts differ from line {} on:\n", alike + 1);
    append(&mut text, ' ', &left[alike.saturating_sub(CONTEXT)..alike]);
    append(&mut text, '-', &left[alike..left.len() - alike_behind]);
    append(&mut text, '+', &right[alike..right.len() - alike_behind]);
    append(
        &mut text,
        ' ',
        &left[left.len() - alike_behind..][..alike_behind.min(CONTEXT)],
    );
    Some(text)
}

/// Lines with whatever ends them, so that a missing newline or a stray carriage return is a difference that shows.
fn lines(bytes: &[u8]) -> Vec<String> {
    let pieces = bytes.split_inclusive(|byte| *byte == b'\n');
    pieces
        .map(|line| {
            line.strip_suffix(b"\n").map_or_else(
                || format!("{} (no newline)", line.escape_ascii()),
                |line| line.escape_ascii().to_string(),
            )
        })
        .collect()
}

fn append(text: &mut String, sign: char, lines: &[String]) {
    for line in &lines[..lines.len().min(SHOWN)] {
        let _ = writeln!(text, "{sign} {line}");
    }
    if lines.len() > SHOWN {
        let _ = writeln!(text, "{sign} ... and {} more lines", lines.len() - SHOWN);
    }
}
