//! Where a call that moves bytes between files is in one of them: at the file's own position, or at one that ring 3 keeps.
use abi::Errno;

use super::file::{Direction, Rules, transfer_by};
use super::{Answer, user};
use crate::fs::buffers::Buffers;
use crate::fs::open::{MAX_SIZE, OpenFile, Order};

/// A file and a place in it.
pub(super) struct Cursor<'a> {
    pub(super) open: &'a OpenFile,
    /// Where ring 3 keeps the position, if it does.
    kept: Option<u64>,
    pub(super) at: u64,
}

impl<'a> Cursor<'a> {
    /// A cursor at the position that ring 3 has at `kept`, or at the file's own if that is 0. A file that has no places
    /// answers `placeless`.
    pub(super) fn new(open: &'a OpenFile, kept: u64, placeless: Errno) -> Result<Self, Errno> {
        let kept = (kept != 0).then_some(kept);
        let at = match kept {
            None => open.position(),
            Some(kept) => {
                let [at] = user::read_words(kept)?;
                if open.kind.order() == Order::Stream {
                    return Err(placeless);
                }
                at
            }
        };
        Ok(Self { open, kept, at })
    }

    /// `EINVAL` where it is, or `length` bytes from it on end, at no place that a file can have.
    pub(super) fn check(&self, length: u64) -> Result<(), Errno> {
        match self.at.checked_add(length) {
            Some(0..=MAX_SIZE) => Ok(()),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Transfers bytes of the kernel's, and goes on by as many.
    pub(super) fn transfer(&mut self, direction: Direction, mut buffers: Buffers<'_>) -> Answer {
        let mut at = self.at;
        let rules = Rules::of(self.open);
        let count = transfer_by(self.open, direction, &mut at, &mut buffers, rules)?;
        self.at += count;
        Ok(count)
    }

    /// Says where it is now.
    pub(super) fn keep(&self) -> Result<(), Errno> {
        match self.kept {
            None if self.open.kind.order() == Order::Stream => Ok(()),
            None => {
                self.open.set_position(self.at);
                Ok(())
            }
            Some(kept) => user::write_words(kept, [self.at]),
        }
    }
}
