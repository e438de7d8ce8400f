//! Waiting for children: `wait4` and `waitid`.
use abi::Errno;
use abi::general::{
    __WALL, __WCLONE, __WNOTHREAD, P_ALL, P_PGID, P_PID, P_PIDFD, SIGCHLD, WCONTINUED, WEXITED,
    WNOHANG, WNOWAIT, WSTOPPED, WUNTRACED,
};

use super::{Answer, Arguments, pidfd, user};
use crate::process::usage::Counters;
use crate::process::wait::{self, Children, Found, Patience, Status, Wanted};
use crate::process::{current, table};

/// A child that was found.
struct Child {
    pid: u32,
    status: Status,
    used: Counters,
}

fn patience(options: u32) -> Patience {
    if options & WNOHANG != 0 {
        Patience::Return
    } else {
        Patience::Wait
    }
}

/// Waits; `None` where nothing has happened yet and the caller has no patience.
fn find(children: Children, wanted: Wanted, options: u32) -> Result<Option<Child>, Errno> {
    if options & (__WALL | __WCLONE) == __WCLONE {
        // Only children that tell their parent by another signal than SIGCHLD, which there are none of.
        return Err(Errno::ECHILD);
    }
    Ok(match wait::wait(children, wanted, patience(options))? {
        Found::Ended(child, status) => {
            if !wanted.contains(Wanted::KEPT) {
                current().usage.add_child(&child.usage);
            }
            Some(Child {
                pid: child.pid,
                status,
                used: child.usage.total(),
            })
        }
        Found::Changed(pid, status) => {
            let used = table::find(pid).map(|child| child.usage.total());
            Some(Child {
                pid,
                status,
                used: used.unwrap_or_default(),
            })
        }
        Found::Alive | Found::Nobody => None,
    })
}

/// wait4(2).
pub(super) fn wait4([pid, status, options, usage, ..]: Arguments) -> Answer {
    let options = options as u32;
    if options & !(WNOHANG | WUNTRACED | WCONTINUED | __WALL | __WCLONE | __WNOTHREAD) != 0 {
        return Err(Errno::EINVAL);
    }
    let children = match pid as i32 {
        i32::MIN => return Err(Errno::ESRCH),
        -1 => Children::Any,
        0 => Children::Group(current().membership.group()),
        pid if pid < 0 => Children::Group(pid.unsigned_abs()),
        pid => Children::One(pid as u32),
    };
    let mut wanted = Wanted::ENDED;
    wanted.set(Wanted::STOPPED, options & WUNTRACED != 0);
    wanted.set(Wanted::CONTINUED, options & WCONTINUED != 0);
    let Some(child) = find(children, wanted, options)? else {
        return Ok(0);
    };
    if status != 0 {
        user::write_bytes(status, &child.status.0.to_le_bytes())?;
    }
    if usage != 0 {
        user::write_words(usage, child.used.to_words())?;
    }
    Ok(child.pid.into())
}

/// waitid(2).
pub(super) fn waitid([kind, id, info, options, usage, _]: Arguments) -> Answer {
    let (id, options) = (id as i32, options as u32);
    let what = WEXITED | WSTOPPED | WCONTINUED;
    let how = WNOHANG | WNOWAIT | __WNOTHREAD | __WCLONE | __WALL;
    if options & !(what | how) != 0 || options & what == 0 {
        return Err(Errno::EINVAL);
    }
    let mut impatient = false;
    let children = match kind as u32 {
        P_PIDFD if id >= 0 => {
            let (pid, nonblocking) = pidfd::waited_for(id as u64)?;
            impatient = nonblocking && options & WNOHANG == 0;
            Children::One(pid)
        }
        P_ALL => Children::Any,
        P_PID if id > 0 => Children::One(id as u32),
        P_PGID if id > 0 => Children::Group(id as u32),
        P_PGID if id == 0 => Children::Group(current().membership.group()),
        _ => return Err(Errno::EINVAL),
    };
    let mut wanted = Wanted::empty();
    wanted.set(Wanted::ENDED, options & WEXITED != 0);
    wanted.set(Wanted::STOPPED, options & WSTOPPED != 0);
    wanted.set(Wanted::CONTINUED, options & WCONTINUED != 0);
    wanted.set(Wanted::KEPT, options & WNOWAIT != 0);
    let hurry = if impatient { WNOHANG } else { 0 };
    let child = find(children, wanted, options | hurry)?;
    if child.is_none() && impatient {
        return Err(Errno::EAGAIN);
    }
    if let Some(child) = child.as_ref().filter(|_| usage != 0) {
        user::write_words(usage, child.used.to_words())?;
    }
    if info != 0 {
        write_info(info, child.as_ref())?;
    }
    Ok(0)
}

/// Fills in those fields of a `siginfo_t` that Linux fills in: zeroes where no child was found.
fn write_info(info: u64, child: Option<&Child>) -> Result<(), Errno> {
    let mut words = [0u32; 3];
    let mut whose = [0u32; 3];
    if let Some(child) = child {
        let (code, status) = child.status.as_code();
        words = [SIGCHLD, 0, code];
        whose = [child.pid, 0, status as u32];
    }
    for (offset, words) in [(0, words), (16, whose)] {
        for (index, word) in (0..).zip(words) {
            let at = info.wrapping_add(offset + 4 * index);
            user::write_bytes(at, &word.to_le_bytes())?;
        }
    }
    Ok(())
}
