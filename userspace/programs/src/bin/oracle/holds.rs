//! What descriptors do beside moving bytes: they are copied, marked and placed, and hold locks.

use core::fmt::Write;

use rt::abi::Sysno;
use rt::abi::general::{
    F_DUPFD, F_DUPFD_CLOEXEC, F_GETLK, F_OFD_GETLK, F_OFD_SETLK, F_SETLK, LOCK_NB,
};
use rt::file;
use rt::lock::{self, Range};

use crate::files::{FIRST, SLOTS, descriptor};
use crate::machine::Machine;

impl Machine {
    /// A slot becomes what another is. A copy behind the last slot is given up again.
    pub(crate) fn duplicate(&mut self, [old, new, kind, flags]: [usize; 4]) {
        let [old, new] = [old, new].map(descriptor);
        let command = match kind {
            0 => return self.plain(Sysno::dup2, [old, new]),
            1 => return self.plain(Sysno::dup3, [old, new, flags]),
            2 => F_DUPFD,
            _ => F_DUPFD_CLOEXEC,
        };
        let copy = file::fcntl(old as u32, command, new);
        self.say(copy);
        if let Ok(behind @ FIRST..) = copy
            && behind >= FIRST + SLOTS
        {
            file::close(behind as u32).expect("close");
        }
    }

    /// What concerns a file as a whole: its pages are where they belong, or will be wanted.
    pub(crate) fn settle_bytes(&mut self, [kind, slot, start, length]: [usize; 4], advice: usize) {
        let slot = descriptor(slot);
        match kind {
            0 => self.plain(Sysno::fsync, [slot]),
            1 => self.plain(Sysno::fdatasync, [slot]),
            2 => self.plain(Sysno::sync_file_range, [slot, start, length, advice]),
            3 => self.plain(Sysno::fadvise64, [slot, start, length, advice]),
            _ => self.plain(Sysno::readahead, [slot, start, length]),
        }
    }

    /// Takes a lock, gives it up, or asks who is in the way; never waits.
    pub(crate) fn lock(&mut self, [kind, slot, how, start, length, whence]: [usize; 6]) {
        let slot = descriptor(slot) as u32;
        let range = Range::new(how as u32, start as i64, length as i64).from(whence as u32);
        let command = match kind {
            0 => {
                let whole = lock::whole(slot, how as u32 | LOCK_NB);
                return self.say(whole.map(|()| 0));
            }
            1 => F_SETLK,
            2 => F_OFD_SETLK,
            3 => return self.ask_lock(slot, F_GETLK, range),
            _ => return self.ask_lock(slot, F_OFD_GETLK, range),
        };
        self.say(lock::set(slot, command, range).map(|()| 0));
    }

    /// Who it is that holds a lock has a number that is chance.
    fn ask_lock(&mut self, slot: u32, command: u32, range: Range) {
        match lock::ask(slot, command, range) {
            Ok(None) => self.say(Ok(0)),
            Err(errno) => self.say(Err(errno)),
            Ok(Some(held)) => {
                let (start, length) = (held.start, held.length);
                let _ = write!(
                    self.log,
                    " {}/{}/{start:x}/{length:x}/{}",
                    held.kind,
                    held.whence,
                    held.pid.signum()
                );
            }
        }
    }
}
