//! Locks of files: `flock`, and the part of `fcntl` that is about them.
use core::ops::Range;

use abi::Errno;
use abi::general::{
    F_GETLK, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_RDLCK, F_SETLKW, F_UNLCK, F_WRLCK, LOCK_EX,
    LOCK_MAND, LOCK_NB, LOCK_SH, LOCK_UN, O_PATH, SEEK_CUR, SEEK_END, SEEK_SET,
};

use super::file::any_descriptor;
use super::{Answer, Arguments, user};
use crate::fs::locks::table::{Family, Hold, Lock, Owner};
use crate::fs::locks::{self, Patience};
use crate::fs::open::OpenFile;
use crate::process::current;

/// Behind the last byte that can be locked.
const END: u64 = 1 << 63;

/// flock(2).
pub(super) fn flock([number, operation, ..]: Arguments) -> Answer {
    let operation = operation as u32;
    if operation & LOCK_MAND != 0 {
        // Taken and forgotten, as Linux does it.
        return Ok(0);
    }
    let hold = match operation & !LOCK_NB {
        LOCK_SH => Some(Hold::Read),
        LOCK_EX => Some(Hold::Write),
        LOCK_UN => None,
        _ => return Err(Errno::EINVAL),
    };
    let open = any_descriptor(number)?.file;
    let is_of_use = open.check_readable().is_ok() || open.check_writable().is_ok();
    if open.flags() & O_PATH != 0 || hold.is_some() && !is_of_use {
        return Err(Errno::EBADF);
    }
    let lock = Lock {
        file: locks::file_of(&open),
        family: Family::Whole,
        owner: open.as_owner()?,
        bytes: 0..END,
        hold: hold.unwrap_or(Hold::Read),
    };
    let patience = match operation & LOCK_NB {
        0 => Patience::Wait,
        _ => Patience::Refuse,
    };
    match hold {
        Some(_) => locks::take(&lock, patience)?,
        None => locks::give_up(&lock)?,
    }
    Ok(0)
}

/// A `struct flock`.
struct Request {
    /// `None` for F_UNLCK.
    hold: Option<Hold>,
    bytes: Range<u64>,
    words: [u64; 4],
}

/// F_GETLK, F_SETLK, F_SETLKW and their kin for open files.
pub(super) fn fcntl(open: &OpenFile, command: u32, argument: u64) -> Answer {
    let request = parse(open, user::read_words(argument)?)?;
    let of_description = [F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW].contains(&command);
    let does_ask = [F_GETLK, F_OFD_GETLK].contains(&command);
    if !does_ask {
        check_access(open, request.hold)?;
    }
    if of_description && request.words[3] as u32 != 0 {
        return Err(Errno::EINVAL);
    }
    let lock = Lock {
        file: locks::file_of(open),
        family: Family::Range,
        owner: if of_description {
            open.as_owner()?
        } else {
            current().files.as_owner(current().pid)
        },
        bytes: request.bytes.clone(),
        hold: request.hold.unwrap_or(Hold::Read),
    };
    let patience = match command {
        F_GETLK if request.hold.is_none() => return Err(Errno::EINVAL),
        F_GETLK | F_OFD_GETLK => return ask(&lock, &request, argument),
        F_SETLKW | F_OFD_SETLKW => Patience::Wait,
        _ => Patience::Refuse,
    };
    match request.hold {
        Some(_) => locks::take(&lock, patience)?,
        None => locks::give_up(&lock)?,
    }
    Ok(0)
}

fn check_access(open: &OpenFile, hold: Option<Hold>) -> Result<(), Errno> {
    match hold {
        Some(Hold::Read) => open.check_readable(),
        Some(Hold::Write) => open.check_writable(),
        None => Ok(()),
    }
}

/// Says which lock is in the way; where it asks to unlock, which of its own there are.
fn ask(lock: &Lock, request: &Request, place: u64) -> Answer {
    let mut words = request.words;
    let found = match request.hold {
        Some(_) => locks::conflict(lock),
        None => locks::own(lock),
    };
    match found {
        None => words[0] = words[0] & !0xffff | u64::from(F_UNLCK),
        Some(other) => describe(&other, &mut words),
    }
    user::write_words(place, words)?;
    Ok(0)
}

/// Writes `lock` into a `struct flock`.
fn describe(lock: &Lock, words: &mut [u64; 4]) {
    let kind = match lock.hold {
        Hold::Read => F_RDLCK,
        Hold::Write => F_WRLCK,
    };
    let pid = match lock.owner {
        Owner::Process(pid) => pid,
        Owner::Description(_) => u32::MAX,
    };
    words[0] = words[0] & !0xffff_ffff | u64::from(kind) | u64::from(SEEK_SET) << 16;
    words[1] = lock.bytes.start;
    words[2] = match lock.bytes.end {
        END => 0,
        end => end - lock.bytes.start,
    };
    words[3] = words[3] & !0xffff_ffff | u64::from(pid);
}

fn parse(open: &OpenFile, words: [u64; 4]) -> Result<Request, Errno> {
    let (kind, whence) = (words[0] as u16, (words[0] >> 16) as u16);
    let base = match u32::from(whence) {
        SEEK_SET => 0,
        SEEK_CUR => open.position(),
        SEEK_END => open.kind.status().size,
        _ => return Err(Errno::EINVAL),
    };
    let bytes = bytes(base, words[1] as i64, words[2] as i64)?;
    let hold = match u32::from(kind) {
        F_RDLCK => Some(Hold::Read),
        F_WRLCK => Some(Hold::Write),
        F_UNLCK => None,
        _ => return Err(Errno::EINVAL),
    };
    Ok(Request { hold, bytes, words })
}

/// The bytes from `start` behind `base` on: up to the end of all files for a length of 0, backwards for a negative one.
fn bytes(base: u64, start: i64, length: i64) -> Result<Range<u64>, Errno> {
    let start = (base as i64).checked_add(start).ok_or(Errno::EOVERFLOW)?;
    if start < 0 {
        return Err(Errno::EINVAL);
    }
    let (first, behind) = match length {
        0 => (start, None),
        1.. => {
            let last = start.checked_add(length - 1).ok_or(Errno::EOVERFLOW)?;
            (start, Some(last as u64 + 1))
        }
        _ => (start + length, Some(start as u64)),
    };
    let first = u64::try_from(first).map_err(|_| Errno::EINVAL)?;
    Ok(first..behind.unwrap_or(END))
}
