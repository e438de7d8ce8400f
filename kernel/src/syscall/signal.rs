//! Signals: sending them, and saying what they do.
use abi::Errno;
use abi::general::{SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK, SIGKILL, SIGSTOP};

use super::{Answer, Arguments, user};
use crate::process::signal::{self, Action, SIGNALS};
use crate::process::{current, table};

/// Bytes in a set of signals.
const SET: u64 = 8;

/// kill(2).
pub(super) fn kill([pid, number, ..]: Arguments) -> Answer {
    let number = number as u32;
    match pid as i32 {
        pid if pid > 0 => signal::kill(pid as u32, number)?,
        -1 => signal::kill_all(number)?,
        // There is one process group so far.
        0 => {
            // Whether there are others in it or not, the caller is.
            let _ = signal::kill_all(number);
            signal::kill(current().pid, number)?;
        }
        _ => return Err(Errno::ESRCH),
    }
    Ok(0)
}

/// tkill(2).
pub(super) fn tkill([thread, number, ..]: Arguments) -> Answer {
    let thread = u32::try_from(thread as i32)
        .ok()
        .filter(|&thread| thread > 0)
        .ok_or(Errno::EINVAL)?;
    signal::kill(thread, number as u32)?;
    Ok(0)
}

/// tgkill(2).
pub(super) fn tgkill([process, thread, number, ..]: Arguments) -> Answer {
    let process = process as i32;
    if process <= 0 {
        return Err(Errno::EINVAL);
    }
    if process != thread as i32 && table::find(thread as u32).is_some() {
        return Err(Errno::ESRCH);
    }
    tkill([thread, number, 0, 0, 0, 0])
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
        Some(user::read_words(new)?)
    };
    if number == 0 || number > SIGNALS || (action.is_some() && matches!(number, SIGKILL | SIGSTOP))
    {
        return Err(Errno::EINVAL);
    }
    let signals = &current().signals;
    let before = signals.action(number);
    if let Some([handler, flags, restorer, mask]) = action {
        signals.set_action(
            number,
            Action {
                handler,
                flags,
                restorer,
                mask,
            },
        );
    }
    if old != 0 {
        user::write_words(
            old,
            [before.handler, before.flags, before.restorer, before.mask],
        )?;
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
        let [set] = user::read_words(new)?;
        signals.set_blocked(match how as u32 {
            SIG_BLOCK => before | set,
            SIG_UNBLOCK => before & !set,
            SIG_SETMASK => set,
            _ => return Err(Errno::EINVAL),
        });
    }
    if old != 0 {
        user::write_words(old, [before])?;
    }
    Ok(0)
}

/// rt_sigpending(2).
pub(super) fn rt_sigpending([set, size, ..]: Arguments) -> Answer {
    if size > SET {
        return Err(Errno::EINVAL);
    }
    let signals = &current().signals;
    let pending = (signals.pending() & signals.blocked()).to_le_bytes();
    user::write_bytes(set, &pending[..size as usize])?;
    Ok(0)
}
