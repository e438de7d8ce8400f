//! A text that is being put together: it grows as far as there is memory, up to a limit, and then says so.
use alloc::vec::Vec;
use core::fmt::{Error, Result, Write};

/// The longest text that one file, or one record of a file, may be.
const LIMIT: usize = 64 * 1024;

/// Text in memory.
#[derive(Default)]
pub(super) struct Text {
    bytes: Vec<u8>,
}

impl Text {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets all behind the first `len` bytes.
    pub(super) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }

    /// Adds bytes that need not be UTF-8.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result {
        if self.bytes.len() + bytes.len() > LIMIT {
            return Err(Error);
        }
        self.bytes.try_reserve(bytes.len()).map_err(|_| Error)?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> Result {
        self.push(text.as_bytes())
    }
}
