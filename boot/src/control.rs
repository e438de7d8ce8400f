//! QEMU's control socket (QMP): says why the machine shut down and what its processor has, and takes pictures of the
//! screen.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// A conversation with QEMU.
pub(crate) struct Control {
    to: UnixStream,
    answers: Receiver<Value>,
    /// How many questions were asked; each has its number.
    asked: u64,
    listener: JoinHandle<Option<String>>,
}

impl Control {
    /// Greets QEMU; `on_close` is called when QEMU is gone.
    pub(crate) fn open(
        socket: UnixStream,
        on_close: impl FnOnce() + Send + 'static,
    ) -> Result<Self> {
        let from = socket
            .try_clone()
            .context("cannot share QEMU's control socket")?;
        let (answer, answers) = channel();
        let listener = thread::spawn(move || {
            let reason = listen(from, &answer);
            on_close();
            reason
        });
        let mut control = Self {
            to: socket,
            answers,
            asked: 0,
            listener,
        };
        // Without an id the answer is dropped. If QEMU is gone already, its exit status will say why.
        let _ = control.send(&json!({ "execute": "qmp_capabilities" }));
        Ok(control)
    }

    /// Interrupts the machine by an NMI every so long, from the moment on that `gate` opens: before, nobody is there to
    /// take one. What is returned opens with it.
    pub(crate) fn inject_nmis(&self, gate: Receiver<()>, period: Duration) -> Result<Receiver<()>> {
        let mut to = self
            .to
            .try_clone()
            .context("cannot share QEMU's control socket")?;
        let (open, opened) = channel();
        let line = format!("{}\n", json!({ "execute": "inject-nmi" }));
        thread::spawn(move || {
            let is_open = gate.recv().is_ok_and(|()| open.send(()).is_ok());
            while is_open && to.write_all(line.as_bytes()).is_ok() {
                thread::sleep(period);
            }
        });
        Ok(opened)
    }

    /// Writes the screen to a PPM file.
    pub(crate) fn dump_screen(&mut self, to: &Path) -> Result<()> {
        let to = to
            .to_str()
            .context("the folder for temporary files (TMPDIR) has a name that QEMU cannot be told, as it is not UTF-8")?;
        let answer = self
            .ask("screendump", &json!({ "filename": to }))
            .context("QEMU took no picture of the screen")?;
        if let Some(error) = answer.get("error") {
            bail!(
                "QEMU took no picture of the screen: {}",
                error["desc"].as_str().unwrap_or("it does not say why")
            );
        }
        Ok(())
    }

    /// Lets the machine run.
    pub(crate) fn start(&mut self) {
        let _ = self.ask("cont", &json!({}));
    }

    /// QEMU's whole answer to a command; nothing where it is gone, as its exit status will say why.
    pub(crate) fn ask(&mut self, command: &str, arguments: &Value) -> Option<Value> {
        const PATIENCE: Duration = Duration::from_secs(20);
        self.asked += 1;
        let message = json!({ "execute": command, "id": self.asked, "arguments": arguments });
        self.send(&message).ok()?;
        loop {
            let answer = self.answers.recv_timeout(PATIENCE).ok()?;
            // A late answer belongs to nobody any more.
            if answer["id"] == self.asked {
                return Some(answer);
            }
        }
    }

    /// Why the machine shut down, in QEMU's words, once it is gone.
    pub(crate) fn shutdown_reason(self) -> Option<String> {
        self.listener.join().unwrap_or_default()
    }

    fn send(&mut self, message: &Value) -> Result<()> {
        self.to
            .write_all(format!("{message}\n").as_bytes())
            .context("QEMU does not listen any more")
    }
}

fn listen(from: UnixStream, answer: &Sender<Value>) -> Option<String> {
    let mut reason = None;
    for line in BufReader::new(from)
        .lines()
        .map_while(std::result::Result::ok)
    {
        let Ok(message) = serde_json::from_str::<Value>(&line) else {
            continue;
        };
        if message["event"] == "SHUTDOWN" {
            reason = message["data"]["reason"].as_str().map(str::to_owned);
        }
        if message.get("id").is_some() && answer.send(message).is_err() {
            break;
        }
    }
    reason
}
