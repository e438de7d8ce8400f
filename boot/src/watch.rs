//! Waits for whatever comes first: QEMU's end, a signal, the timeout, or the moment for a picture of the screen.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::control::Control;
use crate::outcome::{KERNEL_PANICKED, Outcome};
use crate::screenshot;

/// What happens while a machine runs.
pub(crate) enum Event {
    QemuGone,
    OutputClosed,
    Signal(i32),
    /// The kernel said its exit code.
    Ended(u8),
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

    /// Waits until QEMU is gone (`None`) or has to go, and why.
    pub(crate) fn wait(
        mut self,
        events: &Receiver<Event>,
        control: &mut Control,
    ) -> Result<Option<Outcome>> {
        loop {
            return Ok(match events.recv_timeout(self.time_left()) {
                Ok(Event::QemuGone) | Err(RecvTimeoutError::Disconnected) => None,
                Ok(Event::OutputClosed) => Some(Outcome::OutputClosed),
                Ok(Event::Signal(signal)) => Some(Outcome::Interrupted(signal)),
                Ok(Event::Ended(code)) if self.waits_for_end() => {
                    self.take_picture(control)?;
                    Some(if code == KERNEL_PANICKED {
                        Outcome::Panic
                    } else {
                        Outcome::Program(code)
                    })
                }
                Ok(Event::Ended(_)) => continue,
                Err(RecvTimeoutError::Timeout) => {
                    self.take_picture(control)?;
                    match self
                        .timeout
                        .filter(|limit| *limit <= self.started.elapsed())
                    {
                        Some(limit) => Some(Outcome::Timeout(limit)),
                        None => continue,
                    }
                }
            });
        }
    }

    fn waits_for_end(&self) -> bool {
        self.picture
            .as_ref()
            .is_some_and(|picture| picture.moment == Moment::AtEnd)
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
