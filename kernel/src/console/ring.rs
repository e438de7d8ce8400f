//! A bounded queue of bytes: what has arrived and nobody has read yet.

/// Bytes that wait at most.
pub(crate) const CAPACITY: usize = 4096;

/// A first-in, first-out queue of at most [`CAPACITY`] bytes.
pub(crate) struct Ring {
    bytes: [u8; CAPACITY],
    start: usize,
    len: usize,
}

impl Ring {
    /// An empty queue.
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; CAPACITY],
            start: 0,
            len: 0,
        }
    }

    /// How many bytes more fit.
    pub(crate) fn room(&self) -> usize {
        CAPACITY - self.len
    }

    /// Appends a byte; the caller has seen that there is room.
    pub(crate) fn push(&mut self, byte: u8) {
        assert!(self.room() > 0, "a byte for a full ring");
        self.bytes[(self.start + self.len) % CAPACITY] = byte;
        self.len += 1;
    }

    /// Takes the oldest byte.
    pub(crate) fn pop(&mut self) -> Option<u8> {
        self.len = self.len.checked_sub(1)?;
        let byte = self.bytes[self.start];
        self.start = (self.start + 1) % CAPACITY;
        Some(byte)
    }
}
