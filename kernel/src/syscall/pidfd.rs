//! Descriptors of processes: opening them, and signals through them.
use alloc::sync::Arc;

use abi::Errno;
use abi::general::{
    O_CLOEXEC, O_EXCL, O_NONBLOCK, O_RDWR, PIDFD_SELF_THREAD, PIDFD_SELF_THREAD_GROUP, SI_TKILL,
    SI_USER,
};

use super::descriptor::add;
use super::signal::read_info;
use super::{Answer, Arguments, file};
use crate::fs::open::OpenFile;
use crate::fs::pidfd::Pidfd;
use crate::process::signal::{self, Info, SIGNALS};
use crate::process::table::{self, Presence};
use crate::process::{Process, current};

/// To whom a signal goes: the thread, the process, or its whole group.
const TO_THREAD: u32 = 1;
const TO_PROCESS: u32 = 2;
const TO_GROUP: u32 = 4;

/// pidfd_open(2).
pub(super) fn pidfd_open([pid, flags, ..]: Arguments) -> Answer {
    const NONBLOCK: u32 = O_NONBLOCK;
    const THREAD: u32 = O_EXCL;
    let flags = flags as u32;
    if flags & !(NONBLOCK | THREAD) != 0 || pid as i32 <= 0 {
        return Err(Errno::EINVAL);
    }
    let process = table::find(pid as u32).ok_or(Errno::ESRCH)?;
    let open = OpenFile::try_new(Pidfd(process), O_RDWR | flags);
    add(open.map_err(|_| Errno::ENOMEM)?, O_CLOEXEC)
}

/// The process that descriptor `number` means, and the descriptor's file if there is one.
pub(super) fn process(number: u64) -> Result<Arc<Process>, Errno> {
    if [PIDFD_SELF_THREAD, PIDFD_SELF_THREAD_GROUP].contains(&(number as i32)) {
        return Ok(current());
    }
    let open = file::descriptor(number)?.file;
    open.kind.process().cloned().ok_or(Errno::EBADF)
}

/// The number of the process that descriptor `number` means, for waitid(2), and whether nobody waits for it. One that is
/// forgotten has none: 0.
pub(super) fn waited_for(number: u64) -> Result<(u32, bool), Errno> {
    let open = file::descriptor(number)?.file;
    let process = open.kind.process().ok_or(Errno::EBADF)?;
    let pid = match table::presence(process) {
        Presence::Forgotten => 0,
        Presence::Alive | Presence::Ended => process.pid,
    };
    Ok((pid, open.is_nonblocking()))
}

/// pidfd_send_signal(2).
pub(super) fn pidfd_send_signal([number, wanted, info, flags, ..]: Arguments) -> Answer {
    let (wanted, flags) = (wanted as u32, flags as u32);
    if flags & !(TO_THREAD | TO_PROCESS | TO_GROUP) != 0 || flags.count_ones() > 1 {
        return Err(Errno::EINVAL);
    }
    let target = process(number)?;
    let info = if info == 0 {
        let code = if flags == TO_THREAD {
            SI_TKILL
        } else {
            SI_USER as i32
        };
        Info::of_process(wanted, code, current().pid)
    } else {
        forged(info, wanted, &target, flags)?
    };
    if table::presence(&target) == Presence::Forgotten {
        return Err(Errno::ESRCH);
    }
    if flags == TO_GROUP {
        signal::kill_group(target.pid, wanted)?;
        return Ok(0);
    }
    if wanted > SIGNALS {
        return Err(Errno::EINVAL);
    }
    match flags {
        _ if wanted == 0 => {}
        TO_THREAD => signal::send_to_thread(&target, info)?,
        _ => signal::send(&target, info)?,
    }
    Ok(0)
}

/// What ring 3 wants to have sent. Only to itself it may look as if the kernel or `kill` had.
fn forged(info: u64, wanted: u32, target: &Process, flags: u32) -> Result<Info, Errno> {
    let info = read_info(info, None)?;
    if info.signal() != wanted {
        return Err(Errno::EINVAL);
    }
    let to_others = target.pid != current().pid || flags == TO_GROUP;
    if to_others && (info.code() >= 0 || info.code() == SI_TKILL) {
        return Err(Errno::EPERM);
    }
    Ok(info)
}
