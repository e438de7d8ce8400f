//! Pages that go into a pipe and come out of it whole: what splice(2) and its kin need besides reads and writes.
use abi::Errno;

use super::slots::Slot;
use super::{Lent, Pipe};
use crate::fs::open::Step;

/// What became of a page that was to go into a pipe.
pub(crate) enum Put {
    In,
    /// Here it is again.
    Full(Slot),
}

impl Pipe {
    /// Whether one page more fits; `EPIPE` where nobody would read it.
    pub(crate) fn room(&self) -> Result<Step, Errno> {
        self.may_add(0)
    }

    /// Whether a reader need not wait: there are bytes that nobody has in their hands, or there will never be any.
    pub(crate) fn has_news(&self) -> bool {
        let state = self.state.lock();
        state.slots.can_lend() || state.slots.is_empty() && !state.writers.is_some()
    }

    /// Puts a page in.
    pub(crate) fn put(&self, slot: Slot) -> Result<Put, Errno> {
        let mut state = self.state.lock();
        if !state.readers.is_some() {
            return Err(Errno::EPIPE);
        }
        if state.slots.is_full() {
            return Ok(Put::Full(slot));
        }
        state.slots.push(slot);
        drop(state);
        self.changed();
        Ok(Put::In)
    }

    /// A copy of up to `most` bytes of page `number` from the first on, which stays.
    pub(crate) fn duplicate(&self, number: usize, most: usize) -> Option<Result<Slot, Errno>> {
        let state = self.state.lock();
        let slot = state.slots.get(number)?;
        Some(slot.copy(most).map_err(|_| Errno::ENOMEM))
    }

    /// Moves a page's copy of up to `most` bytes out of this pipe by `put`, and says how many went; `None` where there are
    /// none.
    pub(crate) fn hand_on(
        &self,
        most: usize,
        put: impl FnOnce(Slot) -> Result<(), Errno>,
    ) -> Result<Option<usize>, Errno> {
        let Lent::Slot(mut slot) = self.lend() else {
            return Ok(None);
        };
        let copy = slot.copy(most).map_err(|_| Errno::ENOMEM);
        let count = slot.unread().len().min(most);
        let done = copy.and_then(put);
        if done.is_ok() {
            slot.consume(count);
        }
        self.give_back(slot);
        done.map(|()| Some(count))
    }
}
