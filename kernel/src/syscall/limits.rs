//! Resource limits, see getrlimit(2): those of memory are kept with the space, which enforces them.
use abi::Errno;
use abi::general::{
    RLIMIT_AS, RLIMIT_CORE, RLIMIT_DATA, RLIMIT_MEMLOCK, RLIMIT_NOFILE, RLIMIT_STACK,
};
use mm::space::Limits;

use super::{Answer, Arguments, user};
use crate::process::{Process, current, table};

const UNLIMITED: u64 = u64::MAX;

/// How many resources have a limit.
const RESOURCES: u32 = 16;

/// The limit that now holds for `resource`, and the highest to which it may be raised.
fn get(process: &Process, resource: u32) -> Result<[u64; 2], Errno> {
    let limits = process
        .space()
        .map_or(Limits::default(), |space| space.read().limits);
    match resource {
        RLIMIT_AS => Ok([limits.address_space, UNLIMITED]),
        RLIMIT_DATA => Ok([limits.data, UNLIMITED]),
        RLIMIT_STACK => Ok([limits.stack, UNLIMITED]),
        RLIMIT_CORE => Ok([0, UNLIMITED]),
        RLIMIT_NOFILE => Ok([1024, 1024]),
        RLIMIT_MEMLOCK => Ok([8 << 20, 8 << 20]),
        resource if resource < RESOURCES => Ok([UNLIMITED, UNLIMITED]),
        _ => Err(Errno::EINVAL),
    }
}

fn set(process: &Process, resource: u32, [soft, hard]: [u64; 2]) -> Result<(), Errno> {
    if soft > hard || resource >= RESOURCES {
        return Err(Errno::EINVAL);
    }
    let space = process.space().ok_or(Errno::ESRCH)?;
    let limits = &mut space.write().limits;
    match resource {
        RLIMIT_AS => limits.address_space = soft,
        RLIMIT_DATA => limits.data = soft,
        RLIMIT_STACK => limits.stack = soft,
        // The others limit what can't be had here, or are fixed.
        _ => {}
    }
    Ok(())
}

/// getrlimit(2).
pub(super) fn getrlimit([resource, limit, ..]: Arguments) -> Answer {
    user::write_words(limit, get(&current(), resource as u32)?)?;
    Ok(0)
}

/// setrlimit(2).
pub(super) fn setrlimit([resource, limit, ..]: Arguments) -> Answer {
    let limit = user::read_words(limit)?;
    set(&current(), resource as u32, limit)?;
    Ok(0)
}

/// prlimit(2).
pub(super) fn prlimit64([pid, resource, new, old, ..]: Arguments) -> Answer {
    let new = if new == 0 {
        None
    } else {
        Some(user::read_words(new)?)
    };
    let process = if pid as i32 == 0 {
        current()
    } else {
        table::find(pid as u32).ok_or(Errno::ESRCH)?
    };
    let before = get(&process, resource as u32)?;
    if let Some(limit) = new {
        set(&process, resource as u32, limit)?;
    }
    if old != 0 {
        user::write_words(old, before)?;
    }
    Ok(0)
}
