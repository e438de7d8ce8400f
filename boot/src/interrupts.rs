//! Ctrl-C and its kin, as values: a run ends in order, with QEMU stopped and temporary files gone.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

/// A file that grows beyond the user's limit is a write that fails, with a sentence and no temporary file left, instead of
/// a signal that ends us where we stand. Programs that we start get the signal as ever.
pub(crate) fn take_limits_for_errors() {
    // Nobody looks at the flag: what counts is that there is a handler.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
}

/// From its creation on, no signal of these kills the tool; someone has to look.
#[derive(Debug)]
pub(crate) struct Interrupts(Signals);

impl Interrupts {
    pub(crate) fn watch() -> Result<Self> {
        Ok(Self(
            Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM]).context("cannot watch for signals")?,
        ))
    }

    /// The signal that has come in the meantime.
    pub(crate) fn pending(&mut self) -> Option<i32> {
        self.0.pending().next()
    }

    /// Hands every signal, past and future, to `react`.
    pub(crate) fn forward(mut self, react: impl Fn(i32) + Send + 'static) {
        thread::spawn(move || self.0.forever().for_each(react));
    }
}
