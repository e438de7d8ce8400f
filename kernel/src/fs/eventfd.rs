//! Counters as files: eventfd(2). Who reads takes the count, or 1 of it, and waits where it is 0; who writes adds to it,
//! and waits where there is no room.
use abi::Errno;
use abi::general::{POLLERR, POLLIN, POLLOUT};

use super::buffers::Buffers;
use super::open::{Kind, Status, Step, Wakes, nameless};
use crate::lock::{IrqLock, Rank};
use crate::process::waiting;

/// Bytes that a transfer moves.
const SIZE: u64 = size_of::<u64>() as u64;

/// The highest count that writers reach.
const MOST: u64 = u64::MAX - 1;

/// What a reader takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    All,
    /// As from a semaphore.
    One,
}

/// A counter.
pub(crate) struct Eventfd {
    count: IrqLock<u64>,
    takes: Takes,
}

impl Eventfd {
    pub(crate) fn new(count: u64, takes: Takes) -> Self {
        Self {
            count: IrqLock::new(Rank::Files, count),
            takes,
        }
    }

    fn key(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }
}

impl Kind for Eventfd {
    fn status(&self) -> Status {
        nameless()
    }

    fn read(&self, _at: u64, into: &mut Buffers<'_>) -> Result<Step, Errno> {
        if into.left() < SIZE {
            return Err(Errno::EINVAL);
        }
        let taken = {
            let mut count = self.count.lock();
            let taken = match self.takes {
                Takes::All => *count,
                Takes::One => 1.min(*count),
            };
            *count -= taken;
            taken
        };
        if taken == 0 {
            return Ok(Step::Blocked);
        }
        waiting::wake(self.key());
        // As on Linux, what can't be stored is lost.
        into.fill(&taken.to_le_bytes())?;
        Ok(Step::Done)
    }

    fn write(&self, _at: u64, from: &mut Buffers<'_>) -> Result<Step, Errno> {
        if from.left() != SIZE {
            return Err(Errno::EINVAL);
        }
        // What is refused was not moved.
        let mut taken = *from;
        let mut bytes = [0; SIZE as usize];
        if taken.take(&mut bytes)? < bytes.len() {
            return Err(Errno::EFAULT);
        }
        let added = u64::from_le_bytes(bytes);
        if added > MOST {
            return Err(Errno::EINVAL);
        }
        {
            let mut count = self.count.lock();
            if added > MOST - *count {
                return Ok(Step::Blocked);
            }
            *count += added;
        }
        *from = taken;
        waiting::wake(self.key());
        Ok(Step::Done)
    }

    fn wakes(&self) -> Wakes {
        Wakes::Change(self.key())
    }

    fn ready(&self) -> u32 {
        match *self.count.lock() {
            0 => POLLOUT,
            u64::MAX => POLLIN | POLLERR,
            MOST => POLLIN,
            _ => POLLIN | POLLOUT,
        }
    }
}
