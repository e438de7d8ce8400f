//! futex(2), and what threads have the kernel do to futexes when they end.
use abi::Errno;
use abi::general::{
    CLOCK_MONOTONIC, CLOCK_REALTIME, FUTEX_CLOCK_REALTIME, FUTEX_CMP_REQUEUE, FUTEX_PRIVATE_FLAG,
    FUTEX_REQUEUE, FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_WAKE, FUTEX_WAKE_BITSET, FUTEX_WAKE_OP,
};

use super::{Answer, Arguments, time, user};
use crate::arch::timer;
use crate::process::futex::{self, ANY, Head, Operation, Scope, Wait};
use crate::process::{current, table};

/// futex(2). Operations on locks that inherit priorities are not there.
pub(super) fn futex([address, operation, value, third, second, last]: Arguments) -> Answer {
    let operation = operation as u32;
    let command = operation & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
    let scope = if operation & FUTEX_PRIVATE_FLAG != 0 {
        Scope::Private
    } else {
        Scope::Shared
    };
    let deadline = if third != 0 && matches!(command, FUTEX_WAIT | FUTEX_WAIT_BITSET) {
        Some(deadline(operation, command, third)?)
    } else {
        None
    };
    if operation & FUTEX_CLOCK_REALTIME != 0 && command != FUTEX_WAIT_BITSET {
        return Err(Errno::ENOSYS);
    }
    let (value, third, last) = (value as u32, third as u32, last as u32);
    let wait = |mask| Wait {
        address,
        scope,
        value,
        mask,
        deadline,
    };
    let pair = || Ok::<_, Errno>([futex::find(address, scope)?, futex::find(second, scope)?]);
    match command {
        FUTEX_WAIT => wait_for(&wait(ANY)),
        FUTEX_WAIT_BITSET => wait_for(&wait(last)),
        FUTEX_WAKE => wake(address, scope, value, ANY),
        FUTEX_WAKE_BITSET => wake(address, scope, value, last),
        FUTEX_REQUEUE | FUTEX_CMP_REQUEUE => {
            let counts = [value, third];
            if counts.iter().any(|&count| (count as i32) < 0) {
                return Err(Errno::EINVAL);
            }
            let [from, to] = pair()?;
            let expected = (command == FUTEX_CMP_REQUEUE).then_some((address, last));
            futex::requeue([&from, &to], counts, expected).map(u64::from)
        }
        FUTEX_WAKE_OP => {
            let [first, other] = pair()?;
            let counts = [at_least_one(value), at_least_one(third)];
            let operation = (second, Operation::decode(last));
            futex::wake_op([&first, &other], counts, operation).map(u64::from)
        }
        _ => Err(Errno::ENOSYS),
    }
}

/// When a wait ends, in nanoseconds since boot.
fn deadline(operation: u32, command: u32, timeout: u64) -> Result<u64, Errno> {
    let time = time::duration(timeout)?;
    let clock = match operation & FUTEX_CLOCK_REALTIME {
        0 => CLOCK_MONOTONIC,
        _ => CLOCK_REALTIME,
    };
    let left = if command == FUTEX_WAIT {
        time
    } else {
        time.saturating_sub(time::clock(clock)?)
    };
    Ok(timer::nanoseconds().saturating_add(left))
}

pub(super) fn wait_for(wait: &Wait) -> Answer {
    if wait.mask == 0 {
        return Err(Errno::EINVAL);
    }
    futex::wait(wait).map(|()| 0)
}

fn wake(address: u64, scope: Scope, most: u32, mask: u32) -> Answer {
    if mask == 0 {
        return Err(Errno::EINVAL);
    }
    let word = futex::find(address, scope)?;
    Ok(futex::wake(&word, mask, at_least_one(most)).into())
}

/// As on Linux, which counts after it has woken one.
fn at_least_one(most: u32) -> u32 {
    (most as i32).max(1) as u32
}

/// set_tid_address(2).
pub(super) fn set_tid_address([address, ..]: Arguments) -> Answer {
    futex::set_tid_word(address);
    Ok(current().pid.into())
}

/// set_robust_list(2).
pub(super) fn set_robust_list([head, length, ..]: Arguments) -> Answer {
    if length != Head::LENGTH {
        return Err(Errno::EINVAL);
    }
    futex::set_robust_list(head);
    Ok(0)
}

/// get_robust_list(2).
pub(super) fn get_robust_list([pid, head, length, ..]: Arguments) -> Answer {
    let process = match pid as u32 {
        0 => current(),
        pid => table::find(pid).ok_or(Errno::ESRCH)?,
    };
    user::write_words(length, [Head::LENGTH])?;
    user::write_words(head, [futex::robust_list(&process)])?;
    Ok(0)
}
