//! Waits for whatever comes first: QEMU's end, a signal, the timeout, or the moment for a picture of the screen.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::control::Control;
use crate::outcome::Outcome;
use crate::screenshot;

/// What happens while a machine runs.
pub(crate) enum Event {
    QemuGone,
    /// The boot loader stopped, with these words, before there was a kernel.
    LoaderFailed(String),
    /// Standard output takes no more.
    OutputFailed(io::Error),
    /// gdb has ended, with this exit code.
    DebuggerGone(u8),
    Signal(i32),
    /// The kernel says in which way it ends, and waits for us to end QEMU.
    Ending(u8),
}

/// Why there is nothing more to wait for.
pub(crate) enum End {
    /// QEMU ended; its exit status says why.
    Qemu,
    /// The kernel ended in this way, and QEMU is still there.
    Kernel(u8),
    /// Something outside of the machine.
    Forced(Outcome),
}

/// A picture of the screen to take.
pub(crate) struct Picture {
    pub(crate) to: PathBuf,
    pub(crate) scratch: PathBuf,
    pub(crate) moment: Moment,
}

/// When to take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    After(Duration),
    /// QEMU then has no device by which the kernel could end it; we do, once the picture is taken.
    AtEnd,
}

/// A run under way.
pub(crate) struct Watch {
    started: Instant,
    timeout: Option<Duration>,
    picture: Option<Picture>,
}

impl Watch {
    pub(crate) fn start(timeout: Option<Duration>, picture: Option<Picture>) -> Self {
        Self {
            started: Instant::now(),
            timeout,
            picture,
        }
    }

    /// Waits until QEMU is gone or has to go.
    pub(crate) fn wait(mut self, events: &Receiver<Event>, control: &mut Control) -> Result<End> {
        loop {
            return Ok(match events.recv_timeout(self.time_left()) {
                Ok(Event::QemuGone) | Err(RecvTimeoutError::Disconnected) => End::Qemu,
                Ok(Event::OutputFailed(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                    End::Forced(Outcome::OutputClosed)
                }
                Ok(Event::OutputFailed(error)) => {
                    return Err(error).context("cannot write the program's output");
                }
                Ok(Event::LoaderFailed(words)) => End::Forced(Outcome::LoaderFailed(words)),
                Ok(Event::DebuggerGone(code)) => End::Forced(Outcome::Debugged(code)),
                Ok(Event::Signal(signal)) => End::Forced(Outcome::Interrupted(signal)),
                Ok(Event::Ending(kind)) => {
                    self.take_picture(control)?;
                    End::Kernel(kind)
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.take_picture(control)?;
                    match self
                        .timeout
                        .filter(|limit| *limit <= self.started.elapsed())
                    {
                        Some(limit) => End::Forced(Outcome::Timeout(limit)),
                        None => continue,
                    }
                }
            });
        }
    }

    fn time_left(&self) -> Duration {
        const LONG: Duration = Duration::from_secs(1 << 30);
        let picture = self
            .picture
            .as_ref()
            .and_then(|picture| match picture.moment {
                Moment::After(delay) => Some(delay),
                Moment::AtEnd => None,
            });
        let next = self
            .timeout
            .into_iter()
            .chain(picture)
            .min()
            .unwrap_or(LONG);
        next.saturating_sub(self.started.elapsed())
    }

    /// Takes the picture unless it is taken.
    fn take_picture(&mut self, control: &mut Control) -> Result<()> {
        let Some(picture) = self.picture.take() else {
            return Ok(());
        };
        control.dump_screen(&picture.scratch)?;
        screenshot::convert(&picture.scratch, &picture.to)
    }
}
