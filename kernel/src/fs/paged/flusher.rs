//! The thread that writes back: what has been dirty for five seconds, and at once all of it where somebody waits for that.
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use abi::Errno;

use super::{files, of, pressure, writeback};
use crate::arch::timer;
use crate::block;
use crate::fs::ext2;
use crate::process::{kthread, signal, waiting};

/// How often it looks, how long a page may stay dirty, and how often those look who wait for it, in nanoseconds.
const PERIOD: u64 = 1_000_000_000;
const AGE: u64 = 5_000_000_000;
const LOOK: u64 = 100_000_000;

/// Somebody waits for all that is dirty to be written.
static IS_AWAITED: AtomicBool = AtomicBool::new(false);

/// How often it has gone round.
static ROUNDS: AtomicU64 = AtomicU64::new(0);

/// Starts it, if there is a disk. Call once, before the first process.
pub(crate) fn start() -> Result<(), Errno> {
    if block::drives().is_empty() {
        return Ok(());
    }
    writeback::init()?;
    kthread::start(b"flusher", run)
}

fn run() -> ! {
    loop {
        let is_awaited = IS_AWAITED.swap(false, SeqCst);
        go_round(if is_awaited { 0 } else { AGE });
        ROUNDS.fetch_add(1, SeqCst);
        waiting::wake(key(&ROUNDS));
        let deadline = timer::nanoseconds() + PERIOD;
        waiting::wait(key(&IS_AWAITED), Some(deadline), || IS_AWAITED.load(SeqCst));
    }
}

/// What those wait for who wait for a change of `thing`.
fn key<T>(thing: &'static T) -> usize {
    core::ptr::from_ref(thing).addr()
}

/// Writes what has been dirty for `age` nanoseconds.
fn go_round(age: u64) {
    let now = timer::nanoseconds();
    files::each(|file| {
        let Some(paged) = of(file) else { return };
        let since = paged.note_dirty(file, now);
        if since.is_some_and(|since| now.saturating_sub(since) >= age) {
            paged.begin_writing(file, &(0..u64::MAX));
        }
    });
    files::collect();
    ext2::finish_left_over();
}

fn wake() {
    IS_AWAITED.store(true, SeqCst);
    waiting::wake(key(&IS_AWAITED));
}

/// Waits while too much is dirty: for those who make more so, and hold nothing that a file's owner may want. `EINTR` where
/// the process has to end first.
pub(crate) fn balance() -> Result<(), Errno> {
    while pressure::is_too_dirty() {
        wake();
        let deadline = Some(timer::nanoseconds() + LOOK);
        waiting::wait(key(&ROUNDS), deadline, || !pressure::is_too_dirty());
        if signal::is_dying() {
            return Err(Errno::EINTR);
        }
    }
    Ok(())
}

/// Has all that is dirty written, for somebody who needs memory; false where nothing is. The same holds for him.
pub(crate) fn write_all() -> bool {
    if !pressure::is_any_dirty() {
        return false;
    }
    // The round that is under way may have passed by.
    let end = ROUNDS.load(SeqCst) + 2;
    while ROUNDS.load(SeqCst) < end && pressure::is_any_dirty() && !signal::is_dying() {
        wake();
        let deadline = Some(timer::nanoseconds() + LOOK);
        waiting::wait(key(&ROUNDS), deadline, || ROUNDS.load(SeqCst) >= end);
    }
    true
}
