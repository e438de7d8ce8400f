//! `mem` of a process: its memory as a file, byte for byte, for debuggers and for the process itself.
//!
//! What is open is the memory, not the process: after an `execve` the file still means the old one, and reads as empty
//! once that is gone.
use alloc::sync::{Arc, Weak};

use abi::Errno;
use mm::PAGE_SIZE;
use mm::foreign::Right;

use super::Node;
use super::open::room;
use crate::fault;
use crate::fs::buffers::Buffers;
use crate::fs::open::{Kind, Order, Status, Step};
use crate::process::capabilities::Looking;
use crate::process::{Space, current};

/// Somebody's memory.
pub(super) struct Memory {
    node: Node,
    space: Weak<Space>,
}

impl Memory {
    /// Opens `node`.
    pub(super) fn new(node: Node) -> Result<Self, Errno> {
        let process = node.process()?.ok_or(Errno::ENOENT)?;
        if !current().may_look_into(&process, Looking::Memory) {
            return Err(Errno::EACCES);
        }
        let space = process.space().as_ref().map(Arc::downgrade);
        Ok(Self {
            node,
            space: space.unwrap_or_default(),
        })
    }
}

impl Kind for Memory {
    fn status(&self) -> Status {
        self.node.status()
    }

    fn order(&self) -> Order {
        Order::Endless
    }

    /// Moves what there is up to the end of a page.
    fn read(&self, at: u64, into: &mut Buffers<'_>) -> Result<Step, Errno> {
        let Some(space) = self.space.upgrade() else {
            return Ok(Step::Done);
        };
        let mut piece = room(into.left().min(PAGE_SIZE - at % PAGE_SIZE))?;
        let count = match fault::read_foreign(&space, at, &mut piece, Right::Forced) {
            Ok(count) => count,
            Err(_) if into.moved() > 0 => return Ok(Step::Done),
            Err(_) => return Err(Errno::EIO),
        };
        into.fill(&piece[..count])?;
        Ok(Step::More)
    }

    fn write(&self, at: u64, from: &mut Buffers<'_>) -> Result<Step, Errno> {
        let Some(space) = self.space.upgrade() else {
            return Ok(Step::Done);
        };
        let mut piece = room(from.left().min(PAGE_SIZE - at % PAGE_SIZE))?;
        let mut taken = *from;
        let count = taken.take(&mut piece)?;
        match fault::write_foreign(&space, at, &piece[..count], Right::Forced) {
            Ok(_) => *from = taken,
            Err(_) if from.moved() > 0 => return Ok(Step::Done),
            Err(_) => return Err(Errno::EIO),
        }
        Ok(Step::More)
    }
}
