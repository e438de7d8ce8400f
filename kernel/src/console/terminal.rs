//! Input between its arrival and its reader: lines under edit, finished bytes, the end of file.
//!
//! Bytes that another program sends (`framed`) go straight to the readers. Keys, from a keyboard or from a serial
//! terminal, pass through a line discipline first, as small as one can live with: echo, backspace, Ctrl-U, Enter, Ctrl-D.
//! Nothing that arrived is ever dropped: while [`Terminal::has_room`] says no, bytes stay in the device that has them,
//! which holds the sender back in turn.
use super::framing::{Decoder, Unit};
use super::ring::Ring;

/// Bytes that a line may grow to before it is handed on unfinished.
const LINE: usize = 512;

const CTRL_D: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const CTRL_U: u8 = 0x15;
const DELETE: u8 = 0x7f;

/// What a reader gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// So many bytes, at least one.
    Bytes(usize),
    /// The end of file: a read of no bytes.
    Eof,
    /// Nothing yet.
    Empty,
}

/// How much a read takes of what has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// As much as fits: a pipe.
    All,
    /// At most to the end of a line: a terminal.
    Line,
}

/// Whether the input ends behind the bytes that wait.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// It goes on.
    No,
    /// One read sees an end of file, then it goes on (Ctrl-D).
    Once,
    /// It is over.
    Forever,
}

/// Input on its way to the programs.
pub(crate) struct Terminal {
    ring: Ring,
    end: End,
    decoder: Decoder,
    line: [u8; LINE],
    len: usize,
}

impl Terminal {
    /// Nothing typed, nothing arrived.
    pub(crate) const fn new() -> Self {
        Self {
            ring: Ring::new(),
            end: End::No,
            decoder: Decoder::new(),
            line: [0; LINE],
            len: 0,
        }
    }

    /// Whether one more byte may be taken from a device. The line under edit has its place in the ring already.
    pub(crate) fn has_room(&self) -> bool {
        self.end == End::No && self.ring.room() > self.len
    }

    /// Takes a byte of a framed stream.
    pub(crate) fn framed(&mut self, byte: u8) {
        match self.decoder.decode(byte) {
            Unit::Nothing => {}
            Unit::Byte(byte) => self.ring.push(byte),
            Unit::End => self.end = End::Forever,
        }
    }

    /// Takes a key and shows on `echo` what it does.
    pub(crate) fn typed(&mut self, key: u8, mut echo: impl FnMut(&[u8])) {
        match key {
            b'\r' | b'\n' => {
                echo(b"\n");
                self.hand_over();
                self.ring.push(b'\n');
            }
            CTRL_D if self.len == 0 => self.end = End::Once,
            CTRL_D => self.hand_over(),
            BACKSPACE | DELETE => self.erase(&mut echo),
            CTRL_U => {
                while self.len > 0 {
                    self.erase(&mut echo);
                }
            }
            _ => self.append(key, echo),
        }
    }

    fn append(&mut self, key: u8, mut echo: impl FnMut(&[u8])) {
        if self.len == LINE {
            self.hand_over();
        }
        self.line[self.len] = key;
        self.len += 1;
        match key {
            b'\t' => echo(b" "),
            b' '..=b'~' | 0x80.. => echo(&[key]),
            control => echo(&[b'^', control ^ 0x40]),
        }
    }

    /// Takes back the last character of the line: all of its bytes, if it is one of several.
    fn erase(&mut self, echo: &mut impl FnMut(&[u8])) {
        while let Some(last) = self.len.checked_sub(1) {
            self.len = last;
            match self.line[last] {
                0x80..0xc0 => continue,
                b'\t' | b' '..=b'~' | 0xc0.. => echo(b"\x08 \x08"),
                _control => echo(b"\x08\x08  \x08\x08"),
            }
            return;
        }
    }

    /// Gives the line, finished or not, to the readers.
    fn hand_over(&mut self) {
        for &byte in &self.line[..self.len] {
            self.ring.push(byte);
        }
        self.len = 0;
    }

    /// Moves what has arrived to a reader with a buffer that is not empty.
    pub(crate) fn read(&mut self, buffer: &mut [u8], extent: Extent) -> Input {
        let mut count = 0;
        for slot in buffer.iter_mut() {
            let Some(byte) = self.ring.pop() else { break };
            *slot = byte;
            count += 1;
            if byte == b'\n' && extent == Extent::Line {
                break;
            }
        }
        match (count, self.end) {
            (1.., _) => Input::Bytes(count),
            (0, End::No) => Input::Empty,
            (0, End::Forever) => Input::Eof,
            (0, End::Once) => {
                self.end = End::No;
                Input::Eof
            }
        }
    }

    /// Whether a reader would get something, be it the end of file.
    pub(crate) fn has_input(&self) -> bool {
        !self.ring.is_empty() || self.end != End::No
    }

    /// Takes back what [`Terminal::read`] gave out last.
    pub(crate) fn unread(&mut self, bytes: &[u8]) {
        bytes.iter().rev().for_each(|&byte| self.ring.unpop(byte));
    }
}
