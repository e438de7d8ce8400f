//! A machine under way: QEMU as a child that never outlives us, its wires, and what its exit status means.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::Signal;
use signal_hook::consts::SIGINT;

use crate::children;
use crate::control::Control;
use crate::debug::Debugger;
use crate::interrupts::Interrupts;
use crate::outcome::Outcome;
use crate::processor;
use crate::progress::Step;
use crate::qemu::QEMU;
use crate::streams::{self, Log};
use crate::watch::{End, Event, Picture, Watch};
use crate::wires::{self, Far, Numbers};

/// What a run needs to know besides QEMU's command line.
pub(crate) struct Plan {
    pub(crate) timeout: Option<Duration>,
    pub(crate) picture: Option<Picture>,
    /// How often the machine is interrupted by an NMI.
    pub(crate) nmi: Option<Duration>,
    pub(crate) log: Log,
    /// Who lets the machine run.
    pub(crate) starter: Starter,
    /// Has the terminal, if it is there.
    pub(crate) debugger: Option<Debugger>,
    /// Shown until the kernel speaks.
    pub(crate) booting: Step,
    pub(crate) interrupts: Interrupts,
}

/// Who says that a machine's processors may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Starter {
    Us,
    /// A debugger, whenever it likes.
    Debugger,
}

/// Starts the machine and stays with it until it ends, by itself or by force.
pub(crate) fn run(arguments: impl FnOnce(Numbers) -> Vec<OsString>, plan: Plan) -> Result<Outcome> {
    let (near, far) = wires::lay()?;
    let mut qemu = Qemu(spawn(&arguments(far.numbers()), far)?);
    let (event, events) = channel();
    let (signal, gone) = (event.clone(), event.clone());
    let is_debugged = plan.debugger.is_some();
    plan.interrupts.forward(move |number| {
        // A Ctrl-C at gdb stops the machine, not us.
        if !(is_debugged && number == SIGINT) {
            drop(signal.send(Event::Signal(number)));
        }
    });
    let on_end = move || drop(gone.send(Event::QemuGone));
    let mut control = set_off(Control::open(near.control, on_end)?, plan.starter)?;
    let complaints = streams::collect(qemu.0.stderr.take());
    let (gate, gate_opens) = channel();
    let log = streams::follow_log(
        near.log,
        plan.log,
        plan.booting.clone(),
        gate.clone(),
        event.clone(),
    );
    let output = streams::pass_output(near.output, plan.booting.clone(), event.clone());
    let gate_opens = match plan.nmi {
        Some(period) => control.inject_nmis(gate_opens, period)?,
        None => gate_opens,
    };
    let debugger = match plan.debugger {
        Some(debugger) => Some(debugger.start(event.clone())),
        None => {
            streams::pass_input(near.input, gate_opens);
            None
        }
    };
    let code = streams::follow_code(near.code, gate);
    streams::follow_ending(near.ending, event);

    let end = Watch::start(plan.timeout, plan.picture).wait(&events, &mut control)?;
    if !matches!(end, End::Qemu) {
        qemu.kill();
    }
    let status = qemu.0.wait().context("QEMU is lost")?.code();
    plan.booting.finish();
    // QEMU's end closed every wire, so that each thread sees the last byte and then the end.
    let has_spoken = joined(log)??;
    joined(output)?;
    let (code, reason, complaints) = (
        joined(code)?,
        control.shutdown_reason(),
        joined(complaints)?,
    );
    // A machine that ended by itself leaves gdb with whoever sits at it; where we are to end, it ends with us.
    let debugged = match &end {
        End::Forced(Outcome::Interrupted(_)) => None,
        _ => debugger.map(joined).transpose()?,
    };
    match (end, debugged) {
        (End::Forced(outcome), _) => Ok(outcome),
        // gdb may have ended QEMU, which then looks like a reset.
        (_, Some(code)) => Ok(Outcome::Debugged(code)),
        (End::Kernel(kind), None) => judge(Some(exit_status(kind)), code, None, ""),
        (End::Qemu, None) => match judge(status, code, reason.as_deref(), &complaints)? {
            Outcome::Reset if !has_spoken => Ok(Outcome::EarlyReset),
            outcome => Ok(outcome),
        },
    }
}

/// Lets the machine run, unless its processor is none for us or somebody else is to say so.
fn set_off(mut control: Control, starter: Starter) -> Result<Control> {
    processor::check(&mut control)?;
    if starter == Starter::Us {
        control.start();
    }
    Ok(control)
}

/// How isa-debug-exit turns the kernel's word into QEMU's exit status.
const fn exit_status(kind: u8) -> i32 {
    (kind as i32) << 1 | 1
}

fn joined<T>(thread: JoinHandle<T>) -> Result<T> {
    thread
        .join()
        .map_err(|_| anyhow!("a thread of this tool panicked"))
}

/// What QEMU's exit status means.
fn judge(
    status: Option<i32>,
    code: Option<u8>,
    reason: Option<&str>,
    complaints: &str,
) -> Result<Outcome> {
    const PROGRAM: i32 = exit_status(0x10);
    const PANIC: i32 = exit_status(0x11);
    const POWER_OFF: i32 = exit_status(0x12);
    const REFUSED: i32 = exit_status(0x13);
    match (status, reason) {
        (Some(PROGRAM), _) => code
            .map(Outcome::Program)
            .context("the kernel ended the run without an exit code"),
        (Some(PANIC), _) => Ok(Outcome::Panic),
        (Some(REFUSED), _) => Ok(Outcome::Refused),
        (Some(POWER_OFF), _) | (Some(0), Some("guest-shutdown")) => Ok(Outcome::PowerOff),
        (Some(0), Some("host-ui")) => Ok(Outcome::WindowClosed),
        (Some(0), Some("guest-reset")) => Ok(Outcome::Reset),
        (Some(0), Some(reason)) => bail!("somebody else ended QEMU ({reason})"),
        // It was asked for a list of what it knows, which it has printed.
        (Some(0), None) => bail!("QEMU ended without starting the machine"),
        _ => {
            let complaint = complaints
                .trim()
                .lines()
                .last()
                .unwrap_or("it does not say why");
            bail!("QEMU failed: {complaint}")
        }
    }
}

struct Qemu(Child);

impl Qemu {
    fn kill(&mut self) {
        // It may have ended in the meantime, which is just as well.
        let _ = self.0.kill();
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        self.kill();
        let _ = self.0.wait();
    }
}

/// Starts QEMU in a process group of its own: a Ctrl-C is for us, and we end QEMU in order.
fn spawn(arguments: &[OsString], far: Far) -> Result<Child> {
    let mut command = Command::new(QEMU);
    command
        .args(arguments)
        .process_group(0)
        .stderr(Stdio::piped());
    far.give_to(&mut command);
    children::end_with_us(&mut command, Signal::KILL);
    command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            anyhow!("{QEMU} is not installed: run boot/setup.sh, or install QEMU for x86")
        }
        _ => anyhow!("cannot start {QEMU}: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_to_end_are_told_apart() {
        let judged = |status, reason| {
            judge(Some(status), Some(7), reason, "a\nb").map_err(|error| error.to_string())
        };
        assert_eq!(judged(0x21, None), Ok(Outcome::Program(7)));
        assert_eq!(judged(0x23, None), Ok(Outcome::Panic));
        assert_eq!(judged(0x25, None), Ok(Outcome::PowerOff));
        assert_eq!(judged(0x27, None), Ok(Outcome::Refused));
        assert_eq!(judged(0, Some("guest-reset")), Ok(Outcome::Reset));
        assert_eq!(judged(0, Some("host-ui")), Ok(Outcome::WindowClosed));
        assert_eq!(judged(1, None), Err("QEMU failed: b".to_owned()));
        assert!(judged(0, None).is_err_and(|words| words.contains("without starting")));
        assert!(judged(0, Some("host-qmp-quit")).is_err_and(|words| words.contains("else")));
    }

    #[test]
    fn an_end_without_a_code_is_no_success() {
        assert!(judge(Some(0x21), None, None, "").is_err());
    }
}
