//! Memory that fills: clean pages are given back, dirty ones are written, and who writes much waits.
use core::ops::ControlFlow;

use super::files::{self, Key};
use crate::arch::memory::memory;
use crate::lock::{IrqLock, Rank};

/// Pages given back at a time.
const ENOUGH: u64 = 64;

/// Below this part of memory nobody reads ahead, and whoever reads gives pages back until twice as much is free.
const FEW: usize = 64;

/// Above this part of memory writers wait for dirty pages to be written.
const MANY: u64 = 10;

/// The file that gave pages back last: it is the next one's turn when it has given what it can.
static HAND: IrqLock<Key> = IrqLock::new(Rank::Files, (0, 0));

/// Whether so little memory is free that who reads ahead should leave it to others.
pub(super) fn is_short() -> bool {
    memory().free_frames() < memory().managed_frames() / FEW
}

/// Has clean pages give way to `pages` that are about to be read, where memory would be short with those.
pub(super) fn make_room(pages: usize) {
    let few = memory().managed_frames() / FEW;
    if memory().free_frames() > few + 2 * pages {
        return;
    }
    let enough = 2 * (few + pages);
    while memory().free_frames() < enough && give_back() {}
}

/// Gives some clean pages back; false where there were none. Waits for nothing.
pub(crate) fn give_back() -> bool {
    // Who was used lately gets away with it once.
    go_round() || go_round()
}

/// Asks each file once, from where the last round ended; true where that gave something back.
fn go_round() -> bool {
    let start = *HAND.lock();
    let mut left = ENOUGH;
    let mut ask = |from| {
        files::each_from(from, |key, file| {
            left -= file.give_back(memory(), left);
            *HAND.lock() = key;
            if left == 0 {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        left
    };
    if ask(start) > 0 {
        ask((0, 0));
    }
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
