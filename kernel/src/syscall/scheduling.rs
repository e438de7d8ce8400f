//! Scheduling as programs see it: one processor, one policy, and a nice value of 0 for all.
use alloc::sync::Arc;

use abi::Errno;
use abi::general::{
    PRIO_PGRP, PRIO_PROCESS, PRIO_USER, SCHED_BATCH, SCHED_DEADLINE, SCHED_EXT, SCHED_FIFO,
    SCHED_IDLE, SCHED_NORMAL, SCHED_RR,
};

use super::{Answer, Arguments, user};
use crate::process::{Process, current, group, table};

/// Bytes of a set of processors.
const SET: u64 = 8;

/// The first processor's set.
const FIRST: u64 = 1;

fn process(pid: u64) -> Result<Arc<Process>, Errno> {
    match pid as u32 {
        0 => Ok(current()),
        pid => table::find(pid).ok_or(Errno::ESRCH),
    }
}

/// sched_getaffinity(2): how many bytes were stored.
pub(super) fn sched_getaffinity([pid, length, set, ..]: Arguments) -> Answer {
    let length = u64::from(length as u32);
    if !length.is_multiple_of(SET) || length < SET {
        return Err(Errno::EINVAL);
    }
    process(pid)?;
    user::write_words(set, [FIRST])?;
    Ok(SET)
}

/// sched_setaffinity(2): the first processor must be among them. Bytes that are missing are zeroes.
pub(super) fn sched_setaffinity([pid, length, set, ..]: Arguments) -> Answer {
    let mut bytes = [0; SET as usize];
    let length = u64::from(length as u32).min(SET);
    user::read_bytes(set, &mut bytes[..length as usize])?;
    process(pid)?;
    if u64::from_le_bytes(bytes) & FIRST == 0 {
        return Err(Errno::EINVAL);
    }
    Ok(0)
}

/// membarrier(2), as far as it needs no other processor to take part: while programs run on one alone, all of their
/// accesses are in order whenever another thread runs.
pub(super) fn membarrier([command, flags, ..]: Arguments) -> Answer {
    const QUERY: u32 = 0;
    const GLOBAL: u32 = 1;
    match (command as u32, flags as u32) {
        (QUERY, 0) => Ok(GLOBAL.into()),
        (GLOBAL, 0) => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

/// getcpu(2).
pub(super) fn getcpu([cpu, node, ..]: Arguments) -> Answer {
    for place in [cpu, node].into_iter().filter(|&place| place != 0) {
        user::write_bytes(place, &0u32.to_le_bytes())?;
    }
    Ok(0)
}

/// sched_getscheduler(2).
pub(super) fn sched_getscheduler([pid, ..]: Arguments) -> Answer {
    check_pid(pid)?;
    process(pid)?;
    Ok(SCHED_NORMAL.into())
}

/// sched_getparam(2).
pub(super) fn sched_getparam([pid, parameter, ..]: Arguments) -> Answer {
    check_pid(pid)?;
    if parameter == 0 {
        return Err(Errno::EINVAL);
    }
    process(pid)?;
    user::write_bytes(parameter, &0u32.to_le_bytes())?;
    Ok(0)
}

fn check_pid(pid: u64) -> Result<(), Errno> {
    if (pid as i32) < 0 {
        Err(Errno::EINVAL)
    } else {
        Ok(())
    }
}

/// sched_get_priority_max(2).
pub(super) fn highest_priority([policy, ..]: Arguments) -> Answer {
    priority(policy, 99)
}

/// sched_get_priority_min(2).
pub(super) fn lowest_priority([policy, ..]: Arguments) -> Answer {
    priority(policy, 1)
}

fn priority(policy: u64, real_time: u64) -> Answer {
    match policy as u32 {
        SCHED_FIFO | SCHED_RR => Ok(real_time),
        SCHED_NORMAL | SCHED_BATCH | SCHED_IDLE | SCHED_DEADLINE | SCHED_EXT => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

/// getpriority(2): 20 minus the nice value.
pub(super) fn getpriority([kind, who, ..]: Arguments) -> Answer {
    const NICE_0: u64 = 20;
    let found = match kind as u32 {
        PRIO_PROCESS => process(who).is_ok(),
        PRIO_PGRP if who as u32 == 0 => true,
        PRIO_PGRP => group::members(who as u32).next().is_some(),
        PRIO_USER => who as u32 == 0,
        _ => return Err(Errno::EINVAL),
    };
    if found { Ok(NICE_0) } else { Err(Errno::ESRCH) }
}
