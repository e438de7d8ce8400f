//! Descriptors of processes: pidfd_open(2). One keeps meaning its process when that has ended and its number is another's.
use alloc::sync::Arc;

use abi::general::{POLLHUP, POLLIN, POLLRDNORM, S_IRWXU};

use super::open::{Kind, Status, Wakes};
use crate::process::Process;
use crate::process::table::{self, Presence};

/// A process, as an open file.
pub(crate) struct Pidfd(pub(crate) Arc<Process>);

impl Kind for Pidfd {
    fn status(&self) -> Status {
        const ANONYMOUS: u64 = 15;
        Status {
            device: ANONYMOUS,
            number: u64::from(self.0.pid),
            links: 1,
            mode: S_IRWXU,
            block_size: mm::PAGE_SIZE,
            ..Status::default()
        }
    }

    fn wakes(&self) -> Wakes {
        Wakes::Change(self.0.key())
    }

    /// An end can be read, though there is nothing to read.
    fn ready(&self) -> u32 {
        match table::presence(&self.0) {
            Presence::Alive => 0,
            Presence::Ended => POLLIN | POLLRDNORM,
            Presence::Forgotten => POLLIN | POLLRDNORM | POLLHUP,
        }
    }

    fn process(&self) -> Option<&Arc<Process>> {
        Some(&self.0)
    }
}
