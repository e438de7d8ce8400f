//! The host's standard input on its way to COM3. A serial line knows no end of file, so a DLE byte escapes: DLE DLE is one
//! DLE, DLE EOT is the end.

use std::io::{self, Read, Write};

const DLE: u8 = 0x10;
const EOT: u8 = 0x04;

/// Copies everything, then says that it ended. A sink that breaks means that the machine is gone, which ends the copy.
pub(crate) fn relay(mut from: impl Read, mut to: impl Write) {
    let mut buffer = [0; 4096];
    let mut framed = Vec::with_capacity(2 * buffer.len());
    loop {
        framed.clear();
        let ended = match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => true,
            Ok(read) => {
                frame(&buffer[..read], &mut framed);
                false
            }
        };
        if ended {
            framed.extend([DLE, EOT]);
        }
        if to.write_all(&framed).is_err() || ended {
            return;
        }
    }
}

fn frame(bytes: &[u8], framed: &mut Vec<u8>) {
    for &byte in bytes {
        framed.push(byte);
        if byte == DLE {
            framed.push(DLE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_byte_is_doubled_and_the_end_is_said_once() {
        let mut sent = Vec::new();
        relay(&b"a\x10\x04b"[..], &mut sent);
        assert_eq!(sent, b"a\x10\x10\x04b\x10\x04");
    }

    #[test]
    fn an_empty_input_is_just_an_end() {
        let mut sent = Vec::new();
        relay(io::empty(), &mut sent);
        assert_eq!(sent, [DLE, EOT]);
    }
}
