//! `select` and `pselect6`: the questions of `poll`, asked by sets of descriptors.
use abi::Errno;
use abi::general::{
    POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDBAND, POLLRDNORM, POLLWRBAND, POLLWRNORM,
};

use super::poll::{self, Look};
use super::{Answer, Arguments, user};
use crate::arch::timer;
use crate::process::current;

/// What puts a descriptor into the sets: to read, to write, exceptions.
const MEANINGS: [u32; 3] = [
    POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR,
    POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR,
    POLLPRI,
];

/// Words of the largest sets: as many descriptors as C's `fd_set` has room for.
const WORDS: usize = 16;

/// Bits of a word.
const BITS: usize = 64;

/// The three sets.
type Sets = [[u64; WORDS]; 3];

/// select(2).
pub(super) fn select([count, read, write, exceptions, timeout, _]: Arguments) -> Answer {
    let deadline = deadline(timeout)?;
    let answer = wait_for(count, [read, write, exceptions], deadline);
    if let Some(deadline) = deadline
        && user::read_words(timeout).is_ok_and(|words| words != [0, 0])
    {
        let left = deadline.saturating_sub(timer::nanoseconds()) / 1000;
        // Linux doesn't mind if that can't be written.
        let _ = user::write_words(timeout, [left / 1_000_000, left % 1_000_000]);
    }
    answer
}

/// pselect6(2): the mask's address and size stand in memory, for want of a seventh argument.
pub(super) fn pselect6([count, read, write, exceptions, timeout, mask]: Arguments) -> Answer {
    let [mask, size] = if mask == 0 {
        [0, 0]
    } else {
        user::read_words(mask)?
    };
    let deadline = poll::deadline(timeout)?;
    let answer = poll::with_mask(mask, size, || {
        wait_for(count, [read, write, exceptions], deadline)
    });
    poll::tell_rest(timeout, deadline);
    answer
}

/// When the `struct timeval` at `timeout` will have passed. Microseconds may be more than a second.
fn deadline(timeout: u64) -> Result<Option<u64>, Errno> {
    if timeout == 0 {
        return Ok(None);
    }
    let [seconds, micros] = user::read_words(timeout)?;
    let seconds = (seconds as i64).wrapping_add(micros as i64 / 1_000_000);
    let (Ok(seconds), Ok(nanos)) = (
        u64::try_from(seconds),
        u64::try_from(micros as i64 % 1_000_000 * 1000),
    ) else {
        return Err(Errno::EINVAL);
    };
    let duration = seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
    Ok(Some(timer::nanoseconds().saturating_add(duration)))
}

fn wait_for(count: u64, places: [u64; 3], deadline: Option<u64>) -> Answer {
    let count = usize::try_from(count as i32).map_err(|_| Errno::EINVAL)?;
    // Descriptors beyond the table's end are nobody's.
    let room = current().files.places().max(1).next_multiple_of(BITS);
    let words = count.min(room).min(WORDS * BITS).div_ceil(BITS);
    let mut wanted = Sets::default();
    for (set, place) in wanted.iter_mut().zip(places) {
        read_set(&mut set[..words], place)?;
        cut(set, count);
    }
    let mut found = Sets::default();
    let mut closed = false;
    let answer = poll::wait(deadline, || {
        found = Sets::default();
        let look = look_at(&wanted, &mut found);
        closed |= look.is_none();
        // Whoever asks about what is closed doesn't wait.
        look.unwrap_or(Look {
            found: 1,
            has_device: false,
        })
    });
    if closed {
        return Err(Errno::EBADF);
    }
    if answer.is_ok() {
        for (set, place) in found.iter().zip(places) {
            write_set(&set[..words], place)?;
        }
    }
    answer
}

fn read_set(set: &mut [u64], place: u64) -> Result<(), Errno> {
    if place == 0 {
        return Ok(());
    }
    for (index, word) in (0..).zip(set) {
        [*word] = user::read_words(place.wrapping_add(8 * index))?;
    }
    Ok(())
}

fn write_set(set: &[u64], place: u64) -> Result<(), Errno> {
    if place == 0 {
        return Ok(());
    }
    for (index, &word) in (0..).zip(set) {
        user::write_words(place.wrapping_add(8 * index), [word])?;
    }
    Ok(())
}

/// Forgets what is in the set from descriptor `count` on.
fn cut(set: &mut [u64; WORDS], count: usize) {
    for (index, word) in set.iter_mut().enumerate() {
        let kept = count.saturating_sub(index * BITS);
        if kept < BITS {
            *word &= (1 << kept) - 1;
        }
    }
}

/// What of `wanted` is there; `None` where a descriptor is closed.
fn look_at(wanted: &Sets, found: &mut Sets) -> Option<Look> {
    let mut look = Look::default();
    for number in 0..WORDS * BITS {
        let (word, bit) = (number / BITS, 1 << (number % BITS));
        if !wanted.iter().any(|set| set[word] & bit != 0) {
            continue;
        }
        let ready = look.at(number as u64)?;
        for ((wanted, found), meaning) in wanted.iter().zip(found.iter_mut()).zip(MEANINGS) {
            if wanted[word] & bit != 0 && ready & meaning != 0 {
                found[word] |= bit;
                look.found += 1;
            }
        }
    }
    Some(look)
}
