//! Memory that fills: clean pages are given back, dirty ones are written, and who writes much waits.
use super::files;
use crate::arch::memory::memory;

/// Pages given back at a time.
const ENOUGH: u64 = 64;

/// Below this part of memory nobody reads ahead, and whoever reads gives pages back.
const FEW: usize = 64;

/// Above this part of memory writers wait for dirty pages to be written.
const MANY: u64 = 10;

/// Whether so little memory is free that who reads ahead should leave it to others.
pub(super) fn is_short() -> bool {
    memory().free_frames() < memory().managed_frames() / FEW
}

/// Gives some clean pages back; false where there were none. Waits for nothing.
pub(crate) fn give_back() -> bool {
    // Who was used lately gets away with it once.
    give_back_round() || give_back_round()
}

fn give_back_round() -> bool {
    let mut left = ENOUGH;
    files::each(|file| left -= file.give_back(memory(), left));
    left < ENOUGH
}

/// Whether anything is to be written.
pub(super) fn is_any_dirty() -> bool {
    memory().dirty_pages() + memory().pages_being_written() > 0
}

/// Whether so much is dirty that writers should wait.
pub(super) fn is_too_dirty() -> bool {
    let waiting = memory().dirty_pages() + memory().pages_being_written();
    waiting > memory().managed_frames() as u64 / MANY
}
