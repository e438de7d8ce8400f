//! prctl(2): what a process says of itself, and what it asks. An option that is not here answers as one that Linux was
//! built without.
use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;

use abi::Errno;
use abi::prctl::{
    PR_CAP_AMBIENT, PR_CAPBSET_DROP, PR_CAPBSET_READ, PR_GET_DUMPABLE, PR_GET_KEEPCAPS,
    PR_GET_NAME, PR_GET_NO_NEW_PRIVS, PR_GET_SECCOMP, PR_GET_SECUREBITS, PR_GET_THP_DISABLE,
    PR_GET_TIMERSLACK, PR_GET_TIMING, PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_SET_NAME,
    PR_SET_NO_NEW_PRIVS, PR_SET_SECUREBITS, PR_SET_THP_DISABLE, PR_SET_TIMERSLACK, PR_SET_TIMING,
};

use super::{Answer, Arguments, capability, user};
use crate::process::attributes::Attributes;
use crate::process::{Name, current};

/// personality(2): the only one that differs from Linux's usual one has programs lie in fixed places.
pub(super) fn personality([wanted, ..]: Arguments) -> Answer {
    const QUESTION: u32 = u32::MAX;
    const FIXED_PLACES: u32 = 0x004_0000;
    let attributes = &current().attributes;
    let before = u64::from(FIXED_PLACES) * get(&attributes.fixed_places)?;
    match wanted as u32 {
        QUESTION => {}
        0 | FIXED_PLACES => attributes.fixed_places.store(wanted as u32 != 0, Relaxed),
        _ => return Err(Errno::EINVAL),
    }
    Ok(before)
}

/// prctl(2).
pub(super) fn prctl([option, second, third, fourth, fifth, _]: Arguments) -> Answer {
    let rest = [third, fourth, fifth];
    let process = current();
    let attributes = &process.attributes;
    match option as u32 {
        PR_SET_NAME => set_name(second),
        PR_GET_NAME => user::write_bytes(second, &process.name().to_bytes()).map(|()| 0),
        PR_SET_DUMPABLE => set(&attributes.dumpable, second),
        PR_GET_DUMPABLE => get(&attributes.dumpable),
        PR_SET_NO_NEW_PRIVS if second == 1 => {
            nothing_more(rest).and_then(|_| set(&attributes.no_new_privileges, 1))
        }
        PR_GET_NO_NEW_PRIVS if second == 0 => {
            nothing_more(rest).and_then(|_| get(&attributes.no_new_privileges))
        }
        PR_SET_THP_DISABLE => {
            nothing_more(rest).and_then(|_| set(&attributes.no_huge_pages, u64::from(second != 0)))
        }
        PR_GET_THP_DISABLE if second == 0 => {
            nothing_more(rest).and_then(|_| get(&attributes.no_huge_pages))
        }
        PR_SET_TIMERSLACK => {
            attributes.set_timer_slack(second);
            Ok(0)
        }
        PR_GET_TIMERSLACK => timer_slack(attributes),
        PR_CAPBSET_READ => capability::is_in_bounds(second),
        PR_CAPBSET_DROP => capability::change(|rights| rights.drop_from_bounds(second)),
        PR_CAP_AMBIENT => capability::ambient(second, third, [fourth, fifth]),
        PR_SET_KEEPCAPS => capability::change(|rights| rights.keep_capabilities(second)),
        PR_GET_KEEPCAPS => Ok(attributes.rights().keeps_capabilities().into()),
        PR_SET_SECUREBITS => capability::change(|rights| rights.set_securebits(second)),
        PR_GET_SECUREBITS => Ok(attributes.rights().securebits().into()),
        PR_SET_TIMING if second == 0 => Ok(0),
        PR_GET_TIMING | PR_GET_SECCOMP => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

/// Options that may grow later want zeroes where they have no use for an argument.
fn nothing_more(rest: [u64; 3]) -> Answer {
    if rest == [0; 3] {
        Ok(0)
    } else {
        Err(Errno::EINVAL)
    }
}

fn set(flag: &AtomicBool, value: u64) -> Answer {
    match value {
        0 | 1 => flag.store(value == 1, Relaxed),
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

fn get(flag: &AtomicBool) -> Answer {
    Ok(flag.load(Relaxed).into())
}

/// As on Linux, what is too large to be an answer reads as an errno.
fn timer_slack(attributes: &Attributes) -> Answer {
    let slack = attributes.timer_slack.load(Relaxed);
    Errno::from_ret(slack as usize).map(|slack| slack as u64)
}

/// The name may be longer than what is kept of it, and ends with a NUL byte unless it is.
fn set_name(address: u64) -> Answer {
    let mut bytes = [0; Name::LENGTH];
    let mut length = 0;
    while length < bytes.len() {
        let place = &mut bytes[length..=length];
        user::read_bytes(address.wrapping_add(length as u64), place)?;
        if place == [0] {
            break;
        }
        length += 1;
    }
    current().set_name(Name::from_bytes(&bytes[..length]));
    Ok(0)
}
