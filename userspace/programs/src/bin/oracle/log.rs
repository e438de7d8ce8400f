//! What a process of a program has to say: every word of it, or one number that stands for all.
//!
//! A machine's serial line is slow, and nearly all logs are equal. So a batch runs with digests first, and the few
//! programs whose digests differ run again in full.

use core::fmt::{self, Write};

use rt::io::{STDOUT, write_all};
use rt::print;

/// Bits of a program's mode.
pub(crate) mod mode {
    /// Minor faults are counted.
    pub(crate) const COUNTED: usize = 1;
    /// Every line is logged, not their digest.
    pub(crate) const FULL: usize = 2;
    /// Residency is shown.
    pub(crate) const RESIDENT: usize = 4;
    /// Files in memory are shown at the end.
    pub(crate) const MEMORY_FILES: usize = 8;
    /// There is a folder for files with names, shown at the end.
    pub(crate) const NAMES: usize = 16;
}

/// The text since it was last written, or its digest.
pub(crate) struct Log {
    pub(crate) mode: usize,
    digest: u64,
    bytes: [u8; 1024],
    used: usize,
}

impl Log {
    pub(crate) fn new(mode: usize) -> Self {
        Self {
            mode,
            digest: Self::EMPTY,
            bytes: [0; 1024],
            used: 0,
        }
    }

    const EMPTY: u64 = 0xcbf2_9ce4_8422_2325;

    pub(crate) fn is(&self, bit: usize) -> bool {
        self.mode & bit != 0
    }

    /// Forgets what is here: a child does not repeat its parent's words.
    pub(crate) fn clear(&mut self) {
        self.used = 0;
        self.digest = Self::EMPTY;
    }

    /// Ends a line.
    pub(crate) fn line(&mut self) {
        let _ = self.write_char('\n');
        if self.is(mode::FULL) {
            self.write_out();
        }
    }

    /// Writes what is here, before something that may not come back.
    pub(crate) fn flush(&mut self, index: usize) {
        self.write_out();
        if !self.is(mode::FULL) {
            print!("{index:x} {:x}\n", self.digest);
            self.clear();
        }
    }

    fn write_out(&mut self) {
        let used = core::mem::take(&mut self.used);
        write_all(STDOUT, &self.bytes[..used]).expect("write");
    }

    fn keep(&mut self, byte: u8) {
        if self.used == self.bytes.len() {
            self.write_out();
        }
        self.bytes[self.used] = byte;
        self.used += 1;
    }
}

impl Write for Log {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if self.is(mode::FULL) {
                self.keep(byte);
            } else {
                self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
            }
        }
        Ok(())
    }
}
