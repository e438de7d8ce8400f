//! How a run can end: one exit code and one sentence each, so that scripts and people can tell the ways apart.

use std::fmt;
use std::time::Duration;

/// The tool itself could not do what was asked.
pub(crate) const TOOL_FAILED: u8 = 253;

/// The way in which a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// `init`, or the program that it ran, ended with this code; 128 + n stands for signal n.
    Program(u8),
    /// The guest asked for power-off or reboot in an orderly way.
    PowerOff,
    /// The kernel panicked; its report is in the log.
    Panic,
    /// The kernel can't run on this machine; its log says why.
    Refused,
    /// The machine reset without a word: a triple fault.
    Reset,
    /// The same before the kernel had said anything.
    EarlyReset,
    /// The boot loader stopped, with these words.
    LoaderFailed(String),
    /// The run took longer than `--timeout` allows.
    Timeout(Duration),
    /// This tool was told to stop by a signal.
    Interrupted(i32),
    /// Whoever read the program's output went away.
    OutputClosed,
    /// The debugger ended, and the machine with it.
    Debugged(u8),
    /// The person at the machine closed QEMU's window.
    WindowClosed,
}

impl Outcome {
    /// The exit code of the command.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Program(code) | Self::Debugged(code) => *code,
            Self::PowerOff | Self::WindowClosed => 0,
            Self::Panic | Self::Refused => 250,
            Self::Reset | Self::EarlyReset => 251,
            Self::LoaderFailed(_) => TOOL_FAILED,
            Self::Timeout(_) => 252,
            Self::Interrupted(signal) => 128_u8.saturating_add(u8::try_from(*signal).unwrap_or(0)),
            Self::OutputClosed => 141,
        }
    }

    /// Whether there is nothing to say.
    pub(crate) fn is_quiet(&self) -> bool {
        matches!(
            self,
            Self::Program(0) | Self::Debugged(0) | Self::PowerOff | Self::OutputClosed
        )
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(code) => match signal_name(*code) {
                Some(name) => write!(f, "the program was killed by {name} (exit code {code})"),
                None => write!(f, "the program ended with exit code {code}"),
            },
            Self::PowerOff => write!(f, "the machine was switched off in good order"),
            Self::Panic => write!(f, "the kernel panicked; its log says where and why"),
            Self::Refused => write!(f, "the kernel can't run on this machine; its log says why"),
            Self::Reset => write!(
                f,
                "the machine reset itself (a triple fault); try again with --option loglevel=trace, or --gdb"
            ),
            Self::EarlyReset => write!(
                f,
                "the machine reset itself before the kernel spoke (a triple fault of firmware or loader); try another --cpu, or more --memory"
            ),
            Self::LoaderFailed(words) => write!(
                f,
                "the boot loader gave up before the kernel ran: {words}{}",
                advice(words)
            ),
            Self::Timeout(limit) => write!(
                f,
                "the machine was stopped because it ran longer than --timeout allows ({} s)",
                limit.as_secs()
            ),
            Self::Interrupted(signal) => write!(f, "stopped by signal {signal}"),
            Self::OutputClosed => write!(f, "nobody reads the program's output any more"),
            Self::Debugged(code) => write!(f, "gdb ended with exit code {code}"),
            Self::WindowClosed => write!(f, "QEMU's window was closed"),
        }
    }
}

/// What helps where the loader ran out of memory.
fn advice(words: &str) -> &'static str {
    let is_of_memory = ["llocat", "OUT_OF_RESOURCES"].map(|word| words.contains(word));
    if is_of_memory.contains(&true) {
        "; give the machine more --memory"
    } else {
        ""
    }
}

/// The signal that a shell's exit code stands for; a program may also choose such a code itself.
fn signal_name(code: u8) -> Option<String> {
    let number = code.checked_sub(128).filter(|n| (1..=64).contains(n))?;
    let name = match signal_hook::low_level::signal_name(i32::from(number)) {
        Some(name) => format!("{name}, signal {number}"),
        None => format!("signal {number}"),
    };
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_named_and_a_plain_code_is_not() {
        assert!(Outcome::Program(139).to_string().contains("SIGSEGV"));
        assert!(Outcome::Program(3).to_string().contains("exit code 3"));
        assert!(!Outcome::Program(255).to_string().contains("signal"));
    }

    #[test]
    fn every_way_to_end_badly_has_a_code_of_its_own() {
        let codes = [
            Outcome::Panic,
            Outcome::Reset,
            Outcome::Timeout(Duration::ZERO),
        ]
        .map(|o| o.code());
        assert_eq!(codes, [250, 251, 252]);
    }
}
