//! Who a process is: users, groups and capabilities. There is one user, root, as in a user namespace of Linux's in which
//! 0 is the only number: that one can be set, others are invalid.
use abi::Errno;

use super::{Answer, Arguments, user};
use crate::process::{current, table};

/// The version of capget(2)'s structures in use, and the older ones.
const VERSION: u32 = 0x2008_0522;
const VERSION_2: u32 = 0x2007_1026;
const VERSION_1: u32 = 0x1998_0330;

/// All 41 capabilities.
const ALL: u64 = (1 << 41) - 1;

/// Sets one of the numbers.
pub(super) fn set_one([id, ..]: Arguments) -> Answer {
    must_be_root(id)
}

/// Sets two of them; -1 stands for no change.
pub(super) fn set_two([real, effective, ..]: Arguments) -> Answer {
    may_be_root(real)?;
    may_be_root(effective)
}

/// Sets three of them; -1 stands for no change.
pub(super) fn set_three([real, effective, saved, ..]: Arguments) -> Answer {
    may_be_root(real)?;
    may_be_root(effective)?;
    may_be_root(saved)
}

/// setfsuid(2) and setfsgid(2) answer what was, whatever becomes of it.
pub(super) fn set_for_files(_: Arguments) -> Answer {
    Ok(0)
}

/// getresuid(2) and getresgid(2).
pub(super) fn get_three([real, effective, saved, ..]: Arguments) -> Answer {
    for place in [real, effective, saved] {
        user::write_bytes(place, &0u32.to_le_bytes())?;
    }
    Ok(0)
}

fn must_be_root(id: u64) -> Answer {
    if id as u32 == 0 {
        Ok(0)
    } else {
        Err(Errno::EINVAL)
    }
}

fn may_be_root(id: u64) -> Answer {
    if id as u32 == u32::MAX {
        Ok(0)
    } else {
        must_be_root(id)
    }
}

/// getgroups(2): there are no further groups.
pub(super) fn getgroups([count, ..]: Arguments) -> Answer {
    if (count as i32) < 0 {
        Err(Errno::EINVAL)
    } else {
        Ok(0)
    }
}

/// setgroups(2), which such a namespace refuses.
pub(super) fn setgroups(_: Arguments) -> Answer {
    Err(Errno::EPERM)
}

/// capget(2): root has them all, and hands none on.
pub(super) fn capget([header, data, ..]: Arguments) -> Answer {
    let [word] = user::read_words(header)?;
    let (version, pid) = (word as u32, (word >> 32) as i32);
    let words = match version {
        VERSION_1 => 1,
        VERSION_2 | VERSION => 2,
        _ => {
            user::write_bytes(header, &VERSION.to_le_bytes())?;
            return if data == 0 { Ok(0) } else { Err(Errno::EINVAL) };
        }
    };
    if data == 0 {
        return Ok(0);
    }
    let pid = u32::try_from(pid).map_err(|_| Errno::EINVAL)?;
    if pid != 0 && pid != current().pid {
        table::find(pid).ok_or(Errno::ESRCH)?;
    }
    for word in 0..words {
        let part = (ALL >> (32 * word)) as u32;
        let place = data.wrapping_add(12 * word);
        let [low, high] = [part, part].map(u32::to_le_bytes);
        user::write_bytes(place, &low)?;
        user::write_bytes(place.wrapping_add(4), &high)?;
        user::write_bytes(place.wrapping_add(8), &[0; 4])?;
    }
    Ok(0)
}
