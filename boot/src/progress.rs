//! Says what takes long: a spinner when a person watches standard error, else one plain line a step.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::say;

/// How much the tool says while it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    Normal,
    Quiet,
}

impl Voice {
    /// Starts a step that may take long.
    pub(crate) fn step(self, what: &str) -> Step {
        match self {
            Self::Quiet => Step {
                bar: ProgressBar::hidden(),
            },
            Self::Normal if io::stderr().is_terminal() => Step { bar: spinner(what) },
            Self::Normal => {
                say::line(format_args!("boot: {what}"));
                Step {
                    bar: ProgressBar::hidden(),
                }
            }
        }
    }
}

impl Voice {
    /// Starts a step of which it is known how many bytes it takes.
    pub(crate) fn measured(self, what: &str, bytes: u64) -> Step {
        let step = self.step(what);
        step.bar.disable_steady_tick();
        step.bar.set_length(bytes);
        if let Ok(style) = ProgressStyle::with_template(
            "{spinner} {prefix} [{bar:30}] {bytes} of {total_bytes}, {bytes_per_sec}",
        ) {
            step.bar.set_style(style.progress_chars("=> "));
        }
        step
    }
}

/// A step under way; it ends, and its spinner goes, when this is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    bar: ProgressBar,
}

impl Step {
    /// Shows what the step is at, where a spinner turns.
    pub(crate) fn detail(&self, text: &str) {
        self.bar.set_message(text.trim().to_owned());
    }

    /// Moves a measured step on.
    pub(crate) fn advance(&self, bytes: usize) {
        self.bar.inc(bytes as u64);
    }

    /// Prints a text without tearing the spinner.
    pub(crate) fn print(&self, text: &str) {
        self.bar.suspend(|| say::words(text));
    }

    /// Takes the spinner away for good; more than once does no harm.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn spinner(what: &str) -> ProgressBar {
    const TURN: Duration = Duration::from_millis(100);
    let bar = ProgressBar::new_spinner().with_prefix(what.to_owned());
    if let Ok(style) =
        ProgressStyle::with_template("{spinner} {prefix} [{elapsed}] {wide_msg:.dim}")
    {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TURN);
    bar
}
