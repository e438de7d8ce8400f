//! What is on a disk that tests made: each eight bytes are their own number, scrambled.

/// Word `number` of the disk.
#[must_use]
pub fn content(number: u64) -> u64 {
    number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The word at byte `at`, which begins one.
#[must_use]
pub fn word_at(at: usize) -> u64 {
    content(at as u64 / 8)
}

/// The first of `bytes`, which are those from `at` on, that is not what was written.
#[must_use]
pub fn differs(bytes: &[u8], at: usize) -> Option<usize> {
    let is_wrong = |(place, byte): (usize, &u8)| {
        let place = at + place;
        word_at(place).to_le_bytes()[place % 8] != *byte
    };
    bytes.iter().enumerate().position(is_wrong)
}
