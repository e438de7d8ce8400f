//! Who a process is: users and groups. There is one user, root, as in a user namespace of Linux's in which 0 is the only
//! number: that one can be set, others are invalid. (`capability.rs` has what root may do.)
use abi::Errno;

use super::{Answer, Arguments, user};

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
