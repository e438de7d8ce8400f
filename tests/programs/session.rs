//! A machine that somebody sits at: lines for its program, keys on its keyboard, a look at its screen, and whatever else
//! QEMU's monitor can do to it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{ChildStdin, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::run::{Input, Running};
use crate::tool::Run;

/// How long anything may take to happen; a busy workstation needs a fraction of it.
const PATIENCE: Duration = Duration::from_secs(60);

/// From one look to the next.
const PAUSE: Duration = Duration::from_millis(250);

/// The machine, which ends with this.
pub(crate) struct Session {
    _running: Running,
    input: ChildStdin,
    output: Arc<Mutex<Vec<u8>>>,
    monitor: BufReader<UnixStream>,
    folder: TempDir,
}

impl Session {
    /// Boots the shell, with these options, and waits for its prompt.
    pub(crate) fn start(options: &[&str]) -> Result<Self> {
        let place = TempDir::new().context("cannot make a temporary folder")?;
        let socket = place.path().join("monitor");
        let name = socket.to_string_lossy();
        let words = [&["--monitor", &name], options, &["--", "shell"]].concat();
        let (mut command, folder) = Run::boot(words)?.into_parts();
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut running = Running::start(command, Input::Silence)?;
        let child = &mut running.child;
        let input = child.stdin.take().context("boot has no input")?;
        let output = gather(child.stdout.take().context("boot has no output")?);
        let mut session = Self {
            _running: running,
            input,
            output,
            monitor: BufReader::new(connect(&socket)?),
            folder,
        };
        session.ask(&json!({ "execute": "qmp_capabilities" }))?;
        session.await_text("$ ", || ())?;
        Ok(session)
    }

    /// Has the shell carry out a line, and waits until `answer` was printed.
    pub(crate) fn command(&mut self, line: &str, answer: &str) -> Result<()> {
        writeln!(self.input, "{line}").context("boot takes no input")?;
        self.await_text(answer, || ())
    }

    fn await_text(&self, text: &str, mut meanwhile: impl FnMut()) -> Result<()> {
        let start = Instant::now();
        while !self.printed().contains(text) {
            ensure!(
                start.elapsed() < PATIENCE,
                "it never printed {text:?}, but\n{}\n--- its log\n{}",
                self.printed(),
                self.log()
            );
            meanwhile();
            thread::sleep(PAUSE / 10);
        }
        Ok(())
    }

    fn printed(&self) -> String {
        let bytes = self
            .output
            .lock()
            .unwrap_or_else(|broken| broken.into_inner());
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The kernel's log so far.
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until the kernel has logged `text`.
    pub(crate) fn await_log(&self, text: &str) -> Result<()> {
        let start = Instant::now();
        while !self.log().contains(text) {
            let log = self.log();
            ensure!(
                start.elapsed() < PATIENCE,
                "it never logged {text:?}:\n{log}"
            );
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// A line for QEMU's monitor, which has nothing to object.
    pub(crate) fn monitor(&mut self, line: &str) -> Result<()> {
        let arguments = json!({ "command-line": line });
        let request = json!({ "execute": "human-monitor-command", "arguments": arguments });
        let answer = self.ask(&request)?;
        ensure!(answer == "", "QEMU answers to `{line}`: {answer}");
        Ok(())
    }

    fn ask(&mut self, request: &Value) -> Result<Value> {
        writeln!(self.monitor.get_mut(), "{request}").context("QEMU does not listen")?;
        loop {
            let mut line = String::new();
            let length = self.monitor.read_line(&mut line)?;
            ensure!(length > 0, "QEMU is gone; the log\n{}", self.log());
            let message: Value = serde_json::from_str(&line)?;
            // All else are the greeting and events.
            if let Some(answer) = message.get("return") {
                return Ok(answer.clone());
            }
            if let Some(error) = message.get("error") {
                bail!("QEMU answers to {request}: {error}");
            }
        }
    }

    /// What the screen shows.
    pub(crate) fn look(&mut self) -> Result<Picture> {
        let file = self.folder.path().join("screen.ppm");
        self.monitor(&format!("screendump {}", file.display()))?;
        Picture::parse(&fs::read(file)?)
    }

    /// What the screen shows once it has not changed for a while.
    pub(crate) fn look_at_rest(&mut self) -> Result<Picture> {
        const WHILE: usize = 5;
        let (mut last, mut same) = (self.look()?, 0);
        let start = Instant::now();
        while same < WHILE {
            ensure!(start.elapsed() < PATIENCE, "the screen never rests");
            thread::sleep(PAUSE);
            let now = self.look()?;
            same = if now == last { same + 1 } else { 0 };
            last = now;
        }
        Ok(last)
    }

    /// Waits until the screen shows what is wanted, and says what it shows then.
    pub(crate) fn look_for(
        &mut self,
        what: &str,
        is_wanted: impl Fn(&Picture) -> bool,
    ) -> Result<Picture> {
        let start = Instant::now();
        loop {
            let now = self.look()?;
            if is_wanted(&now) {
                return Ok(now);
            }
            ensure!(start.elapsed() < PATIENCE, "the screen never shows {what}");
            thread::sleep(PAUSE);
        }
    }
}

/// QEMU takes a moment to make its socket, and the image has to be made before.
fn connect(socket: &PathBuf) -> Result<UnixStream> {
    let start = Instant::now();
    loop {
        match UnixStream::connect(socket) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(error) if start.elapsed() > PATIENCE => {
                return Err(error).context("QEMU's monitor cannot be reached");
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

/// All that comes out of a pipe, as it comes.
fn gather(mut from: impl Read + Send + 'static) -> Arc<Mutex<Vec<u8>>> {
    let all = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&all);
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            let mut to = to.lock().unwrap_or_else(|broken| broken.into_inner());
            to.extend_from_slice(&bytes[..count]);
        }
    });
    all
}

/// A picture of the screen, as rows of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    pixels: Vec<u8>,
    /// Bytes of a row of text.
    row: usize,
}

impl Picture {
    /// Reads a PPM file as QEMU writes it.
    fn parse(ppm: &[u8]) -> Result<Self> {
        /// Lines of pixels that a row of text has, on a screen that is not scaled.
        const LINES: usize = 16;
        let mut parts = ppm.splitn(4, |byte| *byte == b'\n');
        let size = parts.nth(1).context("the picture has no size")?;
        let width = std::str::from_utf8(size)?.split(' ').next();
        let width: usize = width.unwrap_or_default().parse()?;
        let pixels = parts.nth(1).context("the picture has no pixels")?.to_vec();
        let row = width * 3 * LINES;
        Ok(Self { pixels, row })
    }

    /// Rows of text on the screen.
    pub(crate) fn rows(&self) -> usize {
        self.pixels.len() / self.row
    }

    /// So many rows, from one on.
    pub(crate) fn part(&self, first: usize, count: usize) -> &[u8] {
        &self.pixels[first * self.row..(first + count) * self.row]
    }
}
