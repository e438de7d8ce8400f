//! What the tool itself says. Neither a full disk nor a reader that went away may turn a sentence into a panic, which is
//! what the standard library's macros make of it.

use std::fmt::Display;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::{Context, Result};

use crate::outcome::Outcome;

/// A line on standard error. Where that takes nothing, nobody is left to be told.
pub(crate) fn line(text: impl Display) {
    words(format_args!("{text}\n"));
}

/// The same without an end of line, as in a question.
pub(crate) fn words(text: impl Display) {
    let _ = write!(io::stderr(), "{text}");
}

/// What a subcommand was asked for: paths on standard output, one a line, each byte as the file system has it.
pub(crate) fn paths<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<Outcome> {
    for path in paths {
        let line = [path.as_os_str().as_bytes(), b"\n"].concat();
        match io::stdout().write_all(&line) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                return Ok(Outcome::OutputClosed);
            }
            written => written.context("cannot write to standard output")?,
        }
    }
    Ok(Outcome::Program(0))
}
