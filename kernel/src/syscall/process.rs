//! Processes: `fork`, `execve`, `exit` and what a process asks of itself.
use abi::Errno;
use abi::general::{
    CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID, CLONE_PARENT_SETTID, CLONE_SETTLS, CLONE_VFORK,
    CLONE_VM, SIGCHLD,
};

use super::{Answer, Arguments, user};
use crate::arch::trap::TrapFrame;
use crate::arch::user as registers;
use crate::fault;
use crate::process::fork::{self as forking, Memory, Start};
use crate::process::group;
use crate::process::table;
use crate::process::wait::Status;
use crate::process::{current, sched};

/// fork(2).
pub(super) fn fork(frame: &mut TrapFrame) -> Answer {
    forking::fork(frame, Memory::Copied, Start::default()).map(u64::from)
}

/// vfork(2).
pub(super) fn vfork(frame: &mut TrapFrame) -> Answer {
    let child = forking::fork(frame, Memory::Borrowed, Start::default())?;
    forking::await_return(child);
    Ok(child.into())
}

/// clone(2), as far as it makes processes: what libc's `fork`, `vfork` and `posix_spawn` ask for.
pub(super) fn clone(frame: &mut TrapFrame) -> Answer {
    const SHARING: u32 = CLONE_VM | CLONE_VFORK;
    const KNOWN: u32 =
        SHARING | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
    let (_, [flags, stack, parent_tid, child_tid, tls, _]) = frame.call();
    let flags = flags as u32;
    let memory = match flags & SHARING {
        0 => Memory::Copied,
        SHARING => Memory::Borrowed,
        // A thread, or a child that shares memory and is not waited for.
        _ => return Err(Errno::ENOSYS),
    };
    if flags & !(KNOWN | 0xff) != 0 || flags & 0xff != SIGCHLD {
        return Err(Errno::ENOSYS);
    }
    if flags & CLONE_SETTLS != 0 && tls >= mm::space::USER_END.address() {
        return Err(Errno::EPERM);
    }
    let start = Start {
        stack: Some(stack).filter(|&stack| stack != 0),
        thread_pointer: (flags & CLONE_SETTLS != 0).then_some(tls),
        tid_word: if flags & CLONE_CHILD_CLEARTID != 0 {
            child_tid
        } else {
            0
        },
    };
    let child = forking::fork(frame, memory, start)?;
    let number = child.to_le_bytes();
    if flags & CLONE_PARENT_SETTID != 0 {
        // Linux doesn't care either whether this succeeds.
        let _ = user::write_bytes(parent_tid, &number);
    }
    if flags & CLONE_CHILD_SETTID != 0
        && let Some(space) = table::find(child).and_then(|child| child.space())
    {
        let _ = fault::write_remote(&space, child_tid, &number);
    }
    if memory == Memory::Borrowed {
        forking::await_return(child);
    }
    Ok(child.into())
}

/// _exit(2).
pub(super) fn exit([code, ..]: Arguments) -> Answer {
    current().signals.end(Status::exited(code as i32));
    Ok(0)
}

/// getpid(2), and gettid(2) while a process has one thread.
pub(super) fn getpid() -> Answer {
    Ok(current().pid.into())
}

/// getuid(2) and its kin: every program is root's.
pub(super) fn root() -> Answer {
    Ok(0)
}

/// getppid(2).
pub(super) fn getppid() -> Answer {
    Ok(table::parent(current().pid).into())
}

/// setpgid(2). The numbers 0 stand for the caller and for the process's own number.
pub(super) fn setpgid([pid, group, ..]: Arguments) -> Answer {
    let pid = or_own(pid);
    let group = if group as u32 == 0 { pid } else { group as u32 };
    if (group as i32) < 0 {
        return Err(Errno::EINVAL);
    }
    group::join(pid, group)?;
    Ok(0)
}

/// getpgid(2).
pub(super) fn getpgid([pid, ..]: Arguments) -> Answer {
    let process = table::find(or_own(pid)).ok_or(Errno::ESRCH)?;
    Ok(process.membership.group().into())
}

/// getpgrp(2).
pub(super) fn getpgrp() -> Answer {
    Ok(current().membership.group().into())
}

/// setsid(2).
pub(super) fn setsid() -> Answer {
    group::lead().map(u64::from)
}

/// getsid(2).
pub(super) fn getsid([pid, ..]: Arguments) -> Answer {
    let process = table::find(or_own(pid)).ok_or(Errno::ESRCH)?;
    Ok(process.membership.session().into())
}

/// The process with that number; the caller for 0.
fn or_own(pid: u64) -> u32 {
    match pid as u32 {
        0 => current().pid,
        pid => pid,
    }
}

/// arch_prctl(2): the bases of FS and GS.
pub(super) fn arch_prctl([code, address, ..]: Arguments) -> Answer {
    const SET_GS: u64 = 0x1001;
    const SET_FS: u64 = 0x1002;
    const GET_FS: u64 = 0x1003;
    const GET_GS: u64 = 0x1004;
    let checked = || {
        if address < mm::space::USER_END.address() {
            Ok(address)
        } else {
            Err(Errno::EPERM)
        }
    };
    match code {
        SET_GS => registers::set_gs_base(checked()?),
        SET_FS => registers::set_fs_base(checked()?),
        GET_FS => user::write_words(address, [registers::fs_base()])?,
        GET_GS => user::write_words(address, [registers::gs_base()])?,
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// sched_yield(2).
pub(super) fn sched_yield() -> Answer {
    sched::yield_now();
    Ok(0)
}

/// getrusage(2).
pub(super) fn getrusage([who, usage, ..]: Arguments) -> Answer {
    let process = current();
    let counters = match who as i32 {
        0 | 1 => &process.usage.own,
        -1 => &process.usage.children,
        _ => return Err(Errno::EINVAL),
    };
    user::write_words(usage, counters.to_words())?;
    Ok(0)
}
