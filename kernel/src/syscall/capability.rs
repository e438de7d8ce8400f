//! Reading and dropping capabilities: capget(2), capset(2), and what prctl(2) has to say of them.
use abi::Errno;
use abi::general::{
    _LINUX_CAPABILITY_VERSION_1 as VERSION_1, _LINUX_CAPABILITY_VERSION_2 as VERSION_2,
    _LINUX_CAPABILITY_VERSION_3 as VERSION,
};
use abi::prctl::{
    PR_CAP_AMBIENT_CLEAR_ALL, PR_CAP_AMBIENT_IS_SET, PR_CAP_AMBIENT_LOWER, PR_CAP_AMBIENT_RAISE,
};

use super::{Answer, Arguments, user};
use crate::process::capabilities::{Capabilities, Rights};
use crate::process::{current, table};

/// Bytes of capget(2)'s structure: 32 effective, permitted and inheritable capabilities each.
const PART: u64 = 12;

/// What a header asks for: how many parts of the sets, and whose they are.
struct Header {
    parts: u64,
    pid: i32,
}

impl Header {
    /// `None` for a version that is not known; the one that is preferred is noted there then.
    fn read(address: u64) -> Result<Option<Self>, Errno> {
        let mut version = [0; 4];
        user::read_bytes(address, &mut version)?;
        let parts = match u32::from_le_bytes(version) {
            VERSION_1 => 1,
            VERSION_2 | VERSION => 2,
            _ => {
                user::write_bytes(address, &VERSION.to_le_bytes())?;
                return Ok(None);
            }
        };
        let mut pid = [0; 4];
        user::read_bytes(address.wrapping_add(4), &mut pid)?;
        let pid = i32::from_le_bytes(pid);
        Ok(Some(Self { parts, pid }))
    }
}

/// capget(2). Who has no place for the answer only asks for the version.
pub(super) fn capget([header, data, ..]: Arguments) -> Answer {
    let header = match Header::read(header)? {
        _ if data == 0 => return Ok(0),
        header => header.ok_or(Errno::EINVAL)?,
    };
    let pid = u32::try_from(header.pid).map_err(|_| Errno::EINVAL)?;
    let process = match pid {
        0 => current(),
        pid => table::find(pid).ok_or(Errno::ESRCH)?,
    };
    let rights = process.attributes.rights();
    for part in 0..header.parts {
        let sets = [rights.effective, rights.permitted, rights.inheritable];
        for (place, set) in (0..).zip(sets) {
            let at = data.wrapping_add(PART * part + 4 * place);
            user::write_bytes(at, &((set.bits() >> (32 * part)) as u32).to_le_bytes())?;
        }
    }
    Ok(0)
}

/// capset(2), of the caller alone.
pub(super) fn capset([header, data, ..]: Arguments) -> Answer {
    let header = Header::read(header)?.ok_or(Errno::EINVAL)?;
    let process = current();
    if header.pid != 0 && header.pid as u32 != process.pid {
        return Err(Errno::EPERM);
    }
    let mut bytes = [0; 2 * PART as usize];
    user::read_bytes(data, &mut bytes[..(PART * header.parts) as usize])?;
    let mut sets = [0; 3];
    for (place, word) in bytes.chunks_exact(4).enumerate() {
        let word = word
            .iter()
            .rev()
            .fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        sets[place % 3] |= word << (place / 3 * 32);
    }
    let [effective, permitted, inheritable] = sets.map(Capabilities::from_bits);
    process.change_rights(|rights| rights.set(effective, permitted, inheritable))?;
    Ok(0)
}

/// `PR_CAPBSET_READ`.
pub(super) fn is_in_bounds(number: u64) -> Answer {
    let one = Capabilities::one(number).ok_or(Errno::EINVAL)?;
    let rights = current().attributes.rights();
    Ok(one.is_within(rights.bounding).into())
}

/// Those of prctl(2)'s options that change something.
pub(super) fn change(change: impl FnOnce(&mut Rights) -> Result<(), Errno>) -> Answer {
    current().change_rights(change).map(|()| 0)
}

/// `PR_CAP_AMBIENT`.
pub(super) fn ambient(what: u64, number: u64, rest: [u64; 2]) -> Answer {
    let what = u32::try_from(what).map_err(|_| Errno::EINVAL)?;
    if rest != [0; 2] || what == PR_CAP_AMBIENT_CLEAR_ALL && number != 0 {
        return Err(Errno::EINVAL);
    }
    let one = Capabilities::one(number).ok_or(Errno::EINVAL)?;
    match what {
        PR_CAP_AMBIENT_IS_SET => {
            let rights = current().attributes.rights();
            Ok(one.is_within(rights.ambient).into())
        }
        PR_CAP_AMBIENT_RAISE => change(|rights| rights.raise_ambient(one)),
        PR_CAP_AMBIENT_LOWER => lower_ambient(one),
        PR_CAP_AMBIENT_CLEAR_ALL => lower_ambient(Capabilities::ALL),
        _ => Err(Errno::EINVAL),
    }
}

fn lower_ambient(some: Capabilities) -> Answer {
    change(|rights| {
        rights.lower_ambient(some);
        Ok(())
    })
}
