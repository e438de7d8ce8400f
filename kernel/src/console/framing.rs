//! End of file on a wire that has none: the escape that `boot` puts into the bytes on their way to standard input.
//!
//! DLE (0x10) begins an escape: `DLE DLE` is one byte 0x10, `DLE EOT` is the end of file. All else is literal.

const DLE: u8 = 0x10;
const EOT: u8 = 0x04;

/// What a byte on the wire turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// The first half of an escape.
    Nothing,
    /// A byte of the stream.
    Byte(u8),
    /// The stream is over.
    End,
}

/// Undoes the framing, a byte at a time.
pub(crate) struct Decoder {
    escaped: bool,
}

impl Decoder {
    /// A decoder at the beginning of a stream.
    pub(crate) const fn new() -> Self {
        Self { escaped: false }
    }

    /// Takes the next byte from the wire. An escape that does not exist stands for its second byte.
    pub(crate) fn decode(&mut self, byte: u8) -> Unit {
        let escaped = self.escaped;
        self.escaped = !escaped && byte == DLE;
        match (escaped, byte) {
            (false, DLE) => Unit::Nothing,
            (true, EOT) => Unit::End,
            (_, byte) => Unit::Byte(byte),
        }
    }
}
