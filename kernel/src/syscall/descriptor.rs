//! Descriptors: `close`, `fcntl` and the `dup` family.
use alloc::sync::Arc;

use abi::Errno;
use abi::close_range::{CLOSE_RANGE_CLOEXEC, CLOSE_RANGE_UNSHARE};
use abi::general::{
    F_ADD_SEALS, F_DUPFD, F_DUPFD_CLOEXEC, F_GET_SEALS, F_GETFD, F_GETFL, F_GETLK, F_GETPIPE_SZ,
    F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_SETFD, F_SETFL, F_SETLK, F_SETLKW, F_SETPIPE_SZ,
    FD_CLOEXEC, O_CLOEXEC, O_DIRECT,
};

use super::file::any_descriptor;
use super::open::may_be_direct;
use super::{Answer, Arguments, locks, memfd};
use crate::fs::files::{Descriptor, OnExec};
use crate::fs::open::OpenFile;
use crate::process::{current, sched};

/// close(2).
pub(super) fn close([number, ..]: Arguments) -> Answer {
    current().files.close(u64::from(number as u32)).map(|()| 0)
}

/// close_range(2). No process shares its table with another: there is nothing to unshare.
pub(super) fn close_range([first, last, flags, ..]: Arguments) -> Answer {
    let (first, last, flags) = (first as u32, last as u32, flags as u32);
    if flags & !(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) != 0 || first > last {
        return Err(Errno::EINVAL);
    }
    let files = &current().files;
    for number in u64::from(first)..(u64::from(last) + 1).min(files.places() as u64) {
        // Numbers that are free are passed over.
        let _ = if flags & CLOSE_RANGE_CLOEXEC != 0 {
            files.set_on_exec(number, OnExec::Close)
        } else {
            files.close(number)
        };
        sched::breathe();
    }
    Ok(0)
}

/// fcntl(2).
pub(super) fn fcntl([number, command, argument, ..]: Arguments) -> Answer {
    let open = any_descriptor(number)?;
    let of_all = [F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL];
    if open.file.is_path() && !of_all.contains(&(command as u32)) {
        return Err(Errno::EBADF);
    }
    match command as u32 {
        F_DUPFD => duplicate(open, argument, OnExec::Keep),
        F_DUPFD_CLOEXEC => duplicate(open, argument, OnExec::Close),
        F_GETFD => Ok(if open.on_exec == OnExec::Close {
            FD_CLOEXEC.into()
        } else {
            0
        }),
        F_SETFD => {
            let on_exec = if argument as u32 & FD_CLOEXEC != 0 {
                OnExec::Close
            } else {
                OnExec::Keep
            };
            current().files.set_on_exec(number, on_exec).map(|()| 0)
        }
        F_GETFL => Ok(open.file.flags().into()),
        F_SETFL if argument as u32 & O_DIRECT != 0 && !may_be_direct(&open.file) => {
            Err(Errno::EINVAL)
        }
        F_SETFL => {
            open.file.set_flags(argument as u32);
            Ok(0)
        }
        F_ADD_SEALS => memfd::add_seals(&open.file, argument as u32),
        F_GET_SEALS => memfd::seals(&open.file),
        F_GETPIPE_SZ => Ok(open.file.kind.pipe().ok_or(Errno::EBADF)?.size()),
        F_SETPIPE_SZ => {
            let pipe = open.file.kind.pipe().ok_or(Errno::EBADF)?;
            pipe.set_size(argument as u32)
        }
        F_GETLK | F_SETLK | F_SETLKW | F_OFD_GETLK | F_OFD_SETLK | F_OFD_SETLKW => {
            locks::fcntl(&open.file, command as u32, argument)
        }
        _ => Err(Errno::EINVAL),
    }
}

/// Gives `file` the lowest free number, with what open(2)'s `flags` say of descriptors.
pub(super) fn add(file: Arc<OpenFile>, flags: u32) -> Answer {
    let on_exec = if flags & O_CLOEXEC != 0 {
        OnExec::Close
    } else {
        OnExec::Keep
    };
    let process = current();
    let numbers = 0..process.limits().files();
    let number = process.files.add(Descriptor { file, on_exec }, numbers)?;
    Ok(number as u64)
}

fn duplicate(open: Descriptor, lowest: u64, on_exec: OnExec) -> Answer {
    let process = current();
    let limit = process.limits().files();
    let lowest = usize::try_from(lowest as i32).map_err(|_| Errno::EINVAL)?;
    if lowest >= limit {
        return Err(Errno::EINVAL);
    }
    let descriptor = Descriptor { on_exec, ..open };
    let number = process.files.add(descriptor, lowest..limit)?;
    Ok(number as u64)
}

/// dup(2).
pub(super) fn dup([number, ..]: Arguments) -> Answer {
    duplicate(any_descriptor(number)?, 0, OnExec::Keep)
}

/// dup2(2).
pub(super) fn dup2([old, new, ..]: Arguments) -> Answer {
    let open = any_descriptor(old)?;
    if old as u32 != new as u32 {
        put(open, new, OnExec::Keep)?;
    }
    Ok(u64::from(new as u32))
}

/// dup3(2).
pub(super) fn dup3([old, new, flags, ..]: Arguments) -> Answer {
    if old as u32 == new as u32 || flags & !u64::from(O_CLOEXEC) != 0 {
        return Err(Errno::EINVAL);
    }
    put(
        any_descriptor(old)?,
        new,
        if flags == 0 {
            OnExec::Keep
        } else {
            OnExec::Close
        },
    )?;
    Ok(u64::from(new as u32))
}

fn put(open: Descriptor, number: u64, on_exec: OnExec) -> Result<(), Errno> {
    let number = usize::try_from(number as i32).map_err(|_| Errno::EBADF)?;
    let process = current();
    if number >= process.limits().files() {
        return Err(Errno::EBADF);
    }
    process.files.put(Descriptor { on_exec, ..open }, number)
}
