//! A bounded queue of bytes: what has arrived and nobody has read yet.

/// Bytes that wait at most.
pub(crate) const CAPACITY: usize = 4096;

/// Places beyond those, for bytes that come back from a reader who could not take them.
const SPARE: usize = 512;

const PLACES: usize = CAPACITY + SPARE;

/// A first-in, first-out queue of at most [`CAPACITY`] bytes.
pub(crate) struct Ring {
    bytes: [u8; PLACES],
    start: usize,
    len: usize,
}

impl Ring {
    /// An empty queue.
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; PLACES],
            start: 0,
            len: 0,
        }
    }

    /// How many bytes more fit.
    pub(crate) fn room(&self) -> usize {
        CAPACITY.saturating_sub(self.len)
    }

    /// Whether no bytes wait.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends a byte; the caller has seen that there is room.
    pub(crate) fn push(&mut self, byte: u8) {
        assert!(self.room() > 0, "a byte for a full ring");
        self.bytes[(self.start + self.len) % PLACES] = byte;
        self.len += 1;
    }

    /// Takes the oldest byte.
    pub(crate) fn pop(&mut self) -> Option<u8> {
        self.len = self.len.checked_sub(1)?;
        let byte = self.bytes[self.start];
        self.start = (self.start + 1) % PLACES;
        Some(byte)
    }

    /// Makes `byte` the oldest again; one that finds no place is lost.
    pub(crate) fn unpop(&mut self, byte: u8) {
        if self.len < PLACES {
            self.start = (self.start + PLACES - 1) % PLACES;
            self.bytes[self.start] = byte;
            self.len += 1;
        }
    }
}
