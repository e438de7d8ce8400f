//! Bitmaps: a bit for each block or inode of a group, set while it is taken. The first is the lowest bit of byte 0.
use core::ops::Range;

fn is_set(bits: &[u8], at: u64) -> bool {
    let byte = usize::try_from(at / 8).ok().and_then(|byte| bits.get(byte));
    // What is outside is nobody's to take.
    byte.is_none_or(|byte| byte & 1 << (at % 8) != 0)
}

/// The first clear bit of `among`.
pub(crate) fn first_clear(bits: &[u8], among: Range<u64>) -> Option<u64> {
    let mut at = among.start;
    while at < among.end {
        if at.is_multiple_of(8) && bits.get((at / 8) as usize) == Some(&0xff) {
            at += 8;
        } else if is_set(bits, at) {
            at += 1;
        } else {
            return Some(at);
        }
    }
    None
}

/// The first eight of `among` that are all clear and share a byte: room to grow into.
fn first_clear_byte(bits: &[u8], among: Range<u64>) -> Option<u64> {
    let bytes = among.start.div_ceil(8)..among.end / 8;
    let found = bytes
        .into_iter()
        .find(|&byte| bits.get(byte as usize) == Some(&0));
    found.map(|byte| byte * 8)
}

/// Clear bits to take, at most `want` side by side: at `goal` if that is clear, else in some room behind it, else
/// wherever one is. There are `count` bits.
pub(crate) fn search(bits: &[u8], goal: u64, count: u64, want: u64) -> Option<Range<u64>> {
    let goal = goal.min(count);
    let at_goal = (goal < count && !is_set(bits, goal)).then_some(goal);
    let start = at_goal
        .or_else(|| first_clear_byte(bits, goal..count))
        .or_else(|| first_clear(bits, goal..count))
        .or_else(|| first_clear(bits, 0..goal))?;
    let most = start.saturating_add(want).min(count);
    let end = (start..most).find(|&at| is_set(bits, at));
    Some(start..end.unwrap_or(most))
}

/// Sets `which`.
pub(crate) fn set(bits: &mut [u8], which: Range<u64>) {
    for at in which {
        if let Some(byte) = bits.get_mut((at / 8) as usize) {
            *byte |= 1 << (at % 8);
        }
    }
}

/// Clears `which`, and returns how many of them were set.
pub(crate) fn clear(bits: &mut [u8], which: Range<u64>) -> u64 {
    let mut cleared = 0;
    for at in which {
        if let Some(byte) = bits.get_mut((at / 8) as usize) {
            cleared += u64::from(*byte >> (at % 8) & 1);
            *byte &= !(1 << (at % 8));
        }
    }
    cleared
}

#[cfg(test)]
mod tests {
    use super::{clear, search, set};

    /// The bits that a line draws: `x` is taken.
    fn bits(line: &str) -> [u8; 4] {
        let mut bits = [0; 4];
        for (at, _) in (0..).zip(line.chars()).filter(|(_, letter)| *letter == 'x') {
            set(&mut bits, at..at + 1);
        }
        bits
    }

    /// Where `want` bits from the `^` on are found, drawn with dashes.
    #[track_caller]
    fn check(taken: &str, goal: &str, want: u64, found: &str) {
        let goal = goal.find('^').expect("a goal is drawn") as u64;
        let at = search(&bits(taken), goal, taken.len() as u64, want);
        let drawn = found.find('-').map(|start| {
            let end = found.rfind('-').unwrap_or(start) + 1;
            start as u64..end as u64
        });
        assert_eq!(at, drawn);
    }

    #[test]
    fn a_goal_that_is_taken_moves_to_room_behind_it() {
        check(
            "xxxx............",
            "    ^           ",
            3,
            "    ---         ",
        );
        check(
            "xxxx..xx........",
            "    ^           ",
            9,
            "    --          ",
        );
        check(
            "xxxx..xx........",
            "  ^             ",
            4,
            "        ----    ",
        );
        check(
            "xxxx.xxx.x......",
            "  ^             ",
            4,
            "    -           ",
        );
        check(
            ".xxxxxxxxxxxxxxx",
            "  ^             ",
            4,
            "-               ",
        );
        check("xxxxxxxxxxxxxxxx", "  ^             ", 4, "");
    }

    #[test]
    fn nothing_is_found_behind_the_last_bit() {
        check("xxxxxxxxxx", "         ^", 4, "");
        check("xxxxxxxxx.", "         ^", 4, "         -");
        check("xxxxxxxxxx.", "               ^", 1, "          -");
    }

    #[test]
    fn what_is_freed_twice_is_seen() {
        let mut bits = bits("xxxx....");
        assert_eq!(clear(&mut bits, 2..6), 2);
        assert_eq!(bits, self::bits("xx......"));
    }
}
