//! Pipes with a name, see fifo(7): who opens one side waits for somebody on the other.
use alloc::sync::{Arc, Weak};

use abi::Errno;
use abi::general::{O_ACCMODE, O_NONBLOCK, O_RDONLY, O_WRONLY};

use super::slots::{NoMemory, Write};
use super::{Pipe, ReadEnd, WriteEnd};
use crate::fs::buffers::Buffers;
use crate::fs::open::{Kind, OpenFile, Status, Step, Wakes};
use crate::fs::place::Place;
use crate::lock::{IrqLock, Rank};
use crate::process::{signal, waiting};

/// What an inode keeps of its pipe, which is there as long as somebody has it open.
pub(crate) struct Fifo(IrqLock<Weak<Pipe>>);

/// Both ends at once, which Linux allows and which waits for nobody.
struct Both {
    from: ReadEnd,
    to: WriteEnd,
}

impl Fifo {
    pub(crate) fn new() -> Self {
        Self(IrqLock::new(Rank::Files, Weak::new()))
    }

    /// The pipe that is open, or a new one.
    fn pipe(&self) -> Result<Arc<Pipe>, Errno> {
        if let Some(pipe) = self.0.lock().upgrade() {
            return Ok(pipe);
        }
        let new = Pipe::try_new().map_err(|NoMemory| Errno::ENOMEM)?;
        let mut open = self.0.lock();
        // Another may have been faster.
        if let Some(pipe) = open.upgrade() {
            drop(open);
            return Ok(pipe);
        }
        let old = core::mem::replace(&mut *open, Arc::downgrade(&new));
        drop(open);
        drop(old);
        Ok(new)
    }

    /// Opens the side that `flags` ask for.
    pub(crate) fn open(&self, place: &Place, flags: u32) -> Result<Arc<OpenFile>, Errno> {
        let pipe = self.pipe()?;
        let named = Some(place.inode.clone());
        let does_wait = flags & O_NONBLOCK == 0;
        match flags & O_ACCMODE {
            O_RDONLY => {
                let end = ReadEnd::new(pipe.clone(), named);
                if let (true, Some(before)) = (does_wait, end.unwritten) {
                    pipe.await_partner(|pipe| pipe.state.lock().writers.ever != before)?;
                }
                OpenFile::at(place, end, flags)
            }
            O_WRONLY => {
                let readers = pipe.state.lock().readers;
                if !does_wait && !readers.is_some() {
                    return Err(Errno::ENXIO);
                }
                let end = WriteEnd::new(pipe.clone(), named, Write::Stream);
                if !readers.is_some() {
                    pipe.await_partner(|pipe| pipe.state.lock().readers.ever != readers.ever)?;
                }
                OpenFile::at(place, end, flags)
            }
            _ => {
                let to = WriteEnd::new(pipe.clone(), named.clone(), Write::Stream);
                let from = ReadEnd::new(pipe, named);
                OpenFile::at(place, Both { from, to }, flags)
            }
        }
    }
}

impl Pipe {
    /// Waits until somebody opened the other side, who may be gone again.
    fn await_partner(&self, came: impl Fn(&Self) -> bool) -> Result<(), Errno> {
        while !came(self) {
            if signal::interrupted() {
                return Err(Errno::ERESTARTSYS);
            }
            waiting::wait(self.key(), None, || came(self) || signal::interrupted());
        }
        Ok(())
    }
}

impl Kind for Both {
    fn status(&self) -> Status {
        self.from.status()
    }

    fn read(&self, at: u64, into: &mut Buffers<'_>) -> Result<Step, Errno> {
        self.from.read(at, into)
    }

    fn write(&self, at: u64, from: &mut Buffers<'_>) -> Result<Step, Errno> {
        self.to.write(at, from)
    }

    fn wakes(&self) -> Wakes {
        self.from.wakes()
    }

    fn ready(&self) -> u32 {
        self.from.ready() | self.to.ready()
    }

    fn unread(&self, at: u64) -> Option<u64> {
        self.from.unread(at)
    }

    fn pipe(&self) -> Option<&Pipe> {
        self.from.pipe()
    }
}
