//! Signals as bytes of a file: signalfd(2). Whoever reads gets what waits for him, whoever made the file.
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use abi::Errno;
use abi::general::POLLIN;

use super::buffers::Buffers;
use super::open::{Kind, Status, Step, nameless};
use crate::process::current;
use crate::process::signal::SignalSet;
use crate::process::signal::info::SIZE;

/// A set of signals. Who waits for one of them asks at each tick: those that are blocked wake nobody.
pub(crate) struct Signalfd(AtomicU64);

impl Signalfd {
    pub(crate) fn new(wanted: SignalSet) -> Self {
        let file = Self(AtomicU64::new(0));
        file.set(wanted);
        file
    }

    /// Has the file be about other signals.
    pub(crate) fn set(&self, wanted: SignalSet) {
        let wanted = wanted & !SignalSet::UNBLOCKABLE;
        self.0.store(wanted.0, Relaxed);
    }

    fn wanted(&self) -> SignalSet {
        SignalSet(self.0.load(Relaxed))
    }
}

impl Kind for Signalfd {
    fn status(&self) -> Status {
        nameless()
    }

    /// Takes one signal.
    fn read(&self, _at: u64, into: &mut Buffers<'_>) -> Result<Step, Errno> {
        if into.left() < SIZE as u64 {
            return if into.moved() == 0 {
                Err(Errno::EINVAL)
            } else {
                Ok(Step::Done)
            };
        }
        let Some(info) = current().signals.take(self.wanted()) else {
            return Ok(Step::Blocked);
        };
        into.fill(&info.to_record())?;
        Ok(Step::More)
    }

    fn ready(&self) -> u32 {
        let waiting = current().signals.waiting() & self.wanted();
        if waiting.is_empty() { 0 } else { POLLIN }
    }

    fn signalfd(&self) -> Option<&Signalfd> {
        Some(self)
    }
}
