//! Reading and setting resource limits, see getrlimit(2).
use abi::Errno;
use abi::general::{CAP_SYS_RESOURCE, RLIMIT_NOFILE};

use super::{Answer, Arguments, user};
use crate::process::limits::{Limit, Raise};
use crate::process::{Process, current, table};

/// The most descriptors that may ever be allowed: Linux's default `fs.nr_open`.
const MOST_FILES: u64 = 1 << 20;

fn get(process: &Process, resource: u32) -> Result<[u64; 2], Errno> {
    let limit = process.limits().get(resource).ok_or(Errno::EINVAL)?;
    Ok([limit.soft, limit.hard])
}

/// Sets a limit and returns what it was.
fn set(process: &Process, resource: u32, [soft, hard]: [u64; 2]) -> Result<[u64; 2], Errno> {
    get(process, resource)?;
    if soft > hard {
        return Err(Errno::EINVAL);
    }
    if resource == RLIMIT_NOFILE && hard > MOST_FILES {
        return Err(Errno::EPERM);
    }
    let raise = if current().may(CAP_SYS_RESOURCE) {
        Raise::Allowed
    } else {
        Raise::Refused
    };
    let before = process.set_limit(resource, Limit { soft, hard }, raise)?;
    Ok([before.soft, before.hard])
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
    let before = match new {
        Some(limit) => set(&process, resource as u32, limit)?,
        None => get(&process, resource as u32)?,
    };
    if old != 0 {
        user::write_words(old, before)?;
    }
    Ok(0)
}
