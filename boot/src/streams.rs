//! One thread a wire: the program's output to ours, our input to the program, the log to its sink, the exit code to
//! whoever waits for it.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::sync::mpsc::{Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Result;

use crate::kernel_log::{First, KernelLog};
use crate::progress::Step;
use crate::stdin;
use crate::watch::Event;

/// The kernel's log on its way to a file or to standard error.
pub(crate) type Log = KernelLog<Box<dyn Write + Send>>;

/// Opened when the kernel listens on COM3. A byte sent earlier would meet a port that is still being tested and reset.
pub(crate) type Gate = Sender<()>;

/// Keeps what QEMU itself has to say.
pub(crate) fn collect(from: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            // What was read before an error is still worth showing.
            let _ = from.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Passes the log on to its end, and says whether the kernel spoke at all.
pub(crate) fn follow_log(
    from: PipeReader,
    mut log: Log,
    booting: Step,
    gate: Gate,
    events: Sender<Event>,
) -> JoinHandle<Result<bool>> {
    thread::spawn(move || {
        log.copy_from(from, |first| {
            booting.finish();
            match first {
                First::Kernel => open_later(gate.clone()),
                First::LoaderFailed(words) => drop(events.send(Event::LoaderFailed(words))),
            }
        })
    })
}

/// A kernel that never says that it is ready for input gets it anyway, a while after it spoke first.
fn open_later(gate: Gate) {
    const PATIENCE: Duration = Duration::from_secs(5);
    thread::spawn(move || {
        thread::sleep(PATIENCE);
        gate.send(())
    });
}

pub(crate) fn pass_output(
    mut from: PipeReader,
    booting: Step,
    events: Sender<Event>,
) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(read) = from.read(&mut buffer)
            && read > 0
        {
            booting.finish();
            let mut stdout = io::stdout().lock();
            let written = stdout
                .write_all(&buffer[..read])
                .and_then(|()| stdout.flush());
            if let Err(error) = written {
                drop(events.send(Event::OutputFailed(error)));
                return;
            }
        }
    })
}

/// Nobody waits for this thread: it may sit in a read of the terminal when the machine ends.
pub(crate) fn pass_input(to: PipeWriter, gate: Receiver<()>) {
    thread::spawn(move || {
        if gate.recv().is_ok() {
            stdin::relay(io::stdin().lock(), to);
        }
    });
}

/// The first byte means that the kernel listens on COM3; the last one is the exit code.
pub(crate) fn follow_code(mut from: PipeReader, gate: Gate) -> JoinHandle<Option<u8>> {
    thread::spawn(move || {
        let mut last = None;
        while let Some(byte) = read_byte(&mut from) {
            // Without an input thread there is nobody to tell.
            let _ = gate.send(());
            last = Some(byte);
        }
        last
    })
}

pub(crate) fn follow_ending(mut from: PipeReader, events: Sender<Event>) {
    thread::spawn(move || read_byte(&mut from).map(|kind| events.send(Event::Ending(kind))));
}

fn read_byte(from: &mut PipeReader) -> Option<u8> {
    let mut byte = [0];
    from.read_exact(&mut byte).ok().map(|()| byte[0])
}
