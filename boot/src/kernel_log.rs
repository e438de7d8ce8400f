//! The kernel's log on its way from COM1 to the person: firmware noise before the kernel's banner is dropped, addresses of
//! a backtrace get names, lines come out as soon as they are whole, records of the trace go to a file of their own.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};

use anyhow::{Context, Result};

use crate::symbols::Symbols;

/// The first word of the kernel's first line.
const BANNER: &[u8] = b"faultline:";

/// What the boot loader says where it can't go on; in the next line stands why.
const PANIC: &[u8] = b"panicked at ";

/// Firmware may be chatty; more than this of it is of no use to anyone.
const NOISE_KEPT: usize = 64 * 1024;

/// What is said where the trace, or the log, can't be written.
const NO_TRACE: &str = "cannot write the trace";
const NO_LOG: &str = "cannot write the kernel's log";

/// What stands between a line's time and a record of the trace.
const TRACE: &str = " trace: {";

/// The file that a trace goes to.
pub(crate) struct TraceFile {
    file: BufWriter<File>,
    /// Records of which a busy machine's port lost a part.
    damaged: u64,
}

impl TraceFile {
    pub(crate) fn new(file: File) -> Self {
        Self {
            file: BufWriter::new(file),
            damaged: 0,
        }
    }

    fn take(&mut self, record: &str) -> Result<()> {
        if serde_json::from_str::<serde_json::Value>(record).is_err() {
            self.damaged += 1;
            return Ok(());
        }
        writeln!(self.file, "{record}").context(NO_TRACE)
    }
}

/// Who speaks first on COM1, firmware aside.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum First {
    Kernel,
    /// The boot loader, which is silent unless it can't go on, and these are its words.
    LoaderFailed(String),
}

/// A filter between the raw bytes of COM1 and a sink.
pub(crate) struct KernelLog<W> {
    sink: W,
    symbols: Symbols,
    trace: Option<TraceFile>,
    /// Bytes that are not passed on yet: noise before the banner, later the unfinished line.
    pending: Vec<u8>,
    spoken: bool,
    loader_failed: bool,
}

impl<W: Write> KernelLog<W> {
    pub(crate) fn new(sink: W, symbols: Symbols, trace: Option<TraceFile>) -> Self {
        Self {
            sink,
            symbols,
            trace,
            pending: Vec::new(),
            spoken: false,
            loader_failed: false,
        }
    }

    /// Copies until the source ends, and says whether the kernel spoke. What it never introduced by its banner comes raw,
    /// at the very end.
    pub(crate) fn copy_from(
        &mut self,
        mut source: impl Read,
        mut on_first: impl FnMut(First),
    ) -> Result<bool> {
        let mut buffer = [0; 4096];
        loop {
            let read = match source.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            self.pending.extend_from_slice(&buffer[..read]);
            if let Some(first) = self.look_for_first() {
                on_first(first);
            }
            self.pass_whole_lines()?;
        }
        self.finish()?;
        Ok(self.spoken)
    }

    /// Whoever has just spoken first.
    fn look_for_first(&mut self) -> Option<First> {
        if self.spoken {
            return None;
        }
        if self.look_for_banner() {
            return Some(First::Kernel);
        }
        let words = self.loader_words().filter(|_| !self.loader_failed)?;
        self.loader_failed = true;
        Some(First::LoaderFailed(words))
    }

    /// The whole line behind the one that says where the loader stopped.
    fn loader_words(&self) -> Option<String> {
        let mut windows = self.pending.windows(PANIC.len());
        let start = windows.position(|window| window == PANIC)?;
        let mut lines = self.pending[start..].split_inclusive(|byte| *byte == b'\n');
        let words = lines.nth(1).filter(|line| line.ends_with(b"\n"))?;
        Some(String::from_utf8_lossy(words).trim().to_owned())
    }

    /// Drops what comes before the banner, or, as long as there is none, what is too old to be of use.
    fn look_for_banner(&mut self) -> bool {
        let mut windows = self.pending.windows(BANNER.len());
        let banner = windows.position(|window| window == BANNER);
        let surplus = self.pending.len().saturating_sub(NOISE_KEPT);
        self.pending.drain(..banner.unwrap_or(surplus));
        self.spoken = banner.is_some();
        self.spoken
    }

    fn pass_whole_lines(&mut self) -> Result<()> {
        if !self.spoken {
            return Ok(());
        }
        let Some(last) = self.pending.iter().rposition(|byte| *byte == b'\n') else {
            return Ok(());
        };
        let rest = self.pending.split_off(last + 1);
        let lines = std::mem::replace(&mut self.pending, rest);
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            self.pass(line.trim_ascii_end())?;
        }
        self.sink.flush().context(NO_LOG)
    }

    fn pass(&mut self, line: &[u8]) -> Result<()> {
        let text = String::from_utf8_lossy(line);
        if let Some(trace) = &mut self.trace
            && let Some(start) = text.find(TRACE)
        {
            return trace.take(&text[start + TRACE.len() - 1..]);
        }
        let passed = match self.symbols.explain(&text) {
            Some(explained) => writeln!(self.sink, "{explained}"),
            None => writeln!(self.sink, "{text}"),
        };
        passed.context(NO_LOG)
    }

    fn finish(&mut self) -> Result<()> {
        let rest = std::mem::take(&mut self.pending);
        match self.spoken {
            true if rest.is_empty() => {}
            true => self.pass(&rest)?,
            false => self.sink.write_all(&rest).context(NO_LOG)?,
        }
        if let Some(trace) = &mut self.trace {
            trace.file.flush().context(NO_TRACE)?;
            let damaged = trace.damaged;
            if damaged > 0 {
                writeln!(
                    self.sink,
                    "boot: {damaged} records of the trace were damaged on their way"
                )?;
            }
        }
        self.sink.flush().context(NO_LOG)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Yields a piece a read, as a wire does.
    struct Pieces<'a>(std::slice::Iter<'a, &'a str>);

    impl Read for Pieces<'_> {
        fn read(&mut self, mut buffer: &mut [u8]) -> io::Result<usize> {
            self.0
                .next()
                .map_or(Ok(0), |piece| buffer.write(piece.as_bytes()))
        }
    }

    fn filtered(pieces: &[&str]) -> String {
        let mut log = KernelLog::new(Vec::new(), Symbols::new(Path::new("/no/such/file")), None);
        let mut first = Vec::new();
        let copied = log.copy_from(Pieces(pieces.iter()), |speaker| first.push(speaker));
        let spoken = copied.expect("a Vec takes every byte");
        assert_eq!(first.contains(&First::Kernel), spoken);
        assert!(first.len() <= 1, "{first:?}");
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
    fn a_loader_that_gives_up_is_heard_once_and_whole() -> Result<()> {
        let mut log = KernelLog::new(io::sink(), Symbols::new(Path::new("/no/such/file")), None);
        let pieces = [
            "noise\r\nERROR: panicked at a.r",
            "s:1:2:\r\nno ",
            "memory\r\n",
            "\n",
        ];
        let mut first = Vec::new();
        let spoken = log.copy_from(Pieces(pieces.iter()), |speaker| first.push(speaker))?;
        assert_eq!(first, [First::LoaderFailed("no memory".to_owned())]);
        assert!(!spoken);
        Ok(())
    }

    #[test]
    fn an_unfinished_last_line_is_not_lost() {
        assert_eq!(
            filtered(&["faultline: a\nfaultline: b"]),
            "faultline: a\nfaultline: b\n"
        );
    }

    #[test]
    fn records_of_the_trace_leave_the_log_and_damaged_ones_are_counted() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("trace");
        let trace = TraceFile::new(File::create(&path)?);
        let symbols = Symbols::new(Path::new("/no/such/file"));
        let mut log = KernelLog::new(Vec::new(), symbols, Some(trace));
        let lines = [
            "faultline:    0.1 hello\n",
            "faultline:    0.2 trace: {\"pid\":1}\n",
            "faultline:    0.3 trace: {\"pid\nfaultline: bye\n",
        ];
        log.copy_from(Pieces(lines.iter()), |_| {})?;
        let text = String::from_utf8_lossy(&log.sink);
        assert_eq!(
            text,
            "faultline:    0.1 hello\nfaultline: bye\nboot: 1 records of the trace were damaged on their way\n"
        );
        assert_eq!(std::fs::read_to_string(path)?, "{\"pid\":1}\n");
        Ok(())
    }
}
