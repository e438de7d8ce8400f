//! A machine under way: QEMU as a child, one thread a wire, and one loop that waits for whatever comes first. QEMU speaks
//! through inherited sockets only, so there is nothing in the file system to clash with another run or to be left behind.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::control::Control;
use crate::interrupts::Interrupts;
use crate::kernel_log::KernelLog;
use crate::outcome::Outcome;
use crate::progress::Step;
use crate::qemu::{QEMU, Wires};
use crate::screenshot;
use crate::stdin;

/// What a run needs to know besides QEMU's command line.
pub(crate) struct Plan {
    pub timeout: Option<Duration>,
    pub picture: Option<Picture>,
    pub log: KernelLog<Box<dyn Write + Send>>,
    /// Shown until the kernel speaks.
    pub booting: Step,
    pub interrupts: Interrupts,
}

/// A picture of the screen to take.
pub(crate) struct Picture {
    pub to: PathBuf,
    pub scratch: PathBuf,
    /// After so long; otherwise just before the end.
    pub after: Option<Duration>,
}

enum Event {
    QemuGone,
    OutputClosed,
    Signal(i32),
    /// The kernel says how it ends, and QEMU is still there.
    Ending(u8),
}

/// Starts the machine and stays with it until it ends, by itself or by force.
pub(crate) fn run(
    arguments: impl FnOnce(Wires) -> Result<Vec<OsString>>,
    plan: Plan,
) -> Result<Outcome> {
    let picture_at_end = plan
        .picture
        .as_ref()
        .is_some_and(|picture| picture.after.is_none());
    let (host, far) = sockets()?;
    let wires = far.wires(if picture_at_end {
        Some(far.ending.as_raw_fd())
    } else {
        None
    });
    let mut qemu = Qemu(spawn(&arguments(wires)?, far)?);
    let (event, events) = channel();
    forward_signals(plan.interrupts, &event);
    let gone = event.clone();
    let mut control = Control::open(host.control, move || drop(gone.send(Event::QemuGone)))?;
    let complaints = collect(qemu.0.stderr.take());
    let (open_gate, gate) = channel();
    let log = follow_log(host.log, plan.log, plan.booting.clone(), open_gate.clone());
    let output = pass_output(host.stdio.try_clone()?, plan.booting, event.clone());
    pass_input(host.stdio, gate);
    let code = follow_code(host.code, open_gate);
    follow_ending(host.ending, event);

    let watch = Watch {
        started: Instant::now(),
        timeout: plan.timeout,
        picture: plan.picture,
    };
    let forced = watch.wait(&events, &mut control)?;
    if forced.is_some() {
        qemu.kill();
    }
    let status = qemu.0.wait().context("QEMU is lost")?.code();
    let reason = control.shutdown_reason();
    let written = log
        .join()
        .map_err(|_| anyhow!("the log's thread panicked"))?;
    written.context("cannot write the kernel's log")?;
    output
        .join()
        .map_err(|_| anyhow!("the output's thread panicked"))?;
    let code = code.join().unwrap_or_default();
    match forced {
        Some(Verdict::Kind(kind)) => judge(Some(i32::from(kind) << 1 | 1), code, None, ""),
        Some(Verdict::Outcome(outcome)) => Ok(outcome),
        None => judge(
            status,
            code,
            reason.as_deref(),
            &complaints.join().unwrap_or_default(),
        ),
    }
}

/// Why the run was ended from outside.
enum Verdict {
    Outcome(Outcome),
    Kind(u8),
}

struct Watch {
    started: Instant,
    timeout: Option<Duration>,
    picture: Option<Picture>,
}

impl Watch {
    /// Waits until QEMU is gone (`None`) or has to go.
    fn wait(mut self, events: &Receiver<Event>, control: &mut Control) -> Result<Option<Verdict>> {
        loop {
            let verdict = match events.recv_timeout(self.time_left()) {
                Ok(Event::QemuGone) | Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Ok(Event::OutputClosed) => Verdict::Outcome(Outcome::OutputClosed),
                Ok(Event::Signal(signal)) => Verdict::Outcome(Outcome::Interrupted(signal)),
                Ok(Event::Ending(kind)) => {
                    self.take_picture(control)?;
                    Verdict::Kind(kind)
                }
                Err(RecvTimeoutError::Timeout) => match self.late() {
                    Some(limit) => Verdict::Outcome(Outcome::Timeout(limit)),
                    None => {
                        self.take_picture(control)?;
                        continue;
                    }
                },
            };
            if matches!(verdict, Verdict::Outcome(Outcome::Timeout(_))) {
                self.take_picture(control)?;
            }
            return Ok(Some(verdict));
        }
    }

    fn time_left(&self) -> Duration {
        const LONG: Duration = Duration::from_secs(1 << 30);
        let picture = self.picture.as_ref().and_then(|picture| picture.after);
        let next = self
            .timeout
            .into_iter()
            .chain(picture)
            .min()
            .unwrap_or(LONG);
        next.saturating_sub(self.started.elapsed())
    }

    fn late(&self) -> Option<Duration> {
        self.timeout
            .filter(|limit| *limit <= self.started.elapsed())
    }

    fn take_picture(&mut self, control: &mut Control) -> Result<()> {
        let Some(picture) = self.picture.take() else {
            return Ok(());
        };
        control.dump_screen(&picture.scratch)?;
        screenshot::convert(&picture.scratch, &picture.to)
    }
}

/// What QEMU's exit status means; the kernel chooses it through isa-debug-exit, as (kind << 1) | 1.
fn judge(
    status: Option<i32>,
    code: Option<u8>,
    reason: Option<&str>,
    complaints: &str,
) -> Result<Outcome> {
    const PROGRAM: i32 = 0x21;
    const PANIC: i32 = 0x23;
    const POWER_OFF: i32 = 0x25;
    match (status, reason) {
        (Some(PROGRAM), _) => code
            .map(Outcome::Program)
            .context("the kernel ended the run without an exit code"),
        (Some(PANIC), _) => Ok(Outcome::Panic),
        (Some(POWER_OFF), _) | (Some(0), Some("guest-shutdown")) => Ok(Outcome::PowerOff),
        (Some(0), Some("host-ui")) => Ok(Outcome::WindowClosed),
        (Some(0), _) => Ok(Outcome::Reset),
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

/// QEMU, never to outlive us.
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

/// One end of every wire.
struct Ends {
    log: UnixStream,
    stdio: UnixStream,
    code: UnixStream,
    control: UnixStream,
    ending: UnixStream,
}

impl Ends {
    fn wires(&self, ending: Option<i32>) -> Wires {
        Wires {
            log: self.log.as_raw_fd(),
            stdio: self.stdio.as_raw_fd(),
            code: self.code.as_raw_fd(),
            control: self.control.as_raw_fd(),
            ending,
        }
    }

    /// Lets the calling process hand the ends to the program that it is about to become.
    fn keep_across_exec(&self) -> io::Result<()> {
        for end in [
            &self.log,
            &self.stdio,
            &self.code,
            &self.control,
            &self.ending,
        ] {
            rustix::io::fcntl_setfd(end, rustix::io::FdFlags::empty())?;
        }
        Ok(())
    }
}

fn sockets() -> Result<(Ends, Ends)> {
    let pair = || UnixStream::pair().context("cannot make a pair of sockets");
    let (log, stdio, code, control, ending) = (pair()?, pair()?, pair()?, pair()?, pair()?);
    let host = Ends {
        log: log.0,
        stdio: stdio.0,
        code: code.0,
        control: control.0,
        ending: ending.0,
    };
    let far = Ends {
        log: log.1,
        stdio: stdio.1,
        code: code.1,
        control: control.1,
        ending: ending.1,
    };
    Ok((host, far))
}

/// Starts QEMU in a process group of its own: a Ctrl-C is for us, and we end QEMU in order.
fn spawn(arguments: &[OsString], far: Ends) -> Result<Child> {
    let mut command = Command::new(QEMU);
    command.args(arguments).process_group(0);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let prepare = move || {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        far.keep_across_exec()
    };
    // SAFETY: between fork and exec the closure makes only plain system calls (prctl, fcntl): it neither allocates nor
    // takes a lock.
    unsafe { command.pre_exec(prepare) };
    command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            anyhow!("{QEMU} is not installed: run boot/setup.sh, or install QEMU for x86")
        }
        _ => anyhow!("cannot start {QEMU}: {error}"),
    })
}

fn forward_signals(interrupts: Interrupts, event: &Sender<Event>) {
    let event = event.clone();
    interrupts.forward(move |signal| drop(event.send(Event::Signal(signal))));
}

fn collect(from: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            // What was read before an error is still worth showing.
            let _ = from.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn follow_log(
    from: UnixStream,
    mut log: KernelLog<Box<dyn Write + Send>>,
    booting: Step,
    open_gate: Sender<()>,
) -> JoinHandle<io::Result<()>> {
    thread::spawn(move || {
        log.copy_from(from, || {
            booting.finish();
            open_gate_later(open_gate.clone());
        })
    })
}

/// A kernel that never says that it is ready for input gets it anyway, a while after it spoke first.
fn open_gate_later(gate: Sender<()>) {
    const PATIENCE: Duration = Duration::from_secs(3);
    thread::spawn(move || {
        thread::sleep(PATIENCE);
        gate.send(())
    });
}

fn pass_output(mut from: UnixStream, booting: Step, event: Sender<Event>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(read) = from.read(&mut buffer)
            && read > 0
        {
            booting.finish();
            let mut stdout = io::stdout().lock();
            if stdout
                .write_all(&buffer[..read])
                .and_then(|()| stdout.flush())
                .is_err()
            {
                drop(event.send(Event::OutputClosed));
                return;
            }
        }
    })
}

/// Nobody waits for this thread: it may sit in a read of the terminal when the machine ends.
fn pass_input(to: UnixStream, gate: Receiver<()>) {
    thread::spawn(move || {
        if gate.recv().is_ok() {
            stdin::relay(io::stdin().lock(), to);
        }
    });
}

/// The first byte means that the kernel listens on COM3; the last one is the exit code.
fn follow_code(mut from: UnixStream, open_gate: Sender<()>) -> JoinHandle<Option<u8>> {
    thread::spawn(move || {
        let (mut last, mut byte) = (None, [0]);
        while let Ok(1) = from.read(&mut byte) {
            last = Some(byte[0]);
            let _ = open_gate.send(());
        }
        last
    })
}

fn follow_ending(mut from: UnixStream, event: Sender<Event>) {
    thread::spawn(move || {
        let mut kind = [0];
        if let Ok(1) = from.read(&mut kind) {
            drop(event.send(Event::Ending(kind[0])));
        }
    });
}
