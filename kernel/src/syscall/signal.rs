//! Signals: sending them, saying what they do, waiting for them.
use abi::Errno;
use abi::general::{SI_TKILL, SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK, SIGKILL, SIGSTOP};
use abi::signal::Stack;

use super::{Answer, Arguments, COMPLETE, time, user};
use crate::arch::timer;
use crate::arch::trap::TrapFrame;
use crate::process::signal::info::{KEPT, SIZE};
use crate::process::signal::{self, Action, Info, SIGNALS, SignalSet};
use crate::process::{current, table};

/// Bytes in a set of signals.
const SET: u64 = 8;

/// kill(2).
pub(super) fn kill([pid, number, ..]: Arguments) -> Answer {
    let number = number as u32;
    match pid as i32 {
        pid if pid > 0 => signal::kill(pid as u32, number)?,
        -1 => signal::kill_all(number)?,
        0 => signal::kill_group(current().membership.group(), number)?,
        i32::MIN => return Err(Errno::ESRCH),
        group => signal::kill_group(group.unsigned_abs(), number)?,
    }
    Ok(0)
}

/// A number of a process or thread that is one.
fn positive(number: u64) -> Result<u32, Errno> {
    let number = u32::try_from(number as i32).map_err(|_| Errno::EINVAL)?;
    if number == 0 {
        Err(Errno::EINVAL)
    } else {
        Ok(number)
    }
}

/// tkill(2).
pub(super) fn tkill([thread, number, ..]: Arguments) -> Answer {
    let (thread, number) = (positive(thread)?, number as u32);
    let target = table::find(thread).ok_or(Errno::ESRCH)?;
    if number > SIGNALS {
        return Err(Errno::EINVAL);
    }
    if number != 0 {
        let info = Info::of_process(number, SI_TKILL, current().pid);
        signal::send_to_thread(&target, info)?;
    }
    Ok(0)
}

/// tgkill(2). A process's only thread has its number.
pub(super) fn tgkill([process, thread, number, ..]: Arguments) -> Answer {
    if positive(process)? != positive(thread)? {
        return Err(Errno::ESRCH);
    }
    tkill([thread, number, 0, 0, 0, 0])
}

/// The `siginfo_t` at `address`, for signal `number` or the one that it names. Unknown layouts must fit into what is kept.
pub(super) fn read_info(address: u64, number: Option<u32>) -> Result<Info, Errno> {
    let mut bytes = [0; SIZE];
    user::read_bytes(address, &mut bytes)?;
    let (kept, rest) = bytes.split_first_chunk::<KEPT>().ok_or(Errno::EFAULT)?;
    let [named, ..] = kept.as_chunks().0 else {
        return Err(Errno::EFAULT);
    };
    let info = Info::of_program(number.unwrap_or(u32::from_le_bytes(*named)), kept);
    if !info.has_known_layout() && rest.iter().any(|&byte| byte != 0) {
        return Err(Errno::E2BIG);
    }
    Ok(info)
}

/// Refuses what looks as if the kernel or `kill` had sent it to another process.
fn check_forgery(info: &Info, receiver: u64) -> Result<(), Errno> {
    let looks_official = info.code() >= 0 || info.code() == SI_TKILL;
    if looks_official && receiver as u32 != current().pid {
        return Err(Errno::EPERM);
    }
    Ok(())
}

/// rt_sigqueueinfo(2).
pub(super) fn rt_sigqueueinfo([process, number, info, ..]: Arguments) -> Answer {
    let number = number as u32;
    let info = read_info(info, Some(number))?;
    check_forgery(&info, process)?;
    let target = table::find(process as u32).ok_or(Errno::ESRCH)?;
    if number > SIGNALS {
        return Err(Errno::EINVAL);
    }
    if number != 0 {
        signal::send(&target, info)?;
    }
    Ok(0)
}

/// rt_tgsigqueueinfo(2).
pub(super) fn rt_tgsigqueueinfo([process, thread, number, info, ..]: Arguments) -> Answer {
    let number = number as u32;
    let info = read_info(info, Some(number))?;
    let (process, receiver) = (positive(process)?, positive(thread)?);
    check_forgery(&info, thread)?;
    let target = table::find(receiver).filter(|_| process == receiver);
    let target = target.ok_or(Errno::ESRCH)?;
    if number > SIGNALS {
        return Err(Errno::EINVAL);
    }
    if number != 0 {
        signal::send_to_thread(&target, info)?;
    }
    Ok(0)
}

/// rt_sigaction(2).
pub(super) fn rt_sigaction([number, new, old, size, ..]: Arguments) -> Answer {
    let number = number as u32;
    if size != SET {
        return Err(Errno::EINVAL);
    }
    let action = if new == 0 {
        None
    } else {
        Some(Action::from_words(user::read_words(new)?))
    };
    if number == 0 || number > SIGNALS || (action.is_some() && matches!(number, SIGKILL | SIGSTOP))
    {
        return Err(Errno::EINVAL);
    }
    let signals = &current().signals;
    let before = signals.action(number);
    if let Some(action) = action {
        signals.set_action(number, action);
    }
    if old != 0 {
        user::write_words(old, before.to_words())?;
    }
    Ok(0)
}

/// rt_sigprocmask(2).
pub(super) fn rt_sigprocmask([how, new, old, size, ..]: Arguments) -> Answer {
    if size != SET {
        return Err(Errno::EINVAL);
    }
    let signals = &current().signals;
    let before = signals.blocked();
    if new != 0 {
        let [set] = user::read_words(new)?.map(SignalSet);
        signals.set_blocked(match how as u32 {
            SIG_BLOCK => before | set,
            SIG_UNBLOCK => before & !set,
            SIG_SETMASK => set,
            _ => return Err(Errno::EINVAL),
        });
    }
    if old != 0 {
        user::write_words(old, [before.0])?;
    }
    Ok(0)
}

/// rt_sigpending(2).
pub(super) fn rt_sigpending([set, size, ..]: Arguments) -> Answer {
    if size > SET {
        return Err(Errno::EINVAL);
    }
    let pending = current().signals.held_back().0.to_le_bytes();
    user::write_bytes(set, &pending[..size as usize])?;
    Ok(0)
}

/// rt_sigreturn(2).
pub(super) fn rt_sigreturn(frame: &mut TrapFrame) -> Answer {
    signal::return_from_handler(frame);
    Ok(COMPLETE)
}

/// sigaltstack(2).
pub(super) fn sigaltstack(frame: &mut TrapFrame) -> Answer {
    let (_, [new, old, ..]) = frame.call();
    let signals = &current().signals;
    let before = signals.alternate_stack(frame.rsp);
    if new != 0 {
        let [start, flags, size] = user::read_words(new)?;
        let stack = Stack {
            start,
            flags: flags as u32,
            padding: 0,
            size,
        };
        signals.set_alternate_stack(stack, frame.rsp)?;
    }
    if old != 0 {
        user::write_words(old, [before.start, before.flags.into(), before.size])?;
    }
    Ok(0)
}

/// pause(2).
pub(super) fn pause() -> Answer {
    Err(signal::wait::pause())
}

/// rt_sigsuspend(2).
pub(super) fn rt_sigsuspend([mask, size, ..]: Arguments) -> Answer {
    if size != SET {
        return Err(Errno::EINVAL);
    }
    let [mask] = user::read_words(mask)?;
    Err(signal::wait::suspend(SignalSet(mask)))
}

/// rt_sigtimedwait(2).
pub(super) fn rt_sigtimedwait([set, info, timeout, size, ..]: Arguments) -> Answer {
    if size != SET {
        return Err(Errno::EINVAL);
    }
    let [wanted] = user::read_words(set)?;
    let deadline = if timeout == 0 {
        u64::MAX
    } else {
        timer::nanoseconds().saturating_add(time::duration(timeout)?)
    };
    let found = signal::wait::take(SignalSet(wanted), deadline)?;
    if info != 0 {
        user::write_bytes(info, &found.to_bytes())?;
    }
    Ok(found.signal().into())
}
