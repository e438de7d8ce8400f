//! `pipe` and `pipe2`.
use abi::Errno;
use abi::general::{O_CLOEXEC, O_DIRECT, O_NONBLOCK};

use super::descriptor::add;
use super::{Answer, Arguments, user};
use crate::fs::pipe;
use crate::process::current;

/// pipe(2).
pub(super) fn pipe([numbers, ..]: Arguments) -> Answer {
    pipe2([numbers, 0, 0, 0, 0, 0])
}

/// pipe2(2).
pub(super) fn pipe2([numbers, flags, ..]: Arguments) -> Answer {
    let flags = flags as u32;
    if flags & !(O_CLOEXEC | O_DIRECT | O_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    let [from, to] = pipe::open(flags)?;
    let from = add(from, flags)?;
    let stored = match add(to, flags) {
        Ok(to) => store(numbers, [from, to]),
        Err(errno) => Err(errno),
    };
    stored.inspect_err(|_| close(from))
}

/// Tells ring 3 the numbers; the second is closed where that can't be.
fn store(place: u64, [from, to]: [u64; 2]) -> Answer {
    let stored = user::write_words(place, [from | to << 32]);
    stored.map(|()| 0).inspect_err(|_| close(to))
}

fn close(number: u64) {
    // Another thread may have been faster.
    let _ = current().files.close(number);
}
