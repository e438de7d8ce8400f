//! The kernel's log on its way from COM1 to the person: firmware noise before the kernel's banner is dropped, addresses of
//! a backtrace get names, lines come out as soon as they are whole.

use std::io::{self, Read, Write};

use crate::symbols::Symbols;

/// The first word of the kernel's first line.
const BANNER: &[u8] = b"faultline:";

/// Firmware may be chatty; more than this of it is of no use to anyone.
const NOISE_KEPT: usize = 64 * 1024;

/// A filter between the raw bytes of COM1 and a sink.
pub(crate) struct KernelLog<W> {
    sink: W,
    symbols: Symbols,
    /// Bytes that are not passed on yet: noise before the banner, later the unfinished line.
    pending: Vec<u8>,
    spoken: bool,
}

impl<W: Write> KernelLog<W> {
    pub(crate) fn new(sink: W, symbols: Symbols) -> Self {
        Self {
            sink,
            symbols,
            pending: Vec::new(),
            spoken: false,
        }
    }

    /// Copies until the source ends. What the kernel never introduced by its banner comes raw, at the very end.
    pub(crate) fn copy_from(
        &mut self,
        mut source: impl Read,
        mut on_banner: impl FnMut(),
    ) -> io::Result<()> {
        let mut buffer = [0; 4096];
        loop {
            let read = match source.read(&mut buffer) {
                Ok(0) => return self.finish(),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return self.finish(),
            };
            let was_silent = !self.spoken;
            self.push(&buffer[..read])?;
            if was_silent && self.spoken {
                on_banner();
            }
        }
    }

    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.pending.extend_from_slice(bytes);
        if !self.spoken {
            self.look_for_banner();
        }
        if self.spoken {
            self.pass_whole_lines()
        } else {
            Ok(())
        }
    }

    fn look_for_banner(&mut self) {
        match self
            .pending
            .windows(BANNER.len())
            .position(|window| window == BANNER)
        {
            Some(start) => {
                self.pending.drain(..start);
                self.spoken = true;
            }
            None => {
                let surplus = self.pending.len().saturating_sub(NOISE_KEPT);
                self.pending.drain(..surplus);
            }
        }
    }

    fn pass_whole_lines(&mut self) -> io::Result<()> {
        let Some(last) = self.pending.iter().rposition(|byte| *byte == b'\n') else {
            return Ok(());
        };
        let rest = self.pending.split_off(last + 1);
        let lines = std::mem::replace(&mut self.pending, rest);
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            self.pass(line.trim_ascii_end())?;
        }
        self.sink.flush()
    }

    fn pass(&mut self, line: &[u8]) -> io::Result<()> {
        let text = String::from_utf8_lossy(line);
        match self.symbols.explain(&text) {
            Some(explained) => writeln!(self.sink, "{explained}"),
            None => writeln!(self.sink, "{text}"),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.pending);
        match self.spoken {
            true if rest.is_empty() => {}
            true => self.pass(&rest)?,
            false => self.sink.write_all(&rest)?,
        }
        self.sink.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn filtered(pieces: &[&str]) -> String {
        let mut log = KernelLog::new(Vec::new(), Symbols::new(Path::new("/no/such/file")));
        for piece in pieces {
            log.push(piece.as_bytes()).expect("a Vec takes every byte");
        }
        log.finish().expect("a Vec takes every byte");
        String::from_utf8(log.sink).expect("the log is text")
    }

    #[test]
    fn firmware_noise_is_dropped_even_on_the_banners_own_line() {
        assert_eq!(
            filtered(&["BdsDxe: x\r\n\x1b[2Jfault", "line: hello\r\nmore", "\n"]),
            "faultline: hello\nmore\n"
        );
    }

    #[test]
    fn a_kernel_that_never_spoke_leaves_the_raw_bytes() {
        assert_eq!(filtered(&["Booting", " failed\r\n"]), "Booting failed\r\n");
    }

    #[test]
    fn an_unfinished_last_line_is_not_lost() {
        assert_eq!(
            filtered(&["faultline: a\nfaultline: b"]),
            "faultline: a\nfaultline: b\n"
        );
    }
}
