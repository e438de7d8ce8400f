//! What is in the simulated files: bytes that follow from file and place, so that nobody has to remember them.

use crate::random::mix;

/// The word at byte `offset` (a multiple of 8) of the file numbered `file`, which is `size` bytes long. Bytes behind
/// the end are zero, as in the last page of a mapping.
pub(crate) fn word(file: usize, size: u64, offset: u64) -> u64 {
    // Never zero inside the file, so that a page that was not read can't pass for one that was.
    let whole = mix(((file as u64) << 32) | (offset / 8)) | 0x0101_0101_0101_0101;
    match size.saturating_sub(offset) {
        0 => 0,
        left @ 1..8 => whole & ((1 << (8 * left)) - 1),
        _ => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::word;

    #[test]
    fn no_byte_behind_the_end_is_anything_but_zero() {
        assert_eq!(word(1, 13, 8) >> 40, 0);
        assert_ne!(word(1, 13, 8), 0);
        assert_eq!(word(1, 13, 16), 0);
    }
}
