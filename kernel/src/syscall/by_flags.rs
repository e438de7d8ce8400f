//! Transfers with a say of their own: `preadv2`, `pwritev2`.
use abi::Errno;
use abi::general::{RWF_APPEND, RWF_DSYNC, RWF_HIPRI, RWF_NOWAIT, RWF_SYNC, S_IFDIR, S_IFMT};

use super::file::{
    Direction, Open, Rules, at_position_by, readable, seekable, transfer_by, writable,
};
use super::{Answer, Arguments, vector};
use crate::fs::buffers::{Buffer, Buffers};
use crate::fs::open::Order;

/// Not to append although the file was opened so: as in Linux's `linux/fs.h`, newer than the crate that has the others.
const RWF_NOAPPEND: u32 = 0x20;

/// In the place of a position: the file's own.
const OWN: u64 = u64::MAX;

/// preadv2(2).
pub(super) fn preadv2([number, vector, count, at, _, flags]: Arguments) -> Answer {
    let open = match at {
        OWN => readable(number)?,
        at => seekable(number, at)?,
    };
    open.check_readable()?;
    transfer(&open, Direction::Read, [vector, count, at], flags as u32)
}

/// pwritev2(2).
pub(super) fn pwritev2([number, vector, count, at, _, flags]: Arguments) -> Answer {
    let open = match at {
        OWN => writable(number)?,
        at => seekable(number, at)?,
    };
    open.check_writable()?;
    transfer(&open, Direction::Write, [vector, count, at], flags as u32)
}

fn transfer(
    open: &Open,
    direction: Direction,
    [vector, count, at]: [u64; 3],
    flags: u32,
) -> Answer {
    let list = vector::reachable(vector, count)?;
    if list.iter().all(|[_, length]| *length == 0) {
        return Ok(0);
    }
    check_reach(open, at, &list)?;
    let rules = rules(open, flags)?;
    if at == OWN {
        return at_position_by(open, direction, &list, rules);
    }
    let (mut at, mut buffers) = (at, Buffers::new(&list));
    transfer_by(open, direction, &mut at, &mut buffers, rules)
}

/// A place behind all that files can have is refused before any flag is looked at.
fn check_reach(open: &Open, at: u64, list: &[Buffer]) -> Result<(), Errno> {
    let at = if at == OWN { open.position() } else { at };
    let length: u64 = list.iter().map(|[_, length]| length).sum();
    let is_stream = open.kind.order() == Order::Stream;
    if !is_stream && (at.wrapping_add(length) as i64) < 0 {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// What the flags change. To be quick is nothing more for files in memory.
fn rules(open: &Open, flags: u32) -> Result<Rules, Errno> {
    const KNOWN: u32 = RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND | RWF_NOAPPEND;
    if flags & !KNOWN != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    // Folders have no other way to be read than to be refused, and that one takes no flags.
    let is_folder = open.kind.status().mode & S_IFMT == S_IFDIR;
    if is_folder && flags & !RWF_HIPRI != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let has = |flag| flags & flag != 0;
    if has(RWF_APPEND) && has(RWF_NOAPPEND) {
        return Err(Errno::EINVAL);
    }
    // As Linux's tmpfs, files in memory don't promise never to wait.
    if has(RWF_NOWAIT) && open.kind.is_regular() {
        return Err(Errno::EOPNOTSUPP);
    }
    let own = Rules::of(open);
    Ok(Rules {
        does_wait: own.does_wait && !has(RWF_NOWAIT),
        appends: (own.appends || has(RWF_APPEND)) && !has(RWF_NOAPPEND),
        syncs: own.syncs || has(RWF_DSYNC) || has(RWF_SYNC),
    })
}
