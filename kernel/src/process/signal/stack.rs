//! The alternate stack for handlers: see sigaltstack(2).
use abi::Errno;
use abi::general::{MINSIGSTKSZ, SS_AUTODISARM, SS_DISABLE, SS_ONSTACK};
use abi::signal::Stack;

/// The stack that a thread has set aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AlternateStack {
    start: u64,
    size: u64,
    flags: u32,
}

impl AlternateStack {
    /// Whether `pointer` lies on it, whatever it is set aside for.
    pub(super) fn holds(&self, pointer: u64) -> bool {
        pointer > self.start && pointer - self.start <= self.size
    }

    /// Whether `pointer` lies on it and handlers that want it stay where they are.
    pub(super) fn is_in_use(&self, pointer: u64) -> bool {
        self.flags & SS_AUTODISARM == 0 && self.holds(pointer)
    }

    /// Where a handler that wants it starts, if the interrupted stack pointer isn't there already.
    pub(super) fn entry(&self, pointer: u64) -> Option<u64> {
        (self.size != 0 && !self.is_in_use(pointer)).then(|| self.start.wrapping_add(self.size))
    }

    /// As it goes into a frame.
    pub(super) fn as_set(&self) -> Stack {
        Stack {
            start: self.start,
            flags: self.flags,
            size: self.size,
            padding: 0,
        }
    }

    /// As `sigaltstack` tells it to a caller with this stack pointer.
    pub(super) fn as_told(&self, pointer: u64) -> Stack {
        let state = match self.size {
            0 => SS_DISABLE,
            _ if self.is_in_use(pointer) => SS_ONSTACK,
            _ => 0,
        };
        Stack {
            flags: state | self.flags & SS_AUTODISARM,
            ..self.as_set()
        }
    }

    /// Sets another one, for a caller with this stack pointer.
    pub(super) fn set(&mut self, new: Stack, pointer: u64) -> Result<(), Errno> {
        if self.is_in_use(pointer) {
            return Err(Errno::EPERM);
        }
        let flags = new.flags;
        let wanted = match flags & !SS_AUTODISARM {
            SS_DISABLE => Self {
                start: 0,
                size: 0,
                flags,
            },
            0 | SS_ONSTACK => Self {
                start: new.start,
                size: new.size,
                flags,
            },
            _ => return Err(Errno::EINVAL),
        };
        let is_on = flags & !SS_AUTODISARM != SS_DISABLE;
        if wanted != *self && is_on && new.size < u64::from(MINSIGSTKSZ) {
            return Err(Errno::ENOMEM);
        }
        *self = wanted;
        Ok(())
    }

    /// A handler has started on it or elsewhere: with SS_AUTODISARM it is free for others until the handler returns.
    pub(super) fn disarm(&mut self) {
        if self.flags & SS_AUTODISARM != 0 {
            *self = Self {
                flags: SS_DISABLE,
                ..Self::default()
            };
        }
    }

    /// `execve`: the memory is gone.
    pub(super) fn forget(&mut self) {
        (self.start, self.size) = (0, 0);
    }
}
