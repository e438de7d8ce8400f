//! Runs a command to its end, or to a deadline: output, complaints and exit code, whatever the command does with its
//! input.

use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// What a command finds on its standard input.
pub enum Input {
    Nothing,
    Bytes(Vec<u8>),
    /// Neither a byte nor an end.
    Silence,
}

/// A command that has ended.
#[derive(Debug)]
pub struct Ended {
    /// 128 + n where signal n killed it.
    pub code: i32,
    pub output: Vec<u8>,
    /// Standard error, where that is not part of the output.
    pub errors: String,
}

/// Runs a command with standard output and standard error apart.
pub fn apart(mut command: Command, input: Input, limit: Duration) -> Result<Ended> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running::start(command, input)?;
    let output = running.child.stdout.take().map(collect);
    let errors = running.child.stderr.take().map(collect);
    let code = running.wait(limit)?;
    let errors = String::from_utf8_lossy(&joined(errors)).into_owned();
    Ok(Ended {
        code,
        output: joined(output),
        errors,
    })
}

/// Runs a command with both streams in one, in the order in which they were written.
pub fn together(mut command: Command, input: Input, limit: Duration) -> Result<Ended> {
    let (reader, writer) = io::pipe().context("cannot make a pipe")?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let running = Running::start(command, input)?;
    let output = collect(reader);
    let code = running.wait(limit)?;
    Ok(Ended {
        code,
        output: joined(Some(output)),
        errors: String::new(),
    })
}

/// A child that is killed if nobody waits for its end.
pub struct Running {
    pub child: Child,
    name: String,
}

impl Running {
    pub fn start(mut command: Command, input: Input) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(if matches!(input, Input::Nothing) {
            Stdio::null()
        } else {
            Stdio::piped()
        });
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        if let Input::Bytes(bytes) = input {
            let stdin = child.stdin.take();
            // A command that does not read its input breaks the pipe, which is its right.
            thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&bytes)));
        }
        Ok(Self { child, name })
    }

    /// Waits for the end, at most so long.
    pub fn wait(mut self, limit: Duration) -> Result<i32> {
        const PAUSE: Duration = Duration::from_millis(10);
        let started = Instant::now();
        loop {
            match self
                .child
                .try_wait()
                .with_context(|| format!("{} is lost", self.name))?
            {
                Some(status) => return Ok(code(status)),
                None if started.elapsed() > limit => {
                    bail!("{} took longer than {} s", self.name, limit.as_secs())
                }
                None => thread::sleep(PAUSE),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Where it has ended already there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn code(status: ExitStatus) -> i32 {
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(-1)
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before an error is what there is to compare.
        let _ = from.read_to_end(&mut bytes);
        bytes
    })
}

fn joined(thread: Option<JoinHandle<Vec<u8>>>) -> Vec<u8> {
    thread
        .and_then(|thread| thread.join().ok())
        .unwrap_or_default()
}
